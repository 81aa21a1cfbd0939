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

/// Does what panes want of their stores, in tests: as the runner does it.
#[cfg(test)]
pub(crate) fn answer(_model: &mut super::model::Model, _effects: Vec<super::message::Effect>) {}
