//! [`LogState`]: a scrollable view of a log.
//!
//! The lines are in a [`crate::log_store::LogStore`], outside the model. The pane sends commands and keeps the last window.

#[cfg(test)]
mod tests;

use crossterm::event::{Event as TerminalEvent, KeyEvent};
use thumbctl_core::event::LogSource;
use thumbctl_platform::text;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use crate::keymap::Action;
use crate::log_store::fold;
use crate::log_store::search_pattern::SearchPattern;
use crate::log_store::{DisplayLine, LogCommand, LogMove, LogReport, LogRow, LogWindow, ViewportSize};
use crate::message::Effect;

/// The minimum width for the time column.
const TIMES_FROM: usize = 70;

/// The columns of one horizontal scroll step.
const SIDESTEP: usize = 8;

/// A scrollable view of a log.
#[derive(Clone, Debug)]
pub struct LogState {
    /// The log source.
    pub source: LogSource,
    size: (usize, usize),
    wrap: bool,
    /// The horizontal scroll position in columns.
    left: usize,
    /// The horizontal scroll position at the start of a search.
    left_before: usize,
    window: LogWindow,
    search: Option<SearchPattern>,
    filter: Option<SearchPattern>,
    typing: Option<TypedLine>,
    has_reported: bool,
}

/// An open input line.
#[derive(Clone, Debug)]
pub struct TypedLine {
    /// The purpose.
    pub purpose: TypingPurpose,
    /// The input.
    pub input: Input,
    /// The previous search or filter.
    before: Option<SearchPattern>,
}

/// The purpose of an input line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypingPurpose {
    /// A search.
    Search,
    /// A filter.
    Filter,
}

impl LogState {
    /// The sources of all logs.
    pub const SOURCES: [LogSource; 4] = [LogSource::Build, LogSource::Function, LogSource::Stack, LogSource::Terraform];

    /// Creates a pane for an empty log.
    pub fn new(source: LogSource) -> Self {
        Self {
            source,
            size: (0, 0),
            wrap: false,
            left: 0,
            left_before: 0,
            window: LogWindow { following: true, ..LogWindow::default() },
            search: None,
            filter: None,
            typing: None,
            has_reported: false,
        }
    }

    /// The visible window.
    pub fn window(&self) -> &LogWindow {
        &self.window
    }

    /// Whether long lines are wrapped.
    pub fn wraps(&self) -> bool {
        self.wrap
    }

    /// The horizontal scroll position in columns.
    pub fn left(&self) -> usize {
        if self.wrap { 0 } else { self.left }
    }

    /// The search pattern.
    pub fn search(&self) -> Option<&SearchPattern> {
        self.search.as_ref()
    }

    /// The filter pattern.
    pub fn filter(&self) -> Option<&SearchPattern> {
        self.filter.as_ref()
    }

    /// The open input line.
    pub fn typing(&self) -> Option<&TypedLine> {
        self.typing.as_ref()
    }

    /// Whether the input line is open.
    pub fn is_typing(&self) -> bool {
        self.typing.is_some()
    }

    /// Whether the store has sent a report.
    pub fn has_reported(&self) -> bool {
        self.has_reported
    }

    /// The width of the gutter in columns, for a total width: cursor, and time if wide enough.
    pub fn gutter(columns: usize) -> usize {
        if columns >= TIMES_FROM { 11 } else { 2 }
    }

    /// The command that sets the viewport size.
    pub fn show(&self) -> LogCommand {
        let (columns, rows) = self.size;
        let columns = columns.saturating_sub(Self::gutter(columns));
        LogCommand::Show(ViewportSize { rows, columns, wrap: self.wrap })
    }

    fn command(&self, command: LogCommand) -> Vec<Effect> {
        vec![Effect::Log(self.source, command)]
    }

    fn move_to(&self, to: LogMove) -> Vec<Effect> {
        self.command(LogCommand::Move(to))
    }

    /// Appends lines to the store.
    pub fn append(&mut self, lines: Vec<DisplayLine>) -> Vec<Effect> {
        if lines.is_empty() { Vec::new() } else { self.command(LogCommand::Append(lines)) }
    }

    /// Removes all lines, at the start of another run.
    pub fn clear(&mut self) -> Vec<Effect> {
        self.window = LogWindow { following: true, ..LogWindow::default() };
        self.left = 0;
        self.command(LogCommand::Clear)
    }

    /// Performs an action of a log, or `Accept`, `Back`, `Up`, `Down` in the input line.
    pub fn act(&mut self, action: Action) -> Vec<Effect> {
        if let Some(typing) = self.typing.take() {
            return self.act_typing(typing, action);
        }
        match action {
            Action::Up => self.move_to(LogMove::Up),
            Action::Down => self.move_to(LogMove::Down),
            Action::PageUp => self.move_to(LogMove::PageUp),
            Action::PageDown => self.move_to(LogMove::PageDown),
            Action::Top => self.move_to(LogMove::Top),
            Action::Bottom => self.move_to(LogMove::Bottom),
            Action::SearchNext => self.move_to(LogMove::NextMatch),
            Action::SearchPrevious => self.move_to(LogMove::PreviousMatch),
            Action::Left => {
                self.left = self.left.saturating_sub(SIDESTEP);
                Vec::new()
            }
            Action::Right => {
                self.left = (self.left + SIDESTEP).min(self.most_left());
                Vec::new()
            }
            Action::ToggleWrap => {
                self.wrap = !self.wrap;
                self.command(self.show())
            }
            Action::Search => {
                self.begin_typing(TypingPurpose::Search, self.search.clone());
                self.command(LogCommand::SavePosition)
            }
            Action::Filter => {
                self.begin_typing(TypingPurpose::Filter, self.filter.clone());
                Vec::new()
            }
            Action::Copy => self.current().map(|row| Effect::Copy(row.styled.text.clone())).into_iter().collect(),
            Action::Save => {
                let name = match self.source {
                    LogSource::Build => "thumbctl-build",
                    LogSource::Function => "thumbctl-function",
                    LogSource::Stack => "thumbctl-stacks",
                    LogSource::Terraform => "thumbctl-terraform",
                };
                self.command(LogCommand::Save(name.to_owned()))
            }
            // The search is cleared first, since it applies to the filtered lines.
            Action::Back if self.search.is_some() => self.set(TypingPurpose::Search, None),
            Action::Back if self.filter.is_some() => self.set(TypingPurpose::Filter, None),
            _ => Vec::new(),
        }
    }

    fn begin_typing(&mut self, purpose: TypingPurpose, before: Option<SearchPattern>) {
        // A filter is usually refined, a search usually replaced.
        let text = before.as_ref().filter(|_| purpose == TypingPurpose::Filter).map_or("", SearchPattern::text);
        self.typing = Some(TypedLine { purpose, input: Input::new(text.to_owned()), before });
        self.left_before = self.left;
    }

    fn act_typing(&mut self, typing: TypedLine, action: Action) -> Vec<Effect> {
        let purpose = typing.purpose;
        match (action, purpose) {
            (Action::Accept, TypingPurpose::Search) => {
                // Empty input repeats the previous search, as in pagers.
                let mut effects = Vec::new();
                if typing.input.value().is_empty() && typing.before.is_some() {
                    effects = self.set(purpose, typing.before);
                }
                effects.extend(self.command(LogCommand::DropPosition));
                effects
            }
            (Action::Accept, TypingPurpose::Filter) => Vec::new(),
            (Action::Back, _) => {
                let mut effects = Vec::new();
                if !typing.input.value().is_empty() || self.pattern(purpose) != typing.before.as_ref() {
                    effects = self.set(purpose, typing.before);
                }
                if purpose == TypingPurpose::Search {
                    self.left = self.left_before;
                    effects.extend(self.command(LogCommand::RestorePosition));
                }
                effects
            }
            (action, purpose) => {
                self.typing = Some(typing);
                match (action, purpose) {
                    (Action::Up, TypingPurpose::Search) => self.move_to(LogMove::PreviousMatch),
                    (Action::Down, TypingPurpose::Search) => self.move_to(LogMove::NextMatch),
                    (Action::Up, TypingPurpose::Filter) => self.move_to(LogMove::Up),
                    (Action::Down, TypingPurpose::Filter) => self.move_to(LogMove::Down),
                    _ => Vec::new(),
                }
            }
        }
    }

    fn pattern(&self, purpose: TypingPurpose) -> Option<&SearchPattern> {
        match purpose {
            TypingPurpose::Search => self.search.as_ref(),
            TypingPurpose::Filter => self.filter.as_ref(),
        }
    }

    fn set(&mut self, purpose: TypingPurpose, pattern: Option<SearchPattern>) -> Vec<Effect> {
        let text = pattern.as_ref().map_or_else(String::new, |pattern| pattern.text().to_owned());
        match purpose {
            TypingPurpose::Search => {
                self.search = pattern;
                self.command(LogCommand::Search(text))
            }
            TypingPurpose::Filter => {
                self.filter = pattern;
                self.command(LogCommand::Filter(text))
            }
        }
    }

    /// Handles a key in the input line.
    pub fn type_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(typing) = &mut self.typing else { return Vec::new() };
        if !typing.input.handle_event(&TerminalEvent::Key(key)).is_some_and(|change| change.value) {
            return Vec::new();
        }
        let (purpose, pattern) = (typing.purpose, SearchPattern::new(typing.input.value()));
        self.set(purpose, pattern)
    }

    /// Scrolls by lines, down if positive.
    pub fn scroll(&mut self, lines: i32) -> Vec<Effect> {
        self.move_to(LogMove::Scroll(lines))
    }

    /// Handles a click on a row.
    pub fn click(&mut self, row: u16) -> Vec<Effect> {
        let columns = self.text_columns();
        let mut end_row = 0;
        for (index, line) in self.window.lines.iter().enumerate() {
            let rows = if self.wrap { fold::rows(&line.styled.text, columns) } else { 1 };
            end_row += if index == 0 { rows.saturating_sub(self.window.skip) } else { rows };
            if usize::from(row) < end_row {
                return self.move_to(LogMove::Line(line.number));
            }
        }
        Vec::new()
    }

    /// Sets the size in columns and rows.
    pub fn resize(&mut self, width: u16, height: u16) -> Vec<Effect> {
        let size = (usize::from(width), usize::from(height));
        if size == self.size {
            return Vec::new();
        }
        self.size = size;
        self.command(self.show())
    }

    /// Applies a report of the store.
    pub fn apply_report(&mut self, report: LogReport) -> Vec<Effect> {
        match report {
            LogReport::Updated(window) => {
                let before = self.found_line();
                self.has_reported = true;
                self.window = *window;
                if self.found_line() != before {
                    self.bring_match_in();
                }
                // Prevents an empty view to the right of all lines.
                self.left = self.left.min(self.most_left());
                if self.typing.as_ref().is_some_and(|typing| typing.purpose == TypingPurpose::Search)
                    && self.found_line().is_none()
                {
                    self.left = self.left_before.min(self.most_left());
                }
                Vec::new()
            }
            LogReport::Saved { lines, path } => {
                vec![Effect::Notify(Ok(format!("Saved {} to {}", text::count(lines, "line"), path.display())))]
            }
            LogReport::Failed(failure) => vec![Effect::Notify(Err(failure))],
        }
    }

    /// The current line if it matches the search, with the number of matches.
    fn found_line(&self) -> Option<(usize, usize)> {
        let found = self.window.search?;
        found.at?;
        Some((self.current()?.number, found.matches))
    }

    /// The current line.
    pub fn current(&self) -> Option<&LogRow> {
        self.window.lines.get(self.window.current)
    }

    fn text_columns(&self) -> usize {
        self.size.0.saturating_sub(Self::gutter(self.size.0))
    }

    /// The maximum horizontal scroll position.
    fn most_left(&self) -> usize {
        let widest = self.window.lines.iter().map(|row| text::width(&row.styled.text)).max().unwrap_or(0);
        widest.saturating_sub(self.text_columns())
    }

    /// Scrolls horizontally to the match in the current line.
    fn bring_match_in(&mut self) {
        let (Some(row), Some(pattern)) = (self.current(), &self.search) else { return };
        let line = &row.styled.text;
        let Some(range) = pattern.ranges(line).into_iter().next() else { return };
        let (start_column, end_column) = (text::width(&line[..range.start]), text::width(&line[..range.end]));
        let columns = self.text_columns();
        // The outermost columns may hold ellipses.
        if start_column <= self.left && self.left > 0 || end_column >= self.left + columns {
            self.left = if end_column < columns { 0 } else { start_column.saturating_sub(columns / 3) };
        }
    }

    /// Whether an action is available.
    pub fn can(&self, action: Action) -> bool {
        let has_lines = !self.window.lines.is_empty();
        match action {
            Action::Left => !self.wrap && self.left > 0,
            Action::Right => !self.wrap && self.left < self.most_left(),
            Action::SearchNext | Action::SearchPrevious => self.search.is_some(),
            Action::Back => self.search.is_some() || self.filter.is_some(),
            Action::Filter => self.window.total > 0 || self.filter.is_some(),
            Action::Search | Action::Save => self.window.total > 0,
            Action::ToggleWrap => true,
            Action::Copy => has_lines,
            action => action.is_scroll() && has_lines,
        }
    }
}
