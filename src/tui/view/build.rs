//! The build's phases as a row that fills, and a log below.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Look;
use crate::tui::model::Model;

/// Draws it.
pub fn draw(_frame: &mut Frame<'_>, _area: Rect, _model: &Model, _look: Look) {}

/// The part of the panel in which a log's lines are drawn.
pub fn log_area(panel: Rect, _source: crate::event::LogSource) -> Rect {
    super::layout::Layout::inside(panel)
}
