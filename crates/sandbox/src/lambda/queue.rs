//! The queue of asynchronous events, on disk until they are processed, so that they survive a kill.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thumbctl_platform::private_fs;

use super::names::FunctionId;
use crate::storage::persistence;

/// A queued event.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct QueuedEvent {
    pub function: FunctionId,
    pub request_id: String,
    /// The time of acceptance in nanoseconds, which keeps the order over restarts.
    pub accepted: i64,
    /// The earliest time to run it, in nanoseconds.
    #[serde(default)]
    pub due: i64,
    /// The number of failed attempts.
    #[serde(default)]
    pub attempts: u32,
    pub payload: String,
}

/// A directory with one file per event.
#[derive(Debug, Clone)]
pub(crate) struct EventQueue {
    dir: PathBuf,
}

impl EventQueue {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Stores an event. If that fails, the event is still run, but does not survive a restart.
    pub(crate) fn store(&self, queued: &QueuedEvent) {
        let result = private_fs::create_dir_all(&self.dir)
            .and_then(|()| serde_json::to_vec(queued).map_err(std::io::Error::from))
            .and_then(|bytes| persistence::replace(&self.file(&queued.request_id), &bytes));
        if let Err(cause) = result {
            crate::error::log_error(format_args!("cannot store an event for {}: {cause}", queued.function.name));
        }
    }

    /// Removes a processed event.
    pub(crate) fn remove(&self, request_id: &str) {
        let _ = fs::remove_file(self.file(request_id));
    }

    /// The events that an earlier sandbox left, in order.
    pub(crate) fn unfinished(&self) -> io::Result<Vec<QueuedEvent>> {
        let files = match fs::read_dir(&self.dir) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            files => files?,
        };
        let mut events: Vec<QueuedEvent> = Vec::new();
        for file in files {
            let path = file?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let damaged = |what: &dyn std::fmt::Display| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                io::Error::new(io::ErrorKind::InvalidData, format!("lambda/queue/{name} cannot be read: {what}"))
            };
            let bytes = match fs::read(&path) {
                // Removed meanwhile.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
                bytes => bytes?,
            };
            let event: QueuedEvent = serde_json::from_slice(&bytes).map_err(|cause| damaged(&cause))?;
            // The id becomes a path when the event is removed.
            if self.file(&event.request_id) != path {
                return Err(damaged(&"its request id is another event's"));
            }
            events.push(event);
        }
        events.sort_by_key(|event| event.accepted);
        Ok(events)
    }

    fn file(&self, request_id: &str) -> PathBuf {
        self.dir.join(format!("{request_id}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_persist_in_order_until_removed() {
        let dir = tempfile::tempdir().unwrap();
        let queue = EventQueue::new(dir.path().join("queue"));
        for (request_id, accepted) in [("b", 1), ("a", 2)] {
            queue.store(&QueuedEvent {
                function: FunctionId { region: "eu-central-1".to_owned(), name: "thumb".to_owned() },
                request_id: request_id.to_owned(),
                accepted,
                due: accepted,
                attempts: 0,
                payload: "{}".to_owned(),
            });
        }
        let order: Vec<_> = queue.unfinished().unwrap().into_iter().map(|event| event.request_id).collect();
        assert_eq!(order, ["b", "a"]);
        queue.remove("b");
        assert_eq!(queue.unfinished().unwrap().len(), 1);
    }

    #[test]
    fn event_with_other_file_name_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let queue = EventQueue::new(dir.path().join("queue"));
        fs::create_dir(dir.path().join("queue")).unwrap();
        let event = serde_json::json!({
            "function": { "region": "us-east-1", "name": "f" }, "request_id": "../precious", "accepted": 1, "payload": "{}"
        });
        fs::write(dir.path().join("queue/a.json"), event.to_string()).unwrap();
        let error = queue.unfinished().unwrap_err();
        assert!(error.to_string().contains("lambda/queue/a.json"), "{error}");
    }
}
