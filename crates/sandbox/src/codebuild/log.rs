//! A build's log, written to CloudWatch Logs while the build runs.

use std::sync::Arc;
use std::time::Duration;

use awsim_core::AwsError;
use chrono::Utc;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::authz::sessions::TemporaryCredentials;
use crate::service_registry::ServiceRegistry;

/// The longest time lines are batched; the first after a pause is sent at once.
const FLUSH_INTERVAL: Duration = Duration::from_millis(40);
/// A little below the limits of `PutLogEvents`.
const BATCH_LINES: usize = 1000;
const BATCH_BYTES: usize = 900_000;
/// The lines that may be queued before a build's output is blocked.
const MAX_QUEUED: usize = 4096;

/// The destination of a build's log.
#[derive(Debug, Clone)]
pub(super) struct LogDestination {
    pub(super) region: String,
    pub(super) group: String,
    pub(super) stream: String,
}

/// The build's side of the log.
pub(super) struct BuildLog {
    lines: mpsc::Sender<(i64, String)>,
    writer: JoinHandle<()>,
}

impl BuildLog {
    /// Creates the stream, and the group if it is missing, as the service role.
    pub(super) async fn open(
        services: Arc<ServiceRegistry>,
        role: TemporaryCredentials,
        destination: LogDestination,
    ) -> Result<Self, AwsError> {
        let writer = LogWriter { services, role, destination };
        match writer.call("CreateLogStream", json!({})).await {
            Err(error) if error.code == "ResourceNotFoundException" => {
                writer.call("CreateLogGroup", json!({})).await?;
                writer.call("CreateLogStream", json!({})).await?;
            }
            created => created?,
        }
        let (lines, incoming) = mpsc::channel(MAX_QUEUED);
        let writer = tokio::spawn(writer.write(incoming));
        Ok(Self { lines, writer })
    }

    /// Writes a line of a command's output.
    pub(super) async fn line(&self, text: &str) {
        // CodeBuild keeps the line's end. A closed channel means that the sandbox is shutting down.
        let line = (Utc::now().timestamp_millis(), format!("{text}\n"));
        let _ = self.lines.send(line).await;
    }

    /// Writes one of CodeBuild's own lines.
    pub(super) async fn container(&self, text: &str) {
        let time = Utc::now().format("%Y/%m/%d %H:%M:%S%.6f");
        self.line(&format!("[Container] {time} {text}")).await;
    }

    /// Writes the pending lines.
    pub(super) async fn close(self) {
        drop(self.lines);
        let _ = self.writer.await;
    }
}

/// Writes the log with the permissions of the build's service role.
struct LogWriter {
    services: Arc<ServiceRegistry>,
    role: TemporaryCredentials,
    destination: LogDestination,
}

impl LogWriter {
    async fn write(self, mut lines: mpsc::Receiver<(i64, String)>) {
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
            self.put(std::mem::take(&mut batch)).await;
            next_flush = Instant::now() + FLUSH_INTERVAL;
        }
    }

    async fn put(&self, lines: Vec<(i64, String)>) {
        let mut events: Vec<Value> = Vec::new();
        let mut bytes = 0;
        for (at, text) in lines {
            if bytes + text.len() > BATCH_BYTES {
                self.send(std::mem::take(&mut events)).await;
                bytes = 0;
            }
            bytes += text.len();
            events.push(json!({ "timestamp": at, "message": text }));
        }
        self.send(events).await;
    }

    async fn send(&self, events: Vec<Value>) {
        if events.is_empty() {
            return;
        }
        // As on AWS, the build continues if the group was deleted or the role may not write.
        let _ = self.call("PutLogEvents", json!({ "logEvents": events })).await;
    }

    /// Calls an operation on the stream or its group.
    async fn call(&self, operation: &str, mut input: Value) -> Result<(), AwsError> {
        input["logGroupName"] = json!(self.destination.group);
        if operation != "CreateLogGroup" {
            input["logStreamName"] = json!(self.destination.stream);
        }
        match self.services.call_as(&self.role.access_key, "logs", &self.destination.region, operation, input).await {
            Err(error) if error.code != "ResourceAlreadyExistsException" => Err(error),
            _ => Ok(()),
        }
    }
}
