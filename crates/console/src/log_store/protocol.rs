//! What a pane and its store say to each other.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use thumbctl_core::event::Failure;

use crate::model::log::ansi::StyledText;

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayLine {
    /// The line, without its line break.
    pub text: String,
    /// When the service says that it was written.
    pub timestamp: Option<DateTime<Utc>>,
}

/// What a pane wants of its store.
#[derive(Clone, Debug, PartialEq)]
pub enum LogCommand {
    /// Add these lines.
    Append(Vec<DisplayLine>),
    /// Forget every line.
    Clear,
    /// Show the log in this frame.
    Show(ViewportSize),
    /// Look elsewhere.
    Move(LogMove),
    /// Remember where we are.
    SavePosition,
    /// Go back to where that was.
    RestorePosition,
    /// Stay where we are now.
    DropPosition,
    /// Search for a text, and go to its first match from where we are or, if there is such a place, from where we were to
    /// remember; empty: for nothing.
    Search(String),
    /// Show only lines that contain a text; empty: all.
    Filter(String),
    /// Save every line, without colours, to a file in the working directory; this is its name without its ending.
    Save(String),
}

/// In what a log is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ViewportSize {
    /// How many rows there are.
    pub rows: usize,
    /// How many columns there are for a line's text.
    pub columns: usize,
    /// Whether lines that are longer are broken.
    pub wrap: bool,
}

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogMove {
    /// A line up.
    Up,
    /// A line down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first line.
    Top,
    /// To the last line, and to every new one as it comes.
    Bottom,
    /// So many rows, down if positive; the current line stays where it is as long as it can be seen.
    Scroll(i32),
    /// To the line of this number, which is in the frame.
    Line(usize),
    /// To the next match; behind the last one, to the first.
    NextMatch,
    /// To the match before; before the first one, to the last.
    PreviousMatch,
}

/// What a store says to its pane.
#[derive(Clone, Debug, PartialEq)]
pub enum LogReport {
    /// What is to be seen.
    Updated(Box<LogWindow>),
    /// The log was saved.
    Saved {
        /// How many lines.
        lines: usize,
        /// Where.
        path: PathBuf,
    },
    /// Something could not be done.
    Failed(Failure),
}

/// What is to be seen of a log.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LogWindow {
    /// How many lines the log has had.
    pub total: usize,
    /// How many of them, the oldest, could not be kept.
    pub lost: usize,
    /// How many lines pass the filter.
    pub passing: usize,
    /// Whether every new line is gone to as it comes.
    pub following: bool,
    /// How many rows of the first line are above the frame.
    pub skip: usize,
    /// The lines, as many as the frame has room for.
    pub lines: Vec<LogRow>,
    /// Which of these lines is the current one.
    pub current: usize,
    /// Which of those that pass the filter the current one is, counted from one; zero where there is none.
    pub position: usize,
    /// What the search has found, if there is one.
    pub search: Option<SearchStatus>,
    /// Whether the filter still has to look at lines.
    pub filtering: bool,
}

/// A line to be seen.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRow {
    /// Its number, counted from zero.
    pub number: usize,
    /// Its text and colours.
    pub styled: StyledText,
    /// When the service says that it was written.
    pub timestamp: Option<DateTime<Utc>>,
    /// Whether it goes on with the line before, which was too long.
    pub is_continued: bool,
}

/// What a search has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchStatus {
    /// How many lines match so far.
    pub matches: usize,
    /// Which of them the current line is, counted from one.
    pub at: Option<usize>,
    /// Whether it still has to look at lines.
    pub searching: bool,
}
