//! The list of resources.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Look;
use crate::tui::model::Model;

/// Draws it.
pub fn draw(_frame: &mut Frame<'_>, _area: Rect, _model: &Model, _look: Look) {}

/// The row that is drawn first, where not all have room.
pub fn first_row(_inside: Rect, _model: &Model) -> usize {
    0
}
