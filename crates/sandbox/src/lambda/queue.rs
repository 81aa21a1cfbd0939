//! Accepted asynchronous events, on disk until they have been worked on: a killed sandbox goes on with them.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thumbctl_platform::private_fs;

use super::names::FunctionId;
use crate::storage::persistence;

/// An accepted event.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct QueuedEvent {
    pub function: FunctionId,
    pub request_id: String,
    /// When it was accepted, in nanoseconds, so that a restart keeps the order.
    pub accepted: i64,
    /// Not to be worked on before, in nanoseconds.
    #[serde(default)]
    pub due: i64,
    /// How often the function has failed on it.
    #[serde(default)]
    pub attempts: u32,
    pub payload: String,
}

/// A directory with a file for each event.
#[derive(Debug, Clone)]
pub(crate) struct EventQueue {
    dir: PathBuf,
}

impl EventQueue {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Keeps an event. Should that fail, it is worked on all the same, it only would not outlive the process.
    pub(crate) fn keep(&self, queued: &QueuedEvent) {
        let result = private_fs::create_dir_all(&self.dir)
            .and_then(|()| serde_json::to_vec(queued).map_err(std::io::Error::from))
            .and_then(|bytes| persistence::replace(&self.file(&queued.request_id), &bytes));
        if let Err(cause) = result {
            crate::error::complain(format_args!("an event for {} cannot be kept: {cause}", queued.function.name));
        }
    }

    /// The event is done with.
    pub(crate) fn done(&self, request_id: &str) {
        let _ = fs::remove_file(self.file(request_id));
    }

    /// What an earlier sandbox has accepted and not finished, in order.
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
                // Done with meanwhile.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
                bytes => bytes?,
            };
            let event: QueuedEvent = serde_json::from_slice(&bytes).map_err(|cause| damaged(&cause))?;
            // The id becomes a path, when the event is done with.
            if self.file(&event.request_id) != path {
                return Err(damaged(&"it is another event's"));
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
    fn events_outlive_the_process_in_order_until_they_are_done() {
        let dir = tempfile::tempdir().unwrap();
        let queue = EventQueue::new(dir.path().join("queue"));
        for (request_id, accepted) in [("b", 1), ("a", 2)] {
            queue.keep(&QueuedEvent {
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
        queue.done("b");
        assert_eq!(queue.unfinished().unwrap().len(), 1);
    }

    #[test]
    fn event_that_names_another_file_is_refused() {
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
