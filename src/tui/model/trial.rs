//! [`TrialPane`]: images to be sent, on their way, and with their thumbnails.

use std::path::PathBuf;

use crossterm::event::KeyEvent;

use crate::event::{Event, Failure};
use crate::tui::keymap::Action;
use crate::tui::message::Effect;

/// Images to be sent, on their way, and with their thumbnails.
#[derive(Clone, Debug, Default)]
pub struct TrialPane {}

/// What the trial needs done outside the model.
#[derive(Clone, Debug, PartialEq)]
pub enum TrialCommand {}

/// What was done for the trial.
#[derive(Clone, Debug)]
pub enum TrialReport {}

impl TrialPane {
    /// Whether images are being chosen (otherwise results are looked at).
    pub fn is_choosing(&self) -> bool {
        true
    }

    /// Whether a path is being typed.
    pub fn is_typing(&self) -> bool {
        false
    }

    /// Whether an image is on its way, so that its time is to be seen passing.
    pub fn is_waiting(&self) -> bool {
        false
    }

    /// Takes in an event of any run; those of trials are kept.
    pub fn apply(&mut self, _event: &Event) -> Vec<Effect> {
        Vec::new()
    }

    /// The panel is shown for the first time, or again.
    pub fn enter(&mut self) -> Vec<Effect> {
        Vec::new()
    }

    /// Does one of the actions of the contexts Trial and Chooser, or `Accept` / `Back` / `Up` / `Down` while typing.
    /// Sending is answered with [`Effect::Prepare`]`(Task::Trial(..))`.
    pub fn act(&mut self, _action: Action) -> Vec<Effect> {
        Vec::new()
    }

    /// Takes a key while a path is typed.
    pub fn type_key(&mut self, _key: KeyEvent) -> Vec<Effect> {
        Vec::new()
    }

    /// Scrolls by so many rows, down if positive: the mouse's wheel.
    pub fn scroll(&mut self, _rows: i32) -> Vec<Effect> {
        Vec::new()
    }

    /// A click on a row and column inside the panel.
    pub fn click(&mut self, _column: u16, _row: u16) -> Vec<Effect> {
        Vec::new()
    }

    /// Takes paths that were dropped onto the terminal or pasted.
    pub fn drop_paths(&mut self, _paths: Vec<PathBuf>) -> Vec<Effect> {
        Vec::new()
    }

    /// The images that were to be sent were refused before anything was called.
    pub fn refused(&mut self, _failure: &Failure) {}

    /// Says how many columns and rows it is drawn in.
    pub fn resize(&mut self, _width: u16, _height: u16) -> Vec<Effect> {
        Vec::new()
    }

    /// Takes in what was done.
    pub fn take_in(&mut self, report: TrialReport) -> Vec<Effect> {
        match report {}
    }

    /// Whether an action would do something now.
    pub fn can(&self, _action: Action) -> bool {
        true
    }
}
