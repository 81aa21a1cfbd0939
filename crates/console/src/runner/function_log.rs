//! [`FunctionLog`]: follows the function log in the cloud while it is displayed.

use std::sync::Arc;
use std::time::Duration;

use thumbctl_core::event::LogSource;
use thumbctl_core::names::Names;
use thumbctl_deploy::session::{Session, SessionError};
use tokio::sync::{mpsc, watch};

use super::effect_handler::{RunnerEvent, failure_of};
use crate::log_store::DisplayLine;
use crate::message::Message;

/// The poll interval without new lines: initial and maximum.
const MIN_INTERVAL: Duration = Duration::from_millis(300);
const MAX_INTERVAL: Duration = Duration::from_secs(2);

/// Follows the function log.
#[derive(Debug)]
pub(super) struct FunctionLog {
    sender: mpsc::Sender<RunnerEvent>,
    reader: Option<Reader>,
}

#[derive(Debug)]
struct Reader {
    /// The names of the deployment.
    names: Names,
    enabled: watch::Sender<bool>,
}

impl FunctionLog {
    /// Creates a follower without a log.
    pub(super) fn new(sender: mpsc::Sender<RunnerEvent>) -> Self {
        Self { sender, reader: None }
    }

    /// Follows the function log of these names, or stops. Returns whether a log is read from its start.
    pub(super) fn follow(&mut self, session: &Arc<Session>, names: Option<Names>) -> bool {
        if let Some(reader) = &self.reader {
            let is_same = names.as_ref().is_none_or(|names| reader.names == *names);
            // A reader that ended after an error is replaced.
            if is_same && reader.enabled.send(names.is_some()).is_ok() {
                return false;
            }
        }
        let Some(names) = names else { return false };
        let (sender, receiver) = watch::channel(true);
        self.reader = Some(Reader { names, enabled: sender });
        tokio::spawn(read(Arc::clone(session), receiver, self.sender.clone()));
        true
    }
}

/// Reads the log while enabled.
async fn read(session: Arc<Session>, mut enabled: watch::Receiver<bool>, sender: mpsc::Sender<RunnerEvent>) {
    let mut log = match session.function_log().await {
        Ok(log) => log,
        Err(error) => {
            let failure = failure_of(&error, error.hint());
            let _ = sender.send(RunnerEvent::Message(Message::Notice(Err(failure)))).await;
            return;
        }
    };
    let mut interval = MIN_INTERVAL;
    loop {
        if enabled.wait_for(|enabled| *enabled).await.is_err() {
            return;
        }
        match log.next().await {
            Ok(lines) if lines.is_empty() => interval = (interval * 2).min(MAX_INTERVAL),
            Ok(lines) => {
                interval = MIN_INTERVAL;
                let line =
                    |line: thumbctl_core::log_line::LogLine| DisplayLine { text: line.text, timestamp: line.timestamp };
                let lines = lines.into_iter().map(line).collect();
                if sender.send(RunnerEvent::Message(Message::Lines(LogSource::Function, lines))).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                let error = SessionError::from(error);
                let failure = failure_of(&error, error.hint());
                let _ = sender.send(RunnerEvent::Message(Message::Notice(Err(failure)))).await;
                return;
            }
        }
        tokio::time::sleep(interval).await;
    }
}
