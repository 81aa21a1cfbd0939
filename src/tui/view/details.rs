//! Everything about the selected resource.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Look;
use crate::tui::model::Model;

/// Draws it.
pub fn draw(_frame: &mut Frame<'_>, _area: Rect, _model: &Model, _look: Look) {}

/// How many rows everything about the selected resource takes at a width.
pub fn rows(_model: &Model, _width: u16) -> usize {
    0
}
