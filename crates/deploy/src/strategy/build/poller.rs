//! Polls a build until it ends: for the step of a deployment, and for the program that Terraform calls.

use std::time::{Duration, Instant};

use thumbctl_core::event::Failure;
use tokio_util::sync::CancellationToken;

use crate::aws::codebuild::{self, BuildState};
use crate::aws::{AwsError, ErrorKind, wait};
use crate::cloud::Clients;

/// How long a stopped build may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// The result of a poll.
#[derive(Debug)]
pub(in crate::strategy) enum BuildPoll {
    /// The build's state.
    State(BuildState),
    /// Nothing: a new build may not be visible yet, or the call was throttled.
    Unknown,
    /// CodeBuild is unreachable; the build continues meanwhile.
    Unreachable {
        /// The number of the poll; the first is 1.
        attempt: u32,
        /// Why.
        error: AwsError,
        /// The time until the next poll.
        delay: Duration,
    },
    /// The build is about to be stopped in CodeBuild, since the run was cancelled.
    Stopping,
}

/// Why polling ended before the build.
#[derive(Debug, thiserror::Error)]
pub(in crate::strategy) enum PollError {
    /// A call failed.
    #[error(transparent)]
    Aws(AwsError),
    /// The build takes too long, or does not stop.
    #[error("the build {id} did not end within {minutes} minutes")]
    TimedOut {
        /// The build's id.
        id: String,
        /// The time since the first poll.
        minutes: u64,
    },
}

impl PollError {
    /// The failure with its hint.
    pub(in crate::strategy) fn failure(&self) -> Failure {
        match self {
            Self::Aws(error) => Failure { hint: error.hint(), ..Failure::from_error(error) },
            Self::TimedOut { .. } => Failure::from_error(self)
                .with_hint("see CodeBuild's console; `thumbctl deploy` attaches to the build again"),
        }
    }
}

/// Polls one build. Cancelling stops the build in CodeBuild, whose end is then waited for.
pub(in crate::strategy) struct BuildPoller<'a> {
    clients: &'a Clients,
    id: &'a str,
    cancel: &'a CancellationToken,
    /// How long CodeBuild may be unreachable.
    outage: Duration,
    /// How long the build may take.
    deadline: Duration,
    began: Instant,
    attempt: u32,
    unreachable_since: Option<Instant>,
    stop: Stop,
}

/// How far the build was stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    No,
    Announced,
    Requested(Instant),
}

impl<'a> BuildPoller<'a> {
    /// Creates a poller, which makes no call yet.
    pub(in crate::strategy) fn new(
        clients: &'a Clients,
        id: &'a str,
        cancel: &'a CancellationToken,
        outage: Duration,
        deadline: Duration,
    ) -> Self {
        Self {
            clients,
            id,
            cancel,
            outage,
            deadline,
            began: Instant::now(),
            attempt: 0,
            unreachable_since: None,
            stop: Stop::No,
        }
    }

    /// Whether the build was stopped by this poller.
    pub(in crate::strategy) fn is_stopping(&self) -> bool {
        self.stop != Stop::No
    }

    /// Waits for the next poll, and makes it.
    pub(in crate::strategy) async fn next(&mut self) -> Result<BuildPoll, PollError> {
        if self.attempt > 0 {
            self.check_deadline()?;
            if self.stop == Stop::Announced {
                codebuild::stop_build(&self.clients.codebuild, self.id).await.map_err(PollError::Aws)?;
                self.stop = Stop::Requested(Instant::now());
            }
            tokio::select! {
                biased;
                () = self.cancel.cancelled(), if self.stop == Stop::No => {
                    self.stop = Stop::Announced;
                    return Ok(BuildPoll::Stopping);
                }
                () = tokio::time::sleep(wait::BUILD.delay(self.attempt)) => {}
            }
        }
        self.attempt += 1;
        match codebuild::build(&self.clients.codebuild, self.id).await {
            Ok(state) => {
                self.unreachable_since = None;
                Ok(state.map_or(BuildPoll::Unknown, BuildPoll::State))
            }
            Err(error) if error.kind == ErrorKind::Throttled => Ok(BuildPoll::Unknown),
            Err(error)
                if is_transient(&error)
                    && self.unreachable_since.get_or_insert_with(Instant::now).elapsed() < self.outage =>
            {
                let attempt = self.attempt;
                Ok(BuildPoll::Unreachable { attempt, error, delay: wait::BUILD.delay(attempt) })
            }
            Err(error) => Err(PollError::Aws(error)),
        }
    }

    fn check_deadline(&self) -> Result<(), PollError> {
        let elapsed = self.began.elapsed();
        let is_stuck = matches!(self.stop, Stop::Requested(at) if at.elapsed() > STOP_TIMEOUT);
        if is_stuck || elapsed > self.deadline {
            return Err(PollError::TimedOut { id: self.id.to_owned(), minutes: elapsed.as_secs() / 60 });
        }
        Ok(())
    }
}

/// Returns whether an error is of the connection or the service, and likely transient.
pub(in crate::strategy) fn is_transient(error: &AwsError) -> bool {
    matches!(error.kind, ErrorKind::Network | ErrorKind::Server | ErrorKind::Timeout)
}
