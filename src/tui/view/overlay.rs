//! What lies over the panels: help, messages, palette, questions.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Look;
use crate::tui::model::Model;

/// Draws it.
pub fn draw(_frame: &mut Frame<'_>, _area: Rect, _model: &Model, _look: Look) {}

/// How many rows the help has, and how many of them can be seen.
pub fn help_rows(_model: &Model) -> (usize, u16) {
    (0, 0)
}

/// How far earlier messages can be scrolled up.
pub fn messages_most(_model: &Model) -> u16 {
    0
}
