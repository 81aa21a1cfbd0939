//! [`LogFollower`]: reads a log from its beginning and goes on as it grows.

use chrono::DateTime;
use thumbctl_core::log_line::LogLine;
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;

use crate::aws::logs::{GroupTail, LogTail};
use crate::aws::{AwsError, codebuild};
use crate::cloud::Clients;

/// Reads a log, a piece at a time.
#[derive(Debug)]
pub struct LogFollower {
    source: Source,
    finished: bool,
}

#[derive(Debug)]
enum Source {
    /// Nothing was ever built.
    Nothing,
    /// A build's stream, and the build, whose end is the log's.
    Build { client: codebuild::Client, id: String, tail: LogTail },
    /// All streams of the function.
    Function(GroupTail),
}

impl LogFollower {
    /// The log of the newest build.
    pub(crate) async fn of_build(clients: &Clients, names: &Names) -> Result<Self, AwsError> {
        let project = names.of(ResourceKind::BuildProject);
        let newest = codebuild::builds_of(&clients.codebuild, &project).await?.unwrap_or_default().into_iter().next();
        let source = match newest {
            None => Source::Nothing,
            Some(id) => {
                let group = names.of(ResourceKind::BuildLogGroup);
                let tail = LogTail::new(clients.logs.clone(), group, codebuild::log_stream(&id));
                Source::Build { client: clients.codebuild.clone(), id, tail }
            }
        };
        Ok(Self { source, finished: false })
    }

    /// The log of the function, from its beginning.
    pub(crate) fn of_function(clients: &Clients, names: &Names) -> Self {
        let group = names.of(ResourceKind::FunctionLogGroup);
        Self { source: Source::Function(GroupTail::new(clients.logs.clone(), group, 0)), finished: false }
    }

    /// What has come since the last reading; empty when nothing has.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn next(&mut self) -> Result<Vec<LogLine>, AwsError> {
        let lines = match &mut self.source {
            Source::Nothing => {
                self.finished = true;
                Vec::new()
            }
            Source::Build { client, id, tail } => {
                // Asked first: what a build that is over has written is there to be read.
                let over = codebuild::build(client, id).await?.is_none_or(|build| build.complete);
                let lines = tail.drain().await?;
                self.finished = over && lines.is_empty();
                lines
            }
            Source::Function(tail) => tail.next().await?,
        };
        let line = |line: crate::aws::logs::LogEvent| LogLine {
            text: line.text,
            timestamp: DateTime::from_timestamp_millis(line.timestamp_ms),
        };
        Ok(lines.into_iter().map(line).collect())
    }

    /// Whether nothing can come any more: the build is over and read to its end. A function's log never is.
    pub fn finished(&self) -> bool {
        self.finished
    }
}
