//! [`Recorder`]: numbers events, adds their time, journals them and delivers them to listeners.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the recorder sets the events' time")]

use std::sync::Arc;

use chrono::Utc;
use tokio::sync::{Mutex, mpsc};

use crate::event::{Event, EventKind, RunId, VERSION};
use crate::journal::{JournalError, RunJournal};

/// The number of undelivered events of a listener at which the run waits.
const BACKLOG: usize = 1024;

/// Records the events of a run: in the journal first, then to its listeners.
#[derive(Clone, Debug)]
pub struct Recorder {
    inner: Arc<Mutex<Inner>>,
    run: RunId,
}

#[derive(Debug)]
struct Inner {
    journal: RunJournal,
    next: u64,
    listeners: Vec<mpsc::Sender<Event>>,
}

impl Recorder {
    /// Creates a recorder for a run's journal.
    pub fn new(journal: RunJournal) -> Self {
        let run = journal.id().clone();
        Self { inner: Arc::new(Mutex::new(Inner { journal, next: 0, listeners: Vec::new() })), run }
    }

    /// The recorded run.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// Adds a listener for all following events. A closed listener is removed; a slow one delays the run, so that no event
    /// is lost and the backlog stays bounded.
    pub async fn listen(&self) -> mpsc::Receiver<Event> {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        self.inner.lock().await.listeners.push(sender);
        receiver
    }

    /// Records an event. It survives a killed process, but not necessarily a power failure.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn record(&self, kind: EventKind) -> Result<(), JournalError> {
        self.record_with(kind, false).await
    }

    /// Records an event and flushes it to disk.
    ///
    /// # Errors
    /// When the journal cannot be written or flushed.
    pub async fn record_durably(&self, kind: EventKind) -> Result<(), JournalError> {
        self.record_with(kind, true).await
    }

    async fn record_with(&self, kind: EventKind, durably: bool) -> Result<(), JournalError> {
        let mut inner = self.inner.lock().await;
        let event = Event { v: VERSION, run: self.run.clone(), seq: inner.next, at: now(), kind };
        inner.journal.append(&event)?;
        tracing::trace!(run = %event.run, number = event.seq, kind = ?event.kind, "event");
        inner.next += 1;
        if durably {
            // Keep the lock: a later event must not reach the disk first.
            let file = inner.journal.file();
            tokio::task::spawn_blocking(move || file.sync_data())
                .await
                .unwrap_or_else(|error| Err(std::io::Error::other(error)))
                .map_err(|source| inner.journal.flush_error(source))?;
        }
        #[cfg(debug_assertions)]
        thumbctl_platform::failpoint::after_event(event.seq, is_milestone(&event.kind));
        let mut closed = Vec::new();
        for (index, listener) in inner.listeners.iter().enumerate() {
            if listener.send(event.clone()).await.is_err() {
                closed.push(index);
            }
        }
        for index in closed.into_iter().rev() {
            inner.listeners.swap_remove(index);
        }
        Ok(())
    }
}

#[cfg(debug_assertions)]
/// Whether every run has the same number of these events; the number of log, phase and wait events depends on polling.
fn is_milestone(kind: &EventKind) -> bool {
    !matches!(
        kind,
        EventKind::LogLine { .. }
            | EventKind::BuildPhase { .. }
            | EventKind::StepProgress { .. }
            | EventKind::StepRetried { .. }
    )
}

/// The time in whole milliseconds, the precision of the journal.
fn now() -> chrono::DateTime<Utc> {
    let now = Utc::now();
    chrono::DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
}
