//! [`LogFollower`]: reads a log from its start, and follows it.

use chrono::DateTime;
use thumbctl_core::log_line::LogLine;
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;

use crate::aws::logs::{GroupTail, LogTail};
use crate::aws::{AwsError, codebuild};
use crate::cloud::Clients;

/// Reads a log incrementally.
#[derive(Debug)]
pub struct LogFollower {
    source: FollowedLog,
    finished: bool,
}

#[derive(Debug)]
#[allow(clippy::disallowed_types, reason = "the client is passed to aws/")]
enum FollowedLog {
    /// No build exists.
    Nothing,
    /// A build's stream, and the build, whose end is the log's.
    Build { client: codebuild::Client, id: String, tail: LogTail },
    /// All streams of the function.
    Function(GroupTail),
}

impl LogFollower {
    /// Follows the log of the newest build.
    pub(crate) async fn of_build(clients: &Clients, names: &Names) -> Result<Self, AwsError> {
        let project = names.of(ResourceKind::BuildProject);
        let newest = codebuild::builds_of(&clients.codebuild, &project).await?.unwrap_or_default().into_iter().next();
        let source = match newest {
            None => FollowedLog::Nothing,
            Some(id) => {
                let group = names.of(ResourceKind::BuildLogGroup);
                let tail = LogTail::new(clients.logs.clone(), group, codebuild::log_stream(&id));
                FollowedLog::Build { client: clients.codebuild.clone(), id, tail }
            }
        };
        Ok(Self { source, finished: false })
    }

    /// Follows the log of the function, from its start.
    pub(crate) fn of_function(clients: &Clients, names: &Names) -> Self {
        let group = names.of(ResourceKind::FunctionLogGroup);
        Self { source: FollowedLog::Function(GroupTail::new(clients.logs.clone(), group, 0)), finished: false }
    }

    /// Returns the lines since the last read; empty without any.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn next(&mut self) -> Result<Vec<LogLine>, AwsError> {
        let lines = match &mut self.source {
            FollowedLog::Nothing => {
                self.finished = true;
                Vec::new()
            }
            FollowedLog::Build { client, id, tail } => {
                // Read before the log: after a build's end its log is complete.
                let over = codebuild::build(client, id).await?.is_none_or(|build| build.complete);
                let lines = tail.drain().await?;
                self.finished = over && lines.is_empty();
                lines
            }
            FollowedLog::Function(tail) => tail.next().await?,
        };
        let line = |line: crate::aws::logs::LogEvent| LogLine {
            text: line.text,
            timestamp: DateTime::from_timestamp_millis(line.timestamp_ms),
        };
        Ok(lines.into_iter().map(line).collect())
    }

    /// Returns whether no more lines can come: the build is over and its log is read. Never for a function's log.
    pub fn finished(&self) -> bool {
        self.finished
    }
}
