//! [`PictureCache`]: the pictures that have been made ready, and those that are asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thumbctl_core::event::Failure;

use crate::message::Effect;
use crate::model::test_upload::TestUploadCommand;
use crate::pictures::Picture;

/// How many pictures are kept.
const MAX_PICTURES: usize = 40;

/// How much memory pictures may take that are not on the screen.
const MAX_WEIGHT: usize = 24 * 1024 * 1024;

/// Which picture, and how large it may be drawn.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PictureKey {
    /// The image's file.
    pub path: PathBuf,
    /// How many cells it may take: across, down.
    pub cells: (u16, u16),
}

/// What is known of a picture.
#[derive(Clone, Copy, Debug)]
pub enum PictureState<'a> {
    /// It is being made ready. Its size in pixels, where it was drawn before in another size.
    Loading(Option<(u32, u32)>),
    /// It is there.
    Ready(&'a Picture),
    /// It cannot be drawn.
    Failed(&'a Failure),
}

/// The pictures that have been made ready, the one used last at the end.
#[derive(Clone, Debug, Default)]
pub struct PictureCache {
    entries: Vec<(PictureKey, Result<Arc<Picture>, Failure>)>,
    /// What was asked for and has not come.
    requested: Vec<PictureKey>,
}

impl PictureCache {
    /// These pictures are on the screen: asks for those that are not there. What was asked for before and is not on the
    /// screen any more is given up.
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
        // That one of them has come is no reason to ask for the others again.
        if is_less { Vec::new() } else { vec![Effect::TestUpload(TestUploadCommand::Render(missing))] }
    }

    /// Forgets the oldest pictures, down to what may be kept beside so many that are on the screen.
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

    /// A picture has come, or cannot. One that nobody wants any more is kept for a while too.
    pub fn take_in(&mut self, key: PictureKey, picture: Result<Arc<Picture>, Failure>) {
        self.requested.retain(|requested| *requested != key);
        self.entries.retain(|(known, _)| *known != key);
        self.entries.push((key, picture));
    }

    /// Everything is to be made anew: the terminal draws in another way.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.requested.clear();
    }

    /// What is there has changed: pictures of this file are to be made anew.
    pub fn forget_path(&mut self, path: &Path) {
        self.entries.retain(|(key, _)| key.path != path);
    }

    /// What is known of a picture.
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
    fn what_is_missing_is_asked_for_once() {
        let mut cache = PictureCache::default();
        let wanted = [key("a"), key("b")];
        assert_eq!(requested(&cache.request(&wanted)), ["a", "b"]);
        assert_eq!(cache.request(&wanted), []);
        cache.take_in(key("a"), Ok(picture()));
        assert_eq!(cache.request(&wanted), [], "the other is still on its way");
        assert!(matches!(cache.get(Path::new("a"), (4, 4)), PictureState::Ready(_)));
        assert!(matches!(cache.get(Path::new("b"), (4, 4)), PictureState::Loading(None)));
        assert!(matches!(cache.get(Path::new("a"), (9, 9)), PictureState::Loading(Some((4, 4)))));
    }

    #[test]
    fn what_is_not_on_the_screen_any_more_is_given_up() {
        let mut cache = PictureCache::default();
        cache.request(&[key("a")]);
        assert_eq!(requested(&cache.request(&[key("b")])), ["b"]);
        assert_eq!(cache.request(&[]), [Effect::TestUpload(TestUploadCommand::Render(Vec::new()))]);
        assert_eq!(requested(&cache.request(&[key("a")])), ["a"]);
    }

    #[test]
    fn what_failed_is_not_asked_for_again_and_again() {
        let mut cache = PictureCache::default();
        cache.request(&[key("a")]);
        cache.take_in(key("a"), Err(Failure::new("no")));
        assert_eq!(cache.request(&[key("a")]), []);
        assert!(matches!(cache.get(Path::new("a"), (4, 4)), PictureState::Failed(_)));
        cache.clear();
        assert_eq!(requested(&cache.request(&[key("a")])), ["a"]);
    }

    #[test]
    fn only_so_many_are_kept_and_never_one_of_the_screen_is_forgotten() {
        let mut cache = PictureCache::default();
        cache.take_in(key("first"), Ok(picture()));
        cache.take_in(key("second"), Ok(picture()));
        for number in 0..MAX_PICTURES {
            cache.take_in(key(&number.to_string()), Ok(picture()));
        }
        assert_eq!(cache.request(&[key("first")]), []);
        assert_eq!(cache.entries.len(), MAX_PICTURES);
        assert!(matches!(cache.get(Path::new("first"), (4, 4)), PictureState::Ready(_)));
        assert!(matches!(cache.get(Path::new("second"), (4, 4)), PictureState::Loading(None)));
    }
}
