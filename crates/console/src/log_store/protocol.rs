//! The messages between a log pane and its store.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use thumbctl_core::event::Failure;

use crate::log_store::ansi::StyledText;

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayLine {
    /// The line, without its line break.
    pub text: String,
    /// The timestamp of the service.
    pub timestamp: Option<DateTime<Utc>>,
}

/// A command of a pane to its store.
#[derive(Clone, Debug, PartialEq)]
pub enum LogCommand {
    /// Appends lines.
    Append(Vec<DisplayLine>),
    /// Removes all lines.
    Clear,
    /// Sets the size of the viewport.
    Show(ViewportSize),
    /// Scrolls.
    Move(LogMove),
    /// Saves the scroll position.
    SavePosition,
    /// Restores the saved scroll position.
    RestorePosition,
    /// Drops the saved scroll position.
    DropPosition,
    /// Searches for a text and scrolls to the first match after the saved, else the current position; empty: no search.
    Search(String),
    /// Shows only lines that contain a text; empty: all.
    Filter(String),
    /// Saves all lines, without colours, to a file in the working directory; the name has no extension.
    Save(String),
}

/// The size of a log viewport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ViewportSize {
    /// The number of rows.
    pub rows: usize,
    /// The number of text columns.
    pub columns: usize,
    /// Whether longer lines are wrapped.
    pub wrap: bool,
}

/// A scroll command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogMove {
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// To the first line.
    Top,
    /// To the last line, following new ones.
    Bottom,
    /// By rows, down if positive; the current line stays while visible.
    Scroll(i32),
    /// To a visible line, by number.
    Line(usize),
    /// To the next match; after the last, to the first.
    NextMatch,
    /// To the previous match; before the first, to the last.
    PreviousMatch,
}

/// A report of a store to its pane.
#[derive(Clone, Debug, PartialEq)]
pub enum LogReport {
    /// The visible window.
    Updated(Box<LogWindow>),
    /// The log was saved.
    Saved {
        /// The number of lines.
        lines: usize,
        /// The path.
        path: PathBuf,
    },
    /// An operation failed.
    Failed(Failure),
}

/// The visible part of a log.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LogWindow {
    /// The number of lines ever appended.
    pub total: usize,
    /// The number of oldest lines that were dropped.
    pub lost: usize,
    /// The number of lines that match the filter.
    pub passing: usize,
    /// Whether the window follows new lines.
    pub following: bool,
    /// The number of rows of the first line above the window.
    pub skip: usize,
    /// The visible lines.
    pub lines: Vec<LogRow>,
    /// The index of the current line in `lines`.
    pub current: usize,
    /// The position of the current line among filtered lines, from one; zero for none.
    pub position: usize,
    /// The status of the search, if there is one.
    pub search: Option<SearchStatus>,
    /// Whether the filter is still running.
    pub filtering: bool,
}

/// A visible line.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRow {
    /// The line number, from zero.
    pub number: usize,
    /// The text and colours.
    pub styled: StyledText,
    /// The timestamp of the service.
    pub timestamp: Option<DateTime<Utc>>,
    /// Whether it continues the previous line, which was too long.
    pub is_continued: bool,
}

/// The status of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchStatus {
    /// The number of matching lines so far.
    pub matches: usize,
    /// The position of the current line among matches, from one.
    pub at: Option<usize>,
    /// Whether the search is still running.
    pub searching: bool,
}
