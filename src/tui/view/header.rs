//! The two lines on top: what is worked on, its state and time; then where.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Look;
use crate::tui::model::Model;

/// Draws it.
pub fn draw(_frame: &mut Frame<'_>, _area: Rect, _model: &Model, _look: Look) {}
