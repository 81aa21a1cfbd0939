//! [`Recorder`]: the one place where events get their number and time, are journalled, and are passed on.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "events are given their time here")]

use std::sync::Arc;

use chrono::Utc;
use tokio::sync::{Mutex, mpsc};

use crate::event::{Event, EventKind, RunId, VERSION};
use crate::journal::{JournalError, RunJournal};

/// How many events may wait for a reader before the run waits for it.
const BACKLOG: usize = 1024;

/// Tells what happens: to the journal first, then to those who listen.
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
    /// A recorder that writes one run's journal.
    pub fn new(journal: RunJournal) -> Self {
        let run = journal.id().clone();
        Self { inner: Arc::new(Mutex::new(Inner { journal, next: 0, listeners: Vec::new() })), run }
    }

    /// The run that is recorded.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// Everything recorded from now on, as it comes. A listener that goes away is forgotten; one that is slow makes the run
    /// wait, so that nothing is lost and nothing piles up.
    pub async fn listen(&self) -> mpsc::Receiver<Event> {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        self.inner.lock().await.listeners.push(sender);
        receiver
    }

    /// Records an event. A process that is killed loses nothing of it; a machine that loses power might.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn record(&self, kind: EventKind) -> Result<(), JournalError> {
        self.record_with(kind, false).await
    }

    /// Records an event and flushes it to the disk before it returns.
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
            // The lock is kept: what is told later must not be on disk earlier.
            let file = inner.journal.file();
            tokio::task::spawn_blocking(move || file.sync_data())
                .await
                .unwrap_or_else(|error| Err(std::io::Error::other(error)))
                .map_err(|source| inner.journal.flush_error(source))?;
        }
        #[cfg(debug_assertions)]
        thumbctl_platform::failpoint::after_event(event.seq, is_milestone(&event.kind));
        let mut gone = Vec::new();
        for (index, listener) in inner.listeners.iter().enumerate() {
            if listener.send(event.clone()).await.is_err() {
                gone.push(index);
            }
        }
        for index in gone.into_iter().rev() {
            inner.listeners.swap_remove(index);
        }
        Ok(())
    }
}

#[cfg(debug_assertions)]
/// Whether there are as many events of this kind in every run: how many there are of logs, phases and waits depends on
/// when they are looked at.
fn is_milestone(kind: &EventKind) -> bool {
    !matches!(
        kind,
        EventKind::LogLine { .. }
            | EventKind::BuildPhase { .. }
            | EventKind::StepProgress { .. }
            | EventKind::StepRetried { .. }
    )
}

/// The time, cut to milliseconds: what the journal's readers can see is what was written.
fn now() -> chrono::DateTime<Utc> {
    let now = Utc::now();
    chrono::DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
}
