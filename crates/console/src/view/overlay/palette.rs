//! The command palette.

use ratatui::Frame;
use ratatui::layout::Rect;
use tui_input::Input;

use super::{DialogSpec, centred, fill, inside, open, typed, visible_range};
use crate::model::Model;
use crate::theme::Role;
use crate::update::palette_actions;
use crate::view::line::StyledRow;
use crate::view::{Appearance, hints};

/// The preferred width and height.
const SIZE: (u16, u16) = (64, 18);

/// The width of titles.
const TITLE: usize = 38;

/// The rows above the list: input line and blank.
const ABOVE: u16 = 2;

pub(super) fn draw(
    frame: &mut Frame<'_>,
    screen: Rect,
    input: &Input,
    selected: usize,
    model: &Model,
    appearance: Appearance,
) {
    let found = palette_actions(model, input.value());
    let selected = selected.min(found.len().saturating_sub(1));
    let area = inside(centred(screen, SIZE.0, SIZE.1));
    let visible = usize::from(area.height.saturating_sub(ABOVE));
    let first = (selected + 1).saturating_sub(visible);
    let spec = DialogSpec {
        title: "Commands",
        width: SIZE.0,
        height: SIZE.1,
        below: visible_range(first, visible, found.len()),
        border: Role::FocusedBorder,
    };
    let area = open(frame, screen, &spec, appearance);
    let columns = usize::from(area.width);
    typed(frame, area, StyledRow::new(appearance).text(": ", Role::Key), input, appearance);

    let list = Rect { y: area.y.saturating_add(ABOVE), height: area.height.saturating_sub(ABOVE), ..area };
    if found.is_empty() {
        let words = StyledRow::new(appearance).text("No matching command.", Role::Muted);
        return fill(frame, list, vec![words.line(columns)]);
    }
    let mut lines = Vec::new();
    for (at, action) in found.iter().enumerate().skip(first).take(visible) {
        let cursor = if at == selected { appearance.symbols.cursor } else { " " };
        let key = hints::key_of(model, *action).unwrap_or_default();
        let mut left = StyledRow::new(appearance).text(cursor, Role::FocusedBorder).text(action.title(), Role::Text);
        if area.width >= SIZE.0 {
            left = left.to(TITLE).text(action.name(), Role::Muted);
        }
        lines.push(StyledRow::spread(left, StyledRow::new(appearance).text(&key, Role::Key).space(1), columns));
    }
    fill(frame, list, lines);
    let y = list.y.saturating_add(u16::try_from(selected - first).unwrap_or(u16::MAX));
    let line = Rect { y, height: 1, ..list }.intersection(list).intersection(frame.area());
    frame.buffer_mut().set_style(line, appearance.style(Role::Selected));
}
