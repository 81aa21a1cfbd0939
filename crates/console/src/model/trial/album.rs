//! [`Album`]: the pictures that have been made ready, and those that are asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thumbctl_core::event::Failure;

use crate::message::Effect;
use crate::model::trial::TrialCommand;
use crate::pictures::Picture;

/// How many pictures are kept.
const MOST_PICTURES: usize = 40;

/// How much memory pictures may take that are not on the screen.
const MOST_WEIGHT: usize = 24 * 1024 * 1024;

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
pub enum Shown<'a> {
    /// It is being made ready. Its size in pixels, where it was drawn before in another size.
    Coming(Option<(u32, u32)>),
    /// It is there.
    There(&'a Picture),
    /// It cannot be drawn.
    Failed(&'a Failure),
}

/// The pictures that have been made ready, the one used last at the end.
#[derive(Clone, Debug, Default)]
pub struct Album {
    pages: Vec<(PictureKey, Result<Arc<Picture>, Failure>)>,
    /// What was asked for and has not come.
    asked: Vec<PictureKey>,
}

impl Album {
    /// These pictures are on the screen: asks for those that are not there. What was asked for before and is not on the
    /// screen any more is given up.
    pub fn want(&mut self, keys: &[PictureKey]) -> Vec<Effect> {
        let (mut used, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pages).into_iter().partition(|(key, _)| keys.contains(key));
        self.pages = rest;
        self.forget(used.len());
        self.pages.append(&mut used);
        let missing: Vec<PictureKey> =
            keys.iter().filter(|key| !self.pages.iter().any(|(k, _)| k == *key)).cloned().collect();
        if missing == self.asked {
            return Vec::new();
        }
        let is_less = missing.iter().all(|key| self.asked.contains(key)) && !missing.is_empty();
        self.asked = missing.clone();
        // That one of them has come is no reason to ask for the others again.
        if is_less { Vec::new() } else { vec![Effect::Trial(TrialCommand::Draw(missing))] }
    }

    /// Forgets the oldest pictures, down to what may be kept beside so many that are on the screen.
    fn forget(&mut self, used: usize) {
        let weight = |page: &(PictureKey, Result<Arc<Picture>, Failure>)| page.1.as_ref().map_or(0, |p| p.weight);
        let mut total: usize = self.pages.iter().map(weight).sum();
        let mut gone = 0;
        while gone < self.pages.len() && (self.pages.len() - gone + used > MOST_PICTURES || total > MOST_WEIGHT) {
            total -= weight(&self.pages[gone]);
            gone += 1;
        }
        self.pages.drain(..gone);
    }

    /// A picture has come, or cannot. One that nobody wants any more is kept for a while too.
    pub fn take_in(&mut self, key: PictureKey, picture: Result<Arc<Picture>, Failure>) {
        self.asked.retain(|asked| *asked != key);
        self.pages.retain(|(known, _)| *known != key);
        self.pages.push((key, picture));
    }

    /// Everything is to be made anew: the terminal draws in another way.
    pub fn clear(&mut self) {
        self.pages.clear();
        self.asked.clear();
    }

    /// What is there has changed: pictures of this file are to be made anew.
    pub fn forget_path(&mut self, path: &Path) {
        self.pages.retain(|(key, _)| key.path != path);
    }

    /// What is known of a picture.
    pub fn get(&self, path: &Path, cells: (u16, u16)) -> Shown<'_> {
        let of_path = || self.pages.iter().rev().filter(|(key, _)| key.path == path);
        match of_path().find(|(key, _)| key.cells == cells) {
            Some((_, Ok(picture))) => Shown::There(picture),
            Some((_, Err(failure))) => Shown::Failed(failure),
            None => Shown::Coming(of_path().find_map(|(_, picture)| Some(picture.as_ref().ok()?.pixels))),
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

    fn asked(effects: &[Effect]) -> Vec<&str> {
        match effects {
            [] => Vec::new(),
            [Effect::Trial(TrialCommand::Draw(keys))] => {
                keys.iter().map(|key| key.path.to_str().expect("a name")).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_missing_is_asked_for_once() {
        let mut album = Album::default();
        let wanted = [key("a"), key("b")];
        assert_eq!(asked(&album.want(&wanted)), ["a", "b"]);
        assert_eq!(album.want(&wanted), []);
        album.take_in(key("a"), Ok(picture()));
        assert_eq!(album.want(&wanted), [], "the other is still on its way");
        assert!(matches!(album.get(Path::new("a"), (4, 4)), Shown::There(_)));
        assert!(matches!(album.get(Path::new("b"), (4, 4)), Shown::Coming(None)));
        assert!(matches!(album.get(Path::new("a"), (9, 9)), Shown::Coming(Some((4, 4)))));
    }

    #[test]
    fn what_is_not_on_the_screen_any_more_is_given_up() {
        let mut album = Album::default();
        album.want(&[key("a")]);
        assert_eq!(asked(&album.want(&[key("b")])), ["b"]);
        assert_eq!(album.want(&[]), [Effect::Trial(TrialCommand::Draw(Vec::new()))]);
        assert_eq!(asked(&album.want(&[key("a")])), ["a"]);
    }

    #[test]
    fn what_failed_is_not_asked_for_again_and_again() {
        let mut album = Album::default();
        album.want(&[key("a")]);
        album.take_in(key("a"), Err(Failure::new("no")));
        assert_eq!(album.want(&[key("a")]), []);
        assert!(matches!(album.get(Path::new("a"), (4, 4)), Shown::Failed(_)));
        album.clear();
        assert_eq!(asked(&album.want(&[key("a")])), ["a"]);
    }

    #[test]
    fn only_so_many_are_kept_and_never_one_of_the_screen_is_forgotten() {
        let mut album = Album::default();
        album.take_in(key("first"), Ok(picture()));
        album.take_in(key("second"), Ok(picture()));
        for number in 0..MOST_PICTURES {
            album.take_in(key(&number.to_string()), Ok(picture()));
        }
        assert_eq!(album.want(&[key("first")]), []);
        assert_eq!(album.pages.len(), MOST_PICTURES);
        assert!(matches!(album.get(Path::new("first"), (4, 4)), Shown::There(_)));
        assert!(matches!(album.get(Path::new("second"), (4, 4)), Shown::Coming(None)));
    }
}
