//! [`LogLine`]: a line of a log, whichever service wrote it.

use chrono::{DateTime, Utc};

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The line, without its line break.
    pub text: String,
    /// When the service says that it was written.
    pub timestamp: Option<DateTime<Utc>>,
}
