//! Accepted asynchronous events, on disk until they have been worked on: a killed sandbox goes on with them.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::names::FunctionId;
use crate::sandbox::persistence;

/// An accepted event.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Queued {
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
pub(crate) struct Queue {
    dir: PathBuf,
}

impl Queue {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Keeps an event. Should that fail, it is worked on all the same, it only would not outlive the process.
    pub(crate) fn keep(&self, queued: &Queued) {
        let result = fs::create_dir_all(&self.dir)
            .and_then(|()| serde_json::to_vec(queued).map_err(std::io::Error::from))
            .and_then(|bytes| persistence::replace(&self.file(&queued.request_id), &bytes));
        if let Err(cause) = result {
            crate::sandbox::error::complain(format_args!(
                "an event for {} cannot be kept: {cause}",
                queued.function.name
            ));
        }
    }

    /// The event is done with.
    pub(crate) fn done(&self, request_id: &str) {
        let _ = fs::remove_file(self.file(request_id));
    }

    /// What an earlier sandbox has accepted and not finished, in order.
    pub(crate) fn unfinished(&self) -> Vec<Queued> {
        let mut events: Vec<Queued> = fs::read_dir(&self.dir)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|file| file.path().extension().is_some_and(|extension| extension == "json"))
            .filter_map(|file| serde_json::from_slice(&fs::read(file.path()).ok()?).ok())
            .collect();
        events.sort_by_key(|event| event.accepted);
        events
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
        let queue = Queue::new(dir.path().join("queue"));
        for (request_id, accepted) in [("b", 1), ("a", 2)] {
            queue.keep(&Queued {
                function: FunctionId { region: "eu-central-1".to_owned(), name: "thumb".to_owned() },
                request_id: request_id.to_owned(),
                accepted,
                due: accepted,
                attempts: 0,
                payload: "{}".to_owned(),
            });
        }
        let order: Vec<_> = queue.unfinished().into_iter().map(|event| event.request_id).collect();
        assert_eq!(order, ["b", "a"]);
        queue.done("b");
        assert_eq!(queue.unfinished().len(), 1);
    }
}
