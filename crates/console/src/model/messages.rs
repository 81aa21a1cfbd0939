//! [`Messages`]: the messages to the user.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use thumbctl_core::event::Failure;

/// The maximum number of retained messages.
const KEPT: usize = 500;

/// The display time of a message that is not an error, in seconds.
const SHOWN_SECONDS: i64 = 8;

/// The messages to the user.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Messages {
    entries: VecDeque<UserMessage>,
    /// Whether the last one was dismissed.
    dismissed: bool,
}

/// A message to the user.
#[derive(Clone, Debug, PartialEq)]
pub struct UserMessage {
    /// The time.
    pub at: DateTime<Utc>,
    /// The severity.
    pub severity: Severity,
    /// The text.
    pub text: String,
    /// Further lines: causes, log lines, hint.
    pub more: Vec<String>,
}

/// The severity of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Information.
    Info,
    /// Success.
    Success,
    /// Failure.
    Error,
}

impl Messages {
    /// Adds a message.
    pub fn add(&mut self, at: DateTime<Utc>, severity: Severity, text: impl Into<String>) {
        self.push(UserMessage { at, severity, text: text.into(), more: Vec::new() });
    }

    /// Adds a failure with its causes, log and hint.
    pub fn add_failure(&mut self, at: DateTime<Utc>, failure: &Failure) {
        let causes = failure.causes.iter().map(|cause| format!("because: {cause}"));
        let hint = failure.hint.iter().map(|hint| format!("hint: {hint}"));
        let more = causes.chain(failure.log.iter().cloned()).chain(hint).collect();
        self.push(UserMessage { at, severity: Severity::Error, text: failure.message.clone(), more });
    }

    fn push(&mut self, message: UserMessage) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(message);
        self.dismissed = false;
    }

    /// Hides the last message from the message line.
    pub fn dismiss(&mut self) {
        self.dismissed = true;
    }

    /// The message on the message line: the last one, until it expires. Errors stay until dismissed.
    pub fn current(&self, now: DateTime<Utc>) -> Option<&UserMessage> {
        let last = self.entries.back().filter(|_| !self.dismissed)?;
        let is_old = (now - last.at).num_seconds() >= SHOWN_SECONDS;
        (last.severity == Severity::Error || !is_old).then_some(last)
    }

    /// The time when the current message expires.
    pub fn expires(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let message = self.current(now).filter(|message| message.severity != Severity::Error)?;
        Some(message.at + chrono::TimeDelta::seconds(SHOWN_SECONDS))
    }

    /// All messages, oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &UserMessage> + ExactSizeIterator {
        self.entries.iter()
    }
}
