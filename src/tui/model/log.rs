//! [`LogPane`]: a window onto a log that may be far longer than what is in memory.
//!
//! The lines themselves are in a [`super::super::log_store::LogStore`], outside the model. The pane knows which part of it
//! is to be seen, asks for that part, and draws what it was given.

use crossterm::event::KeyEvent;

use crate::event::LogSource;
use crate::tui::keymap::Action;
use crate::tui::log_store::{LogLine, LogReport};
use crate::tui::message::Effect;

/// A window onto a log.
#[derive(Clone, Debug)]
pub struct LogPane {
    /// Whose log.
    pub source: LogSource,
}

impl LogPane {
    /// An empty log.
    pub fn new(source: LogSource) -> Self {
        Self { source }
    }

    /// Whether a search or filter is being typed.
    pub fn is_typing(&self) -> bool {
        false
    }

    /// Takes in new lines, in their order. They go to the store; what is seen of them comes back as a report.
    pub fn append(&mut self, _lines: Vec<LogLine>) -> Vec<Effect> {
        Vec::new()
    }

    /// Forgets every line: another run's log begins.
    pub fn clear(&mut self) -> Vec<Effect> {
        Vec::new()
    }

    /// Does one of the actions of [`crate::tui::keymap::Context::Log`], or `Accept` / `Back` / `Up` / `Down` while typing.
    pub fn act(&mut self, _action: Action) -> Vec<Effect> {
        Vec::new()
    }

    /// Takes a key while a line is typed.
    pub fn type_key(&mut self, _key: KeyEvent) -> Vec<Effect> {
        Vec::new()
    }

    /// Scrolls by so many lines, down if positive: the mouse's wheel.
    pub fn scroll(&mut self, _lines: i32) -> Vec<Effect> {
        Vec::new()
    }

    /// Says how many columns and rows its lines can be drawn in.
    pub fn resize(&mut self, _width: u16, _height: u16) -> Vec<Effect> {
        Vec::new()
    }

    /// Takes in what the store says.
    pub fn take_in(&mut self, _report: LogReport) -> Vec<Effect> {
        Vec::new()
    }

    /// Whether an action would do something now.
    pub fn can(&self, _action: Action) -> bool {
        true
    }
}
