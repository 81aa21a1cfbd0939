//! What lies over the panels: help, messages, palette, questions.

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

/// The lines on top and those at the end stay in sight.
const LINES: u16 = 2;

/// What is left of the panels at a side is worth being seen from this width on.
const SIDE: u16 = 5;

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, look: Appearance) {
    match &model.overlay {
        None => {}
        Some(Overlay::Help { scroll }) => help::draw(frame, area, *scroll, model, look),
        Some(Overlay::Messages { scroll }) => messages::draw(frame, area, *scroll, model, look),
        Some(Overlay::Palette { input, selected }) => palette::draw(frame, area, input, *selected, model, look),
        Some(Overlay::Confirm(dialog)) => confirm::draw(frame, area, dialog, model, look),
        Some(Overlay::Quitting) => quitting::draw(frame, area, model, look),
    }
}

/// How many rows the help has, and how many of them can be seen.
pub fn help_rows(model: &Model) -> (usize, u16) {
    help::rows(model)
}

/// How far earlier messages can be scrolled up.
pub fn messages_scroll_limit(model: &Model) -> u16 {
    messages::scroll_limit(model)
}

/// How far the list in a question can be scrolled down.
pub fn confirm_scroll_limit(model: &Model) -> u16 {
    match &model.overlay {
        Some(Overlay::Confirm(dialog)) => confirm::scroll_limit(dialog, model),
        _ => 0,
    }
}

/// A box, as it is asked for: its title, the width and height of what is in it, and what stands on its lower border.
struct DialogSpec<'a> {
    title: &'a str,
    width: u16,
    height: u16,
    below: Option<String>,
    border: Role,
}

/// A rectangle of a size, with its border, in the middle of the screen; smaller where the screen is.
fn centred(screen: Rect, width: u16, height: u16) -> Rect {
    let width = width.saturating_add(4);
    let width = if width.saturating_add(2 * SIDE) > screen.width { screen.width } else { width };
    let height = height.saturating_add(2).min(screen.height.saturating_sub(2 * LINES));
    Rect { x: screen.x + (screen.width - width) / 2, y: screen.y + (screen.height - height) / 2, width, height }
}

/// The part of a box in which its lines are drawn.
fn inside(area: Rect) -> Rect {
    let inside = Layout::inside(area);
    Rect { x: inside.x.saturating_add(1), width: inside.width.saturating_sub(2), ..inside }
}

/// Clears the box's place, draws its border, and answers where its lines go.
fn open(frame: &mut Frame<'_>, screen: Rect, spec: &DialogSpec<'_>, look: Appearance) -> Rect {
    let area = centred(screen, spec.width, spec.height).intersection(frame.area());
    let buffer = frame.buffer_mut();
    // A wide character whose second half the box covers would push the border aside.
    if area.x > 0 {
        for y in area.top()..area.bottom() {
            let beside = &mut buffer[(area.x - 1, y)];
            if thumbctl_platform::text::width(beside.symbol()) > 1 {
                beside.set_symbol(" ");
            }
        }
    }
    frame.render_widget(Clear, area);
    let mut block = look.panel(format!(" {} ", spec.title), true).border_style(look.style(spec.border));
    if let Some(words) = &spec.below {
        block = block.title_bottom(Line::styled(format!(" {words} "), look.style(Role::Quiet)).right_aligned());
    }
    frame.render_widget(block, area);
    inside(area)
}

/// Draws lines from a row on.
fn fill(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>) {
    frame.render_widget(Paragraph::new(lines), area);
}

/// A line that is typed: what was typed before the cursor is kept in sight.
fn typed(
    frame: &mut Frame<'_>,
    area: Rect,
    prompt: super::line::StyledRow,
    input: &tui_input::Input,
    look: Appearance,
) {
    let columns = usize::from(area.width);
    let room = columns.saturating_sub(prompt.width() + 1);
    let text = super::clean(input.value());
    let first = input.visual_scroll(room);
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
        frame.buffer_mut()[cursor].set_style(look.style(Role::Selected));
        frame.set_cursor_position(cursor);
    }
}

/// What says which part of something is in sight.
fn visible_range(first: usize, height: usize, all: usize) -> Option<String> {
    (all > height).then(|| format!("{}-{} of {all}", first + 1, (first + height).min(all)))
}

#[cfg(test)]
mod tests;
