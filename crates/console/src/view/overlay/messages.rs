//! The messages overlay, oldest first.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{DialogSpec, centred, fill, inside, open, visible_range};
use crate::model::Model;
use crate::model::messages::UserMessage;
use crate::theme::Role;
use crate::view::line::{StyledRow, wrapped};
use crate::view::{Appearance, clean_lines, status_symbol};

/// The width of time and symbol.
const BEFORE: usize = 11;

/// The maximum width.
const WIDTH: u16 = 96;

/// The indentation of further lines.
const INDENT: usize = 2;

pub(super) fn draw(frame: &mut Frame<'_>, screen: Rect, scroll: u16, model: &Model, appearance: Appearance) {
    let area = text_area(screen);
    let visible = usize::from(area.height);
    let lines = lines(model, appearance, usize::from(area.width));
    let most = lines.len().saturating_sub(visible);
    let first = most - usize::from(scroll).min(most);
    let spec = DialogSpec {
        title: "Messages",
        width: WIDTH,
        height: screen.height,
        below: visible_range(first, visible, lines.len()),
        border: Role::FocusedBorder,
    };
    let area = open(frame, screen, &spec, appearance);
    fill(frame, area, lines.into_iter().skip(first).take(visible).collect());
}

fn text_area(screen: Rect) -> Rect {
    inside(centred(screen, WIDTH, screen.height))
}

/// The maximum scroll position.
pub(super) fn scroll_limit(model: &Model) -> u16 {
    let area = text_area(model.layout().screen);
    let lines = lines(model, Appearance::of(model), usize::from(area.width)).len();
    u16::try_from(lines.saturating_sub(usize::from(area.height))).unwrap_or(u16::MAX)
}

fn lines(model: &Model, appearance: Appearance, columns: usize) -> Vec<Line<'static>> {
    if model.messages.all().len() == 0 {
        return vec![StyledRow::new(appearance).text("No messages.", Role::Muted).line(columns)];
    }
    model.messages.all().flat_map(|entry| message(entry, appearance, columns)).collect()
}

fn message(entry: &UserMessage, appearance: Appearance, columns: usize) -> Vec<Line<'static>> {
    let sign = status_symbol::for_message(entry.severity, appearance);
    let available = columns.saturating_sub(BEFORE);
    let mut lines = Vec::new();
    for (at, part) in wrapped(&entry.text, available).iter().enumerate() {
        let row = StyledRow::new(appearance);
        let row = match at {
            0 => row.text(&entry.at.format("%H:%M:%S").to_string(), Role::Muted).space(1).text(sign.symbol, sign.role),
            _ => row,
        };
        lines.push(row.to(BEFORE).text(part, sign.role).line(columns));
    }
    // Masked together: a private key spans lines.
    let more = clean_lines(entry.more.iter().flat_map(|more| more.lines()));
    for part in more.iter().flat_map(|more| wrapped(more, available.saturating_sub(INDENT))) {
        lines.push(StyledRow::new(appearance).to(BEFORE + INDENT).text(&part, Role::Muted).line(columns));
    }
    lines
}
