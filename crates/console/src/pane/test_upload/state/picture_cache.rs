//! [`PictureCache`]: rendered and requested pictures.

use std::path::Path;
use std::sync::Arc;

use thumbctl_core::event::Failure;

use crate::message::Effect;
use crate::pane::test_upload::protocol::{PictureKey, TestUploadCommand};
use crate::pictures::Picture;

/// The maximum number of cached pictures.
const MAX_PICTURES: usize = 40;

/// The memory budget for pictures off the screen, in bytes.
const MAX_WEIGHT: usize = 24 * 1024 * 1024;

/// The state of a picture.
#[derive(Clone, Copy, Debug)]
pub enum PictureState<'a> {
    /// It is loading. The pixel size is known if it was rendered at another size.
    Loading(Option<(u32, u32)>),
    /// It is rendered.
    Ready(&'a Picture),
    /// It cannot be rendered.
    Failed(&'a Failure),
}

/// The rendered pictures, most recently used last.
#[derive(Clone, Debug, Default)]
pub struct PictureCache {
    entries: Vec<(PictureKey, Result<Arc<Picture>, Failure>)>,
    /// The pending requests.
    requested: Vec<PictureKey>,
}

impl PictureCache {
    /// Requests missing pictures among those on the screen. Pending requests for others are cancelled.
    pub fn request(&mut self, keys: &[PictureKey]) -> Vec<Effect> {
        let (mut used, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.entries).into_iter().partition(|(key, _)| keys.contains(key));
        self.entries = rest;
        self.forget(used.len());
        self.entries.append(&mut used);
        let missing: Vec<PictureKey> =
            keys.iter().filter(|key| !self.entries.iter().any(|(k, _)| k == *key)).cloned().collect();
        if missing == self.requested {
            return Vec::new();
        }
        let is_less = missing.iter().all(|key| self.requested.contains(key)) && !missing.is_empty();
        self.requested = missing.clone();
        // A received picture does not repeat the other requests.
        if is_less { Vec::new() } else { vec![Effect::TestUpload(TestUploadCommand::Render(missing))] }
    }

    /// Evicts the oldest pictures over budget.
    fn forget(&mut self, used: usize) {
        let weight = |entry: &(PictureKey, Result<Arc<Picture>, Failure>)| entry.1.as_ref().map_or(0, |p| p.weight);
        let mut total: usize = self.entries.iter().map(weight).sum();
        let mut removed = 0;
        while removed < self.entries.len() && (self.entries.len() - removed + used > MAX_PICTURES || total > MAX_WEIGHT)
        {
            total -= weight(&self.entries[removed]);
            removed += 1;
        }
        self.entries.drain(..removed);
    }

    /// Adds a rendered picture or a failure.
    pub fn insert(&mut self, key: PictureKey, picture: Result<Arc<Picture>, Failure>) {
        self.requested.retain(|requested| *requested != key);
        self.entries.retain(|(known, _)| *known != key);
        self.entries.push((key, picture));
    }

    /// Removes all pictures, after a change of graphics.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.requested.clear();
    }

    /// Removes the pictures of a changed file.
    pub fn forget_path(&mut self, path: &Path) {
        self.entries.retain(|(key, _)| key.path != path);
    }

    /// The state of a picture.
    pub fn get(&self, path: &Path, cells: (u16, u16)) -> PictureState<'_> {
        let of_path = || self.entries.iter().rev().filter(|(key, _)| key.path == path);
        match of_path().find(|(key, _)| key.cells == cells) {
            Some((_, Ok(picture))) => PictureState::Ready(picture),
            Some((_, Err(failure))) => PictureState::Failed(failure),
            None => PictureState::Loading(of_path().find_map(|(_, picture)| Some(picture.as_ref().ok()?.pixels))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::Graphics;

    fn key(name: &str) -> PictureKey {
        PictureKey { path: name.into(), cells: (4, 4) }
    }

    fn picture() -> Arc<Picture> {
        let image = image::RgbaImage::from_pixel(4, 4, image::Rgba([1, 2, 3, 255]));
        Arc::new(Picture::make(image.into(), 9, (4, 4), Graphics::default()).expect("a picture"))
    }

    fn requested(effects: &[Effect]) -> Vec<&str> {
        match effects {
            [] => Vec::new(),
            [Effect::TestUpload(TestUploadCommand::Render(keys))] => {
                keys.iter().map(|key| key.path.to_str().expect("a name")).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn missing_picture_is_requested_once() {
        let mut cache = PictureCache::default();
        let keys = [key("a"), key("b")];
        assert_eq!(requested(&cache.request(&keys)), ["a", "b"]);
        assert_eq!(cache.request(&keys), []);
        cache.insert(key("a"), Ok(picture()));
        assert_eq!(cache.request(&keys), [], "the other is still pending");
        assert!(matches!(cache.get(Path::new("a"), (4, 4)), PictureState::Ready(_)));
        assert!(matches!(cache.get(Path::new("b"), (4, 4)), PictureState::Loading(None)));
        assert!(matches!(cache.get(Path::new("a"), (9, 9)), PictureState::Loading(Some((4, 4)))));
    }

    #[test]
    fn request_off_screen_is_cancelled() {
        let mut cache = PictureCache::default();
        cache.request(&[key("a")]);
        assert_eq!(requested(&cache.request(&[key("b")])), ["b"]);
        assert_eq!(cache.request(&[]), [Effect::TestUpload(TestUploadCommand::Render(Vec::new()))]);
        assert_eq!(requested(&cache.request(&[key("a")])), ["a"]);
    }

    #[test]
    fn failed_picture_is_not_requested_again() {
        let mut cache = PictureCache::default();
        cache.request(&[key("a")]);
        cache.insert(key("a"), Err(Failure::new("no")));
        assert_eq!(cache.request(&[key("a")]), []);
        assert!(matches!(cache.get(Path::new("a"), (4, 4)), PictureState::Failed(_)));
        cache.clear();
        assert_eq!(requested(&cache.request(&[key("a")])), ["a"]);
    }

    #[test]
    fn cache_is_bounded_and_keeps_pictures_on_screen() {
        let mut cache = PictureCache::default();
        cache.insert(key("first"), Ok(picture()));
        cache.insert(key("second"), Ok(picture()));
        for number in 0..MAX_PICTURES {
            cache.insert(key(&number.to_string()), Ok(picture()));
        }
        assert_eq!(cache.request(&[key("first")]), []);
        assert_eq!(cache.entries.len(), MAX_PICTURES);
        assert!(matches!(cache.get(Path::new("first"), (4, 4)), PictureState::Ready(_)));
        assert!(matches!(cache.get(Path::new("second"), (4, 4)), PictureState::Loading(None)));
    }
}
