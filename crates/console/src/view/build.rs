//! The build panel: phases and log. The other logs use the same panel without phases.
//!
//! ```text
//! ╭ Build ─────────────────────── following ╮
//! │ ✔───── ✔───── ◑      ·      ·           │  the phases: symbols, names, seconds (see `phases`)
//! │ queue  source build  post   upload      │
//! │ ◑ BUILD running for 12.5 s              │
//! │                                         │
//! │  13:05:12  Compiling serde v1.0.0       │  the log (see `lines`)
//! │▌ 13:05:13  Compiling tokio v1.0.0       │
//! ╰ search: tokio  3 of 217 ────────────────╯  search and filter, or input
//! ```
//!
//! Changing figures are in the border, so that the log does not move.

mod lines;
mod phases;
#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use thumbctl_core::event::LogSource;
use thumbctl_platform::text;

use super::layout::Layout;
use super::{Appearance, clean};
use crate::keymap::{Action, Context};
use crate::log_store::search_pattern::SearchPattern;
use crate::model::Model;
use crate::model::log::{LogPane, TypedLine, TypingPurpose};
use crate::model::panel::Panel;
use crate::theme::Role;

/// Draws the panel.
pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, look: Appearance) {
    let (panel, pane) = match model.shown_panel() {
        Panel::Function => (Panel::Function, model.log(LogSource::Function)),
        Panel::Stacks => (Panel::Stacks, model.log(LogSource::Stack)),
        Panel::Terraform => (Panel::Terraform, model.log(LogSource::Terraform)),
        _ => (Panel::Build, model.log(LogSource::Build)),
    };
    let has_keys = model.focus == panel && model.overlay.is_none();
    let columns = usize::from(area.width.saturating_sub(4));
    let title = format!(" {} ", panel.title());
    let right = columns.saturating_sub(text::width(&title));
    let mut block = look
        .panel(title, has_keys)
        .title_top(at_right(state(pane, model, right)).right_aligned().style(look.style(Role::Quiet)));
    let query_line = query_line(pane, columns, look);
    if !query_line.spans.is_empty() {
        block = block.title_bottom(query_line);
    }
    frame.render_widget(block, area);
    if panel == Panel::Build {
        phases::draw(frame, phases_area(area), model, look);
    }
    lines::draw(frame, log_area(area, pane.source), model, pane, has_keys, look);
}

/// The area of the log lines in the panel.
pub fn log_area(panel: Rect, source: LogSource) -> Rect {
    let inside = Layout::inside(panel);
    match source {
        LogSource::Function | LogSource::Stack | LogSource::Terraform => inside,
        LogSource::Build => {
            let taken = phases::height(inside.height);
            Rect { y: inside.y.saturating_add(taken), height: inside.height.saturating_sub(taken), ..inside }
        }
    }
}

fn phases_area(panel: Rect) -> Rect {
    let inside = Layout::inside(panel);
    Rect { height: phases::height(inside.height).min(inside.height), ..inside }
}

fn at_right(words: String) -> Line<'static> {
    if words.is_empty() { Line::default() } else { Line::from(format!(" {words} ")) }
}

/// The position in the log, in at most `columns` columns; less important parts are omitted.
fn state(pane: &LogPane, model: &Model, columns: usize) -> String {
    let window = pane.window();
    if window.passing == 0 {
        return String::new();
    }
    let passing = grouped(window.passing);
    let mut parts = Vec::new();
    if window.following {
        parts.push("following".to_owned());
        parts.push(format!("{passing} {}", if window.passing == 1 { "line" } else { "lines" }));
    } else {
        parts.push(format!("{} of {passing}", grouped(window.position)));
        parts.extend(model.keymap.chord_of(&[Context::Log], Action::Bottom).map(|key| format!("{key}: follow")));
    }
    if window.lost > 0 {
        parts.push(format!("first {} lines dropped", grouped(window.lost)));
    }
    let dot = model.symbols.dot;
    loop {
        let words = parts.join(&format!(" {dot} "));
        if text::width(&words) + 2 <= columns || parts.len() == 1 {
            return text::cut(&words, columns.saturating_sub(2));
        }
        parts.pop();
    }
}

/// The search and filter, or the input line.
fn query_line(pane: &LogPane, columns: usize, look: Appearance) -> Line<'static> {
    let window = pane.window();
    let typed = pane.typing();
    let is_typed = |purpose| typed.is_some_and(|typing| typing.purpose == purpose);
    let found = window.search.map(|found| {
        let more = if found.searching { look.symbols.ellipsis } else { "" };
        match found.at {
            Some(at) => format!("{} of {}{more}", grouped(at), grouped(found.matches)),
            None if found.matches == 0 && !found.searching => "not found".to_owned(),
            None => {
                format!("{}{more} {}", grouped(found.matches), if found.matches == 1 { "match" } else { "matches" })
            }
        }
    });
    let passing = pane.filter().map(|_| {
        let more = if window.filtering { look.symbols.ellipsis } else { "" };
        format!("{}{more} of {}", grouped(window.passing), grouped(window.total - window.lost))
    });
    // Search and filter share the line.
    let parts = usize::from(pane.filter().is_some() || is_typed(TypingPurpose::Filter))
        + usize::from(pane.search().is_some() || is_typed(TypingPurpose::Search));
    let available = columns / parts.max(1);
    let mut spans = Vec::new();
    for (purpose, name, pattern, figures) in [
        (TypingPurpose::Filter, "only", pane.filter(), passing),
        (TypingPurpose::Search, "search", pane.search(), found),
    ] {
        let is_typed = is_typed(purpose);
        if pattern.is_none() && !is_typed {
            continue;
        }
        let figures = figures.filter(|_| pattern.is_some()).map_or_else(String::new, |figures| format!("  {figures}"));
        let left = available.saturating_sub(name.len() + 4 + text::width(&figures)).max(4);
        spans.push(Span::styled(format!(" {name}: "), look.style(Role::Key)));
        if let Some(typing) = typed.filter(|_| is_typed) {
            spans.extend(input(typing, left, look));
        } else {
            let pattern = clean(pattern.map_or("", SearchPattern::text));
            spans.push(Span::styled(text::cut(&pattern, left), look.style(Role::Strong)));
        }
        spans.push(Span::styled(format!("{figures} "), look.style(Role::Quiet)));
    }
    Line::from(spans)
}

/// The input line, scrolled to its cursor.
fn input(typing: &TypedLine, columns: usize, look: Appearance) -> Vec<Span<'static>> {
    let input = &typing.input;
    let value = clean(input.value());
    let scroll = input.visual_scroll(columns.saturating_sub(1).max(1));
    let at = value.char_indices().nth(input.cursor()).map_or(value.len(), |(at, _)| at);
    let (before, after) = value.split_at(at);
    let mut letters = after.chars();
    let under = letters.next().map_or_else(|| " ".to_owned(), String::from);
    let (mut shown, mut skipped) = (before, 0);
    while skipped < scroll {
        let Some(letter) = shown.chars().next() else { break };
        shown = &shown[letter.len_utf8()..];
        skipped += text::width(letter.encode_utf8(&mut [0; 4]));
    }
    let rest = columns.saturating_sub(text::width(shown) + text::width(&under));
    let style = look.style(Role::Strong);
    vec![
        Span::styled(shown.to_owned(), style),
        Span::styled(under, look.style(Role::CurrentMatch)),
        Span::styled(if rest > 0 { text::cut(letters.as_str(), rest) } else { String::new() }, style),
    ]
}

/// A number with thousands separators: `12,345`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
