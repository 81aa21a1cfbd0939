//! When each step of a run ran.

use chrono::{DateTime, Utc};

use crate::event::{Event, RunStarted};

/// When each step of a run ran.
#[derive(Clone, Debug, PartialEq)]
pub struct Waterfall {
    began: DateTime<Utc>,
    last: f64,
}

impl Waterfall {
    /// A run before its first step.
    pub fn new(_started: &RunStarted, at: DateTime<Utc>) -> Self {
        Self { began: at, last: 0.0 }
    }

    /// Takes in one more event.
    pub fn apply(&mut self, event: &Event) {
        self.last = (event.at - self.began).as_seconds_f64();
    }

    /// How long it is, in seconds.
    pub fn length(&self, now: f64) -> f64 {
        self.last.max(now)
    }
}
