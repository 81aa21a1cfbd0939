//! What took how long: a waterfall of the steps as they run, and statistics of earlier runs.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Look;
use crate::tui::model::Model;

/// Draws it.
pub fn draw(_frame: &mut Frame<'_>, _area: Rect, _model: &Model, _look: Look) {}

/// How many rows the panel's content takes at a width.
pub fn rows(_model: &Model, _width: u16) -> usize {
    0
}
