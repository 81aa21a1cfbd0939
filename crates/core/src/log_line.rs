//! [`LogLine`]: a line of any service's log.

use chrono::{DateTime, Utc};

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The line, without its line break.
    pub text: String,
    /// When it was written, by the service's clock.
    pub timestamp: Option<DateTime<Utc>>,
}
