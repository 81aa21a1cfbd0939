//! A build's log, on its way to CloudWatch Logs while the build runs.

use std::sync::Arc;
use std::time::Duration;

use awsim_core::AwsError;
use chrono::Utc;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::sandbox::services::Services;

/// Lines are gathered for this long at most; the first after a pause goes at once.
const GATHER: Duration = Duration::from_millis(40);
/// What `PutLogEvents` takes at once, with room to spare.
const BATCH_LINES: usize = 1000;
const BATCH_BYTES: usize = 900_000;
/// Lines that may wait before a build's output has to.
const WAITING: usize = 4096;

/// Where a build's log goes.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) region: String,
    pub(super) group: String,
    pub(super) stream: String,
}

/// The build's end of the log.
pub(super) struct Log {
    lines: mpsc::Sender<(i64, String)>,
    writer: JoinHandle<()>,
}

impl Log {
    /// Makes the stream, and the group if it is missing.
    pub(super) async fn open(services: Arc<Services>, place: Place) -> Result<Self, AwsError> {
        let group = json!({ "logGroupName": place.group });
        let stream = json!({ "logGroupName": place.group, "logStreamName": place.stream });
        for (operation, input) in [("CreateLogGroup", group), ("CreateLogStream", stream)] {
            match services.call("logs", &place.region, operation, input).await {
                Err(error) if error.code != "ResourceAlreadyExistsException" => return Err(error),
                _ => {}
            }
        }
        let (lines, incoming) = mpsc::channel(WAITING);
        let writer = tokio::spawn(write(services, place, incoming));
        Ok(Self { lines, writer })
    }

    /// A line of a command's output.
    pub(super) async fn line(&self, text: &str) {
        // CodeBuild keeps the line's end. A closed channel means that the sandbox ends: nobody will read this.
        let line = (Utc::now().timestamp_millis(), format!("{text}\n"));
        let _ = self.lines.send(line).await;
    }

    /// A line of CodeBuild's own.
    pub(super) async fn container(&self, text: &str) {
        let time = Utc::now().format("%Y/%m/%d %H:%M:%S%.6f");
        self.line(&format!("[Container] {time} {text}")).await;
    }

    /// Writes what is still on its way.
    pub(super) async fn close(self) {
        drop(self.lines);
        let _ = self.writer.await;
    }
}

async fn write(services: Arc<Services>, place: Place, mut lines: mpsc::Receiver<(i64, String)>) {
    let mut next_flush = Instant::now();
    let mut batch = Vec::new();
    let mut open = true;
    while open {
        open = lines.recv_many(&mut batch, BATCH_LINES).await > 0;
        while open && batch.len() < BATCH_LINES {
            match timeout_at(next_flush, lines.recv_many(&mut batch, BATCH_LINES)).await {
                Ok(0) => open = false,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        put(&services, &place, std::mem::take(&mut batch)).await;
        next_flush = Instant::now() + GATHER;
    }
}

async fn put(services: &Services, place: &Place, lines: Vec<(i64, String)>) {
    let mut events: Vec<Value> = Vec::new();
    let mut bytes = 0;
    for (at, text) in lines {
        if bytes + text.len() > BATCH_BYTES {
            send(services, place, std::mem::take(&mut events)).await;
            bytes = 0;
        }
        bytes += text.len();
        events.push(json!({ "timestamp": at, "message": text }));
    }
    send(services, place, events).await;
}

async fn send(services: &Services, place: &Place, events: Vec<Value>) {
    if events.is_empty() {
        return;
    }
    let input = json!({
        "logGroupName": place.group,
        "logStreamName": place.stream,
        "logEvents": events,
    });
    // The group may have been deleted under the build, which goes on all the same, as on AWS.
    let _ = services.call("logs", &place.region, "PutLogEvents", input).await;
}
