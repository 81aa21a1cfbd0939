//! The log stream of one process: lines are written in batches, in order, without loss.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

use awsim_core::AwsError;
use chrono::Utc;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::internal_caller::InternalCaller;
use crate::authz::sessions::TemporaryCredentials;
use crate::sync::lock;

/// A little below CloudWatch Logs' limits for one call.
const BATCH_EVENTS: usize = 5_000;
const BATCH_BYTES: usize = 900_000;
/// The longest line; longer ones are split into several events.
const MAX_LINE: usize = 256 * 1024;
/// The bytes that may be pending before the writing process is blocked.
const MAX_WAITING: usize = 4 << 20;
/// The bytes of an invocation's log that Invoke returns.
const TAIL: usize = 4096;

/// Writes the log stream of one process.
pub(crate) struct LogStreamWriter {
    internal: Arc<dyn InternalCaller>,
    region: String,
    group: String,
    stream: String,
    /// The role that writes. Without an assumable role the sandbox writes the reason itself, where AWS writes nothing.
    role: OnceLock<TemporaryCredentials>,
    waiting: Mutex<PendingEvents>,
    /// Serialises batches, so that lines stay in order.
    turn: tokio::sync::Mutex<()>,
    pushed: Notify,
    written: Notify,
}

#[derive(Default)]
struct PendingEvents {
    events: VecDeque<(i64, String)>,
    bytes: usize,
    last: i64,
    tail: VecDeque<u8>,
    /// Set when the function is deleted: further writes would recreate a deleted log group.
    abandoned: bool,
}

impl LogStreamWriter {
    /// Creates a stream with a name in Lambda's form. The first line creates it in CloudWatch Logs.
    pub(crate) fn new(internal: Arc<dyn InternalCaller>, region: &str, group: String) -> Arc<Self> {
        let stream = format!("{}/[$LATEST]{}", Utc::now().format("%Y/%m/%d"), uuid::Uuid::new_v4().simple());
        Arc::new(Self {
            internal,
            region: region.to_owned(),
            group,
            stream,
            role: OnceLock::new(),
            waiting: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            pushed: Notify::new(),
            written: Notify::new(),
        })
    }

    /// Sets the function's execution role as the writer.
    pub(crate) fn write_as(&self, role: TemporaryCredentials) {
        let _ = self.role.set(role);
    }

    pub(crate) fn group(&self) -> &str {
        &self.group
    }

    pub(crate) fn name(&self) -> &str {
        &self.stream
    }

    /// Writes lines in the background until the handle is aborted.
    pub(crate) fn write_in_background(self: &Arc<Self>) -> JoinHandle<()> {
        let stream = self.clone();
        tokio::spawn(async move {
            loop {
                stream.pushed.notified().await;
                stream.flush().await;
            }
        })
    }

    /// Adds a line.
    pub(crate) fn push(&self, text: &str) {
        let mut waiting = lock(&self.waiting);
        if waiting.abandoned {
            return;
        }
        // Timestamps never go back within a stream, even if the clock does.
        let at = Utc::now().timestamp_millis().max(waiting.last);
        waiting.last = at;
        waiting.tail.extend(text.bytes());
        let surplus = waiting.tail.len().saturating_sub(TAIL);
        waiting.tail.drain(..surplus);
        let mut rest = text;
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.floor_char_boundary(MAX_LINE));
            waiting.bytes += line.len();
            waiting.events.push_back((at, line.to_owned()));
            rest = after;
        }
        drop(waiting);
        self.pushed.notify_one();
    }

    /// Clears the tail at the start of an invocation.
    pub(crate) fn reset_tail(&self) {
        lock(&self.waiting).tail.clear();
    }

    /// The last 4 KB since the last reset.
    pub(crate) fn tail(&self) -> Vec<u8> {
        lock(&self.waiting).tail.iter().copied().collect()
    }

    /// Discards pending lines and stops writing.
    pub(crate) fn abandon(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.abandoned = true;
        waiting.events.clear();
        waiting.bytes = 0;
    }

    /// Waits until more lines can be queued.
    pub(crate) async fn wait_for_capacity(&self) {
        loop {
            let written = self.written.notified();
            if lock(&self.waiting).bytes < MAX_WAITING {
                return;
            }
            written.await;
        }
    }

    /// Waits until all pushed lines are in CloudWatch Logs.
    pub(crate) async fn flush(&self) {
        let _turn = self.turn.lock().await;
        loop {
            let batch = self.take_batch();
            if batch.is_empty() {
                return;
            }
            if let Err(error) = self.put(&batch).await {
                crate::error::log_error(format_args!("{} log events of {} are lost: {error}", batch.len(), self.group));
            }
            self.written.notify_waiters();
        }
    }

    fn take_batch(&self) -> Vec<(i64, String)> {
        let mut waiting = lock(&self.waiting);
        let (mut count, mut bytes) = (0, 0);
        for (_, line) in waiting.events.iter().take(BATCH_EVENTS) {
            // CloudWatch Logs counts 26 bytes per event on top of its text.
            if count > 0 && bytes + line.len() + 26 > BATCH_BYTES {
                break;
            }
            count += 1;
            bytes += line.len() + 26;
        }
        let batch: Vec<_> = waiting.events.drain(..count).collect();
        waiting.bytes -= batch.iter().map(|(_, line)| line.len()).sum::<usize>();
        batch
    }

    async fn put(&self, batch: &[(i64, String)]) -> Result<(), AwsError> {
        match self.put_once(batch).await {
            Err(error) if error.code == "ResourceNotFoundException" => {
                if lock(&self.waiting).abandoned {
                    return Ok(());
                }
                let group = json!({ "logGroupName": self.group });
                let stream = json!({ "logGroupName": self.group, "logStreamName": self.stream });
                match exists(self.call("CreateLogStream", stream.clone()).await) {
                    Err(error) if error.code == "ResourceNotFoundException" => {
                        exists(self.call("CreateLogGroup", group).await)?;
                        exists(self.call("CreateLogStream", stream).await)?;
                    }
                    created => created?,
                }
                self.put_once(batch).await
            }
            result => result,
        }
    }

    async fn put_once(&self, batch: &[(i64, String)]) -> Result<(), AwsError> {
        let events: Vec<_> = batch.iter().map(|(at, line)| json!({ "timestamp": at, "message": line })).collect();
        let input = json!({ "logGroupName": self.group, "logStreamName": self.stream, "logEvents": events });
        self.call("PutLogEvents", input).await.map(|_| ())
    }

    async fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        self.internal.log(self.role.get(), &self.region, operation, input).await
    }
}

fn exists(result: Result<Value, AwsError>) -> Result<(), AwsError> {
    match result {
        Err(error) if error.code != "ResourceAlreadyExistsException" => Err(error),
        _ => Ok(()),
    }
}
