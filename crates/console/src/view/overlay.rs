//! The overlays: help, messages, palette, dialogs.

mod confirm;
mod help;
mod messages;
mod palette;
mod quitting;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph};

use super::Appearance;
use super::layout::Layout;
use crate::model::Model;
use crate::model::overlay::Overlay;
use crate::theme::Role;

/// The visible lines above and below.
const LINES: u16 = 2;

/// The minimum visible width of the panels at each side.
const SIDE: u16 = 5;

/// Draws the overlay.
pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, appearance: Appearance) {
    match &model.overlay {
        None => {}
        Some(Overlay::Help { scroll }) => help::draw(frame, area, *scroll, model, appearance),
        Some(Overlay::Messages { scroll }) => messages::draw(frame, area, *scroll, model, appearance),
        Some(Overlay::Palette { input, selected }) => palette::draw(frame, area, input, *selected, model, appearance),
        Some(Overlay::Confirm(dialog)) => confirm::draw(frame, area, dialog, model, appearance),
        Some(Overlay::Quitting) => quitting::draw(frame, area, model, appearance),
    }
}

/// The rows of the help, and the visible ones.
pub fn help_rows(model: &Model) -> (usize, u16) {
    help::rows(model)
}

/// The maximum scroll position of messages.
pub fn messages_scroll_limit(model: &Model) -> u16 {
    messages::scroll_limit(model)
}

/// The maximum scroll position of a confirmation dialog.
pub fn confirm_scroll_limit(model: &Model) -> u16 {
    match &model.overlay {
        Some(Overlay::Confirm(dialog)) => confirm::scroll_limit(dialog, model),
        _ => 0,
    }
}

/// The specification of a dialog: title, inner size, text on the lower border.
struct DialogSpec<'a> {
    title: &'a str,
    width: u16,
    height: u16,
    below: Option<String>,
    border: Role,
}

/// A centred rectangle for an inner size, limited to the screen.
fn centred(screen: Rect, width: u16, height: u16) -> Rect {
    let width = width.saturating_add(4);
    let width = if width.saturating_add(2 * SIDE) > screen.width { screen.width } else { width };
    let height = height.saturating_add(2).min(screen.height.saturating_sub(2 * LINES));
    Rect { x: screen.x + (screen.width - width) / 2, y: screen.y + (screen.height - height) / 2, width, height }
}

/// The text area of a dialog.
fn inside(area: Rect) -> Rect {
    let inside = Layout::inside(area);
    Rect { x: inside.x.saturating_add(1), width: inside.width.saturating_sub(2), ..inside }
}

/// Clears the area, draws the border, and returns the text area.
fn open(frame: &mut Frame<'_>, screen: Rect, spec: &DialogSpec<'_>, appearance: Appearance) -> Rect {
    let area = centred(screen, spec.width, spec.height).intersection(frame.area());
    let buffer = frame.buffer_mut();
    // A wide character at the edge would shift the border.
    if area.x > 0 {
        for y in area.top()..area.bottom() {
            let beside = &mut buffer[(area.x - 1, y)];
            if thumbctl_platform::text::width(beside.symbol()) > 1 {
                beside.set_symbol(" ");
            }
        }
    }
    frame.render_widget(Clear, area);
    let mut block = appearance.panel(format!(" {} ", spec.title), true).border_style(appearance.style(spec.border));
    if let Some(words) = &spec.below {
        block = block.title_bottom(Line::styled(format!(" {words} "), appearance.style(Role::Muted)).right_aligned());
    }
    frame.render_widget(block, area);
    inside(area)
}

/// Draws lines.
fn fill(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>) {
    frame.render_widget(Paragraph::new(lines), area);
}

/// Draws an input line, scrolled to the cursor.
fn typed(
    frame: &mut Frame<'_>,
    area: Rect,
    prompt: super::line::StyledRow,
    input: &tui_input::Input,
    appearance: Appearance,
) {
    let columns = usize::from(area.width);
    let available = columns.saturating_sub(prompt.width() + 1);
    let text = super::clean(input.value());
    let first = input.visual_scroll(available);
    let mut skipped = 0;
    let seen: String = text
        .chars()
        .skip_while(|c| {
            let skip = skipped < first;
            skipped += unicode_width::UnicodeWidthChar::width(*c).unwrap_or(0);
            skip
        })
        .collect();
    let at = prompt.width() + input.visual_cursor().saturating_sub(first);
    fill(frame, Rect { height: area.height.min(1), ..area }, vec![prompt.text(&seen, Role::Strong).line(columns)]);
    let x = area.x.saturating_add(u16::try_from(at).unwrap_or(u16::MAX));
    let cursor = Position::new(x.min(area.right().saturating_sub(1)), area.y);
    if area.intersection(frame.area()).contains(cursor) {
        frame.buffer_mut()[cursor].set_style(appearance.style(Role::Selected));
        frame.set_cursor_position(cursor);
    }
}

/// The text for the visible range.
fn visible_range(first: usize, height: usize, all: usize) -> Option<String> {
    (all > height).then(|| format!("{}-{} of {all}", first + 1, (first + height).min(all)))
}

#[cfg(test)]
mod tests;
