//! What the terminal can do: asked once, after the first frame.

use std::time::Duration;

use crossterm::event::KeyEvent;

use crate::settings::PictureChoice;
use crate::tui::theme::Theme;

/// What the terminal can do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answers {
    /// How it draws pictures.
    pub graphics: Graphics,
}

/// How the terminal draws pictures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Graphics {}

impl Answers {
    /// The theme for its background, where it said what that is.
    pub fn theme(&self) -> Option<Theme> {
        None
    }
}

/// Something that was typed while the terminal was asked.
#[derive(Clone, Debug)]
pub enum Typed {
    /// A key.
    Key(KeyEvent),
    /// A text that was pasted.
    Paste(String),
}

/// Asks, and waits for at most so long.
pub fn ask(_within: Duration, _pictures: PictureChoice, _typed: &mut dyn FnMut(Typed)) -> Answers {
    Answers::default()
}
