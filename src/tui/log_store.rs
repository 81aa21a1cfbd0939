//! The lines of a log: a bounded part in memory, the rest in a file without a name. Outside the model.

use chrono::{DateTime, Utc};

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The line, without its line break.
    pub text: String,
    /// When the service says that it was written.
    pub timestamp: Option<DateTime<Utc>>,
}

/// What a pane wants of its store.
#[derive(Clone, Debug, PartialEq)]
pub enum LogCommand {
    /// Add these lines.
    Append(Vec<LogLine>),
    /// Forget everything.
    Clear,
}

/// What a store says to its pane.
#[derive(Clone, Debug, PartialEq)]
pub enum LogReport {
    /// So many lines are there.
    Grown(u64),
}

/// The lines of a log.
#[derive(Debug, Default)]
pub struct LogStore {}

impl LogStore {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does what a pane wants; answers what the pane must hear.
    pub fn run(&mut self, _command: LogCommand) -> Vec<LogReport> {
        Vec::new()
    }

    /// Goes on with a search that is not through, for a few milliseconds.
    pub fn work(&mut self) -> Vec<LogReport> {
        Vec::new()
    }

    /// Whether a search is not through.
    pub fn has_work(&self) -> bool {
        false
    }
}

/// Does what panes want of their stores, in tests: as the runner does it.
#[cfg(test)]
pub(crate) fn answer(_model: &mut super::model::Model, _effects: Vec<super::message::Effect>) {}
