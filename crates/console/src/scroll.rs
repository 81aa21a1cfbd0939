//! Scroll positions in rows, for panes and overlays.

use crate::keymap::Action;

/// The scroll position after an action, within bounds.
pub(crate) fn scrolled(scroll: u16, action: Action, rows: usize, height: u16) -> u16 {
    let page = i32::from(height.saturating_sub(1).max(1));
    let most = limit(rows, height);
    let to = match action {
        Action::Up => moved(scroll, -1),
        Action::Down => moved(scroll, 1),
        Action::PageUp => moved(scroll, -page),
        Action::PageDown => moved(scroll, page),
        Action::Top => 0,
        Action::Bottom => most,
        _ => scroll,
    };
    to.min(most)
}

/// The maximum scroll position for a number of rows and visible rows.
pub(crate) fn limit(rows: usize, visible: u16) -> u16 {
    u16::try_from(rows.saturating_sub(usize::from(visible))).unwrap_or(u16::MAX)
}

/// A scroll position moved by lines.
pub(crate) fn moved(scroll: u16, lines: i32) -> u16 {
    let lines = i16::try_from(lines).unwrap_or(if lines < 0 { i16::MIN } else { i16::MAX });
    scroll.saturating_add_signed(lines)
}
