//! The log stream of one process: lines are collected as they come and written in batches, in order, none lost.

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

/// CloudWatch Logs' limits for one call, a little below.
const BATCH_EVENTS: usize = 5_000;
const BATCH_BYTES: usize = 900_000;
/// The longest line; longer ones are cut into several events.
const MAX_LINE: usize = 256 * 1024;
/// What may wait to be written before the process that writes it is made to wait.
const MAX_WAITING: usize = 4 << 20;
/// The end of an invocation's log that Invoke gives back.
const TAIL: usize = 4096;

/// The log stream of one process.
pub(crate) struct LogStreamWriter {
    internal: Arc<dyn InternalCaller>,
    region: String,
    group: String,
    stream: String,
    /// As whom it is written. Without a role, which is one that cannot be assumed, the sandbox itself says why; AWS is
    /// silent then.
    role: OnceLock<TemporaryCredentials>,
    waiting: Mutex<Waiting>,
    /// One batch is written at a time, so that lines stay in order.
    turn: tokio::sync::Mutex<()>,
    pushed: Notify,
    written: Notify,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<(i64, String)>,
    bytes: usize,
    last: i64,
    tail: VecDeque<u8>,
    /// The function is gone: writing on would bring back a log group that its owner has deleted.
    abandoned: bool,
}

impl LogStreamWriter {
    /// A stream named as Lambda names them. It is made with its first line.
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

    /// Writes as the function's execution role from now on.
    pub(crate) fn write_as(&self, role: TemporaryCredentials) {
        let _ = self.role.set(role);
    }

    pub(crate) fn group(&self) -> &str {
        &self.group
    }

    pub(crate) fn name(&self) -> &str {
        &self.stream
    }

    /// Writes lines as they come, until the handle is aborted.
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
        // Never back in time within a stream, whatever the machine's clock does.
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

    /// Begins the tail anew: an invocation starts.
    pub(crate) fn reset_tail(&self) {
        lock(&self.waiting).tail.clear();
    }

    /// The last 4 KB since the tail began.
    pub(crate) fn tail(&self) -> Vec<u8> {
        lock(&self.waiting).tail.iter().copied().collect()
    }

    /// Writes nothing more.
    pub(crate) fn abandon(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.abandoned = true;
        waiting.events.clear();
        waiting.bytes = 0;
    }

    /// Waits until there is room for more.
    pub(crate) async fn room(&self) {
        loop {
            let written = self.written.notified();
            if lock(&self.waiting).bytes < MAX_WAITING {
                return;
            }
            written.await;
        }
    }

    /// Waits until everything that has been pushed is in CloudWatch Logs.
    pub(crate) async fn flush(&self) {
        let _turn = self.turn.lock().await;
        loop {
            let batch = self.take_batch();
            if batch.is_empty() {
                return;
            }
            if let Err(error) = self.put(&batch).await {
                crate::error::complain(format_args!("{} log events of {} are lost: {error}", batch.len(), self.group));
            }
            self.written.notify_waiters();
        }
    }

    fn take_batch(&self) -> Vec<(i64, String)> {
        let mut waiting = lock(&self.waiting);
        let (mut count, mut bytes) = (0, 0);
        for (_, line) in waiting.events.iter().take(BATCH_EVENTS) {
            // 26 bytes an event are counted on top of its text.
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
                    made => made?,
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
