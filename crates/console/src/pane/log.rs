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
pub mod state;
#[cfg(test)]
mod tests;

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use thumbctl_core::event::LogSource;
use thumbctl_core::resource::ResourceKind;
use thumbctl_platform::text;

use self::state::{LogState, TypedLine, TypingPurpose};
use super::Pane;
use crate::keymap::{Action, Context, DefaultKeys};
use crate::log_store::search_pattern::SearchPattern;
use crate::message::Effect;
use crate::model::Model;
use crate::model::run::StepState;
use crate::panel::Panel;
use crate::theme::Role;
use crate::view::layout::Layout;
use crate::view::{Appearance, clean, status_symbol};

/// The context of its keys.
const KEYS: Context = Context::Panel("in logs");

/// A log, with the build phases above the build log.
#[derive(Debug)]
pub struct LogPane {
    panel: Panel,
    source: LogSource,
}

/// The build phases and log.
pub static BUILD: LogPane = LogPane { panel: Panel::Build, source: LogSource::Build };

/// The function log.
pub static FUNCTION: LogPane = LogPane { panel: Panel::Function, source: LogSource::Function };

/// The CloudFormation stack events.
pub static STACKS: LogPane = LogPane { panel: Panel::Stacks, source: LogSource::Stack };

/// The Terraform output.
pub static TERRAFORM: LogPane = LogPane { panel: Panel::Terraform, source: LogSource::Terraform };

impl Pane for LogPane {
    fn panel(&self) -> Panel {
        self.panel
    }

    fn keys(&self) -> Vec<DefaultKeys> {
        vec![
            (KEYS, Action::Search, &["/"]),
            (KEYS, Action::SearchNext, &["n"]),
            (KEYS, Action::SearchPrevious, &["N"]),
            (KEYS, Action::Filter, &["f"]),
            (KEYS, Action::ToggleWrap, &["w"]),
            (KEYS, Action::Copy, &["y"]),
            (KEYS, Action::Save, &["s"]),
            (KEYS, Action::Up, &["k", "up"]),
            (KEYS, Action::Down, &["j", "down"]),
            (KEYS, Action::Left, &["h", "left"]),
            (KEYS, Action::Right, &["l", "right"]),
            (KEYS, Action::PageUp, &["pgup", "ctrl-u", "b"]),
            (KEYS, Action::PageDown, &["pgdn", "ctrl-d"]),
            (KEYS, Action::Top, &["g", "home"]),
            (KEYS, Action::Bottom, &["G", "end"]),
            (KEYS, Action::Back, &["esc"]),
        ]
    }

    fn context(&self, _model: &Model) -> Context {
        KEYS
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, model: &Model, appearance: Appearance) {
        let log = model.log(self.source);
        let has_keys = model.focus == self.panel && model.overlay.is_none();
        let columns = usize::from(area.width.saturating_sub(4));
        let title = format!(" {} ", self.panel.tab().title);
        let right = columns.saturating_sub(text::width(&title));
        let mut block = appearance
            .panel(title, has_keys)
            .title_top(at_right(state(log, model, right)).right_aligned().style(appearance.style(Role::Muted)));
        let query_line = query_line(log, columns, appearance);
        if !query_line.spans.is_empty() {
            block = block.title_bottom(query_line);
        }
        frame.render_widget(block, area);
        if self.source == LogSource::Build {
            phases::draw(frame, phases_area(area), model, appearance);
        }
        lines::draw(frame, log_area(area, self.source), model, log, has_keys, appearance);
    }

    fn can(&self, model: &Model, action: Action) -> bool {
        model.log(self.source).can(action)
    }

    fn act(&self, model: &mut Model, action: Action) -> Vec<Effect> {
        model.log_mut(self.source).act(action)
    }

    fn scroll(&self, model: &mut Model, _area: Rect, lines: i32) -> Vec<Effect> {
        model.log_mut(self.source).scroll(lines)
    }

    fn click(&self, model: &mut Model, area: Rect, at: Position) -> Vec<Effect> {
        let lines = log_area(area, self.source);
        if lines.contains(at) { model.log_mut(self.source).click(at.y - lines.y) } else { Vec::new() }
    }

    fn is_typing(&self, model: &Model) -> bool {
        model.log(self.source).is_typing()
    }

    fn type_key(&self, model: &mut Model, key: KeyEvent) -> Vec<Effect> {
        model.log_mut(self.source).type_key(key)
    }

    fn resize(&self, model: &mut Model, area: Rect) -> Vec<Effect> {
        let lines = log_area(area, self.source);
        model.log_mut(self.source).resize(lines.width, lines.height)
    }

    fn follow_up(&self, model: &mut Model) -> Vec<Effect> {
        if self.source == LogSource::Function { follow_function(model) } else { Vec::new() }
    }

    fn has_symbol(&self) -> bool {
        self.source == LogSource::Build
    }

    fn symbol(&self, model: &Model, appearance: Appearance) -> Option<(&'static str, Role)> {
        let step =
            model.run.as_ref().filter(|_| self.has_symbol()).and_then(|run| run.step_for(ResourceKind::Image))?;
        let is_shown = match step.state {
            StepState::Running { .. } => model.is_live(),
            StepState::Failed(..) => true,
            _ => false,
        };
        let sign = status_symbol::for_step(&step.state, model, appearance);
        is_shown.then_some((sign.symbol, sign.role))
    }
}

/// Follows the function log while it is displayed and the function exists.
fn follow_function(model: &mut Model) -> Vec<Effect> {
    let is_shown = model.shown_panel() == Panel::Function && model.connection_info().is_some();
    let has_function = model.deployment.is_ready(ResourceKind::Function);
    let names = model.deployment.origin().filter(|_| is_shown && has_function).map(|origin| &origin.names);
    if model.followed.as_ref() == names {
        return Vec::new();
    }
    let names = names.cloned();
    model.followed.clone_from(&names);
    vec![Effect::FollowFunctionLog(names)]
}

/// The area of the log lines in the panel.
fn log_area(panel: Rect, source: LogSource) -> Rect {
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
fn state(log: &LogState, model: &Model, columns: usize) -> String {
    let window = log.window();
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
        parts.extend(model.keymap.chord_of(&[KEYS], Action::Bottom).map(|key| format!("{key}: follow")));
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
fn query_line(log: &LogState, columns: usize, appearance: Appearance) -> Line<'static> {
    let window = log.window();
    let typed = log.typing();
    let is_typed = |purpose| typed.is_some_and(|typing| typing.purpose == purpose);
    let found = window.search.map(|found| {
        let more = if found.searching { appearance.symbols.ellipsis } else { "" };
        match found.at {
            Some(at) => format!("{} of {}{more}", grouped(at), grouped(found.matches)),
            None if found.matches == 0 && !found.searching => "not found".to_owned(),
            None => {
                format!("{}{more} {}", grouped(found.matches), if found.matches == 1 { "match" } else { "matches" })
            }
        }
    });
    let passing = log.filter().map(|_| {
        let more = if window.filtering { appearance.symbols.ellipsis } else { "" };
        format!("{}{more} of {}", grouped(window.passing), grouped(window.total - window.lost))
    });
    // Search and filter share the line.
    let parts = usize::from(log.filter().is_some() || is_typed(TypingPurpose::Filter))
        + usize::from(log.search().is_some() || is_typed(TypingPurpose::Search));
    let available = columns / parts.max(1);
    let mut spans = Vec::new();
    for (purpose, name, pattern, figures) in
        [(TypingPurpose::Filter, "only", log.filter(), passing), (TypingPurpose::Search, "search", log.search(), found)]
    {
        let is_typed = is_typed(purpose);
        if pattern.is_none() && !is_typed {
            continue;
        }
        let figures = figures.filter(|_| pattern.is_some()).map_or_else(String::new, |figures| format!("  {figures}"));
        let left = available.saturating_sub(name.len() + 4 + text::width(&figures)).max(4);
        spans.push(Span::styled(format!(" {name}: "), appearance.style(Role::Key)));
        if let Some(typing) = typed.filter(|_| is_typed) {
            spans.extend(input(typing, left, appearance));
        } else {
            let pattern = clean(pattern.map_or("", SearchPattern::text));
            spans.push(Span::styled(text::cut(&pattern, left), appearance.style(Role::Strong)));
        }
        spans.push(Span::styled(format!("{figures} "), appearance.style(Role::Muted)));
    }
    Line::from(spans)
}

/// The input line, scrolled to its cursor.
fn input(typing: &TypedLine, columns: usize, appearance: Appearance) -> Vec<Span<'static>> {
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
    let style = appearance.style(Role::Strong);
    vec![
        Span::styled(shown.to_owned(), style),
        Span::styled(under, appearance.style(Role::CurrentMatch)),
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
