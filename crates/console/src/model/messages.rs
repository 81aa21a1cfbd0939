//! [`Messages`]: what was said to the user, the last of it on the message line, all of it to be read again.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use thumbctl_core::event::Failure;

/// How many messages are kept.
const KEPT: usize = 500;

/// How long a message that is no error stays on the message line, in seconds.
const SHOWN_SECONDS: i64 = 8;

/// What was said to the user.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Messages {
    entries: VecDeque<UserMessage>,
    /// Whether the last one was read and put away.
    dismissed: bool,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct UserMessage {
    /// When.
    pub at: DateTime<Utc>,
    /// What it is about.
    pub severity: Severity,
    /// What was said, in a sentence.
    pub text: String,
    /// What else there is to it: causes, the last lines of a log, what to do.
    pub more: Vec<String>,
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something to know.
    Info,
    /// Something was done.
    Success,
    /// Something failed.
    Error,
}

impl Messages {
    /// Says something.
    pub fn add(&mut self, at: DateTime<Utc>, severity: Severity, text: impl Into<String>) {
        self.push(UserMessage { at, severity, text: text.into(), more: Vec::new() });
    }

    /// Tells a failure with all that there is to it.
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

    /// Puts the last message away; it can be read among the earlier ones.
    pub fn dismiss(&mut self) {
        self.dismissed = true;
    }

    /// What is on the message line: the last message, until it is old. Errors stay until they are put away.
    pub fn current(&self, now: DateTime<Utc>) -> Option<&UserMessage> {
        let last = self.entries.back().filter(|_| !self.dismissed)?;
        let is_old = (now - last.at).num_seconds() >= SHOWN_SECONDS;
        (last.severity == Severity::Error || !is_old).then_some(last)
    }

    /// When the message line becomes empty by itself.
    pub fn expires(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let message = self.current(now).filter(|message| message.severity != Severity::Error)?;
        Some(message.at + chrono::TimeDelta::seconds(SHOWN_SECONDS))
    }

    /// Everything that was said, oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &UserMessage> + ExactSizeIterator {
        self.entries.iter()
    }
}
