//! The tabs, and the last lines: what was said, and the keys that work.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Look;
use crate::tui::model::Model;

/// Draws the tabs of the panels.
pub fn draw_tabs(_frame: &mut Frame<'_>, _area: Rect, _model: &Model, _look: Look) {}

/// Draws the last message.
pub fn draw_message(_frame: &mut Frame<'_>, _area: Rect, _model: &Model, _look: Look) {}

/// Draws the keys that work now.
pub fn draw_keys(_frame: &mut Frame<'_>, _area: Rect, _model: &Model, _look: Look) {}

/// The panel whose tab is at a column.
pub fn tab_at(
    _area: Rect,
    _layout: &super::layout::Layout,
    _model: &Model,
    _column: u16,
) -> Option<crate::tui::model::panel::Panel> {
    None
}
