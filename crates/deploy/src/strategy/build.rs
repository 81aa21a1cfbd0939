//! The build: its phases and its log as events, until it ends.

mod poller;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use thumbctl_core::engine::{ResourceChange, StepDone, StepError, StepScope};
use thumbctl_core::event::{EventKind, Failure, LogSource};
use thumbctl_core::journal::JournalError;
use thumbctl_core::resource::{ResourceKind, ResourceState};
use thumbctl_platform::write_failure::WriteFailure;

use crate::aws::codebuild::{self, BuildState, BuildStatus, Phase};
use crate::aws::logs::LogTail;
use crate::aws::{ErrorKind, wait};
use crate::call::{call, failed};
use crate::resource::{image_exists, image_uri};
use crate::run_context::RunContext;

use poller::is_transient;
pub(super) use poller::{BuildPoll, BuildPoller};

/// Log lines in a failed build's error.
const LAST_LINES: usize = 20;

/// How long the last lines may take to reach CloudWatch Logs after the build's end.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(10);

/// How long the log must be silent after CodeBuild's closing line to count as complete.
const SILENCE: Duration = Duration::from_millis(250);

/// How long CodeBuild may be unreachable during a build: the build continues meanwhile.
const OUTAGE: Duration = Duration::from_secs(15);

impl RunContext {
    pub(super) async fn build_image(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let kind = ResourceKind::Image;
        if self.before.is_ready(kind) && image_exists(self, scope).await? {
            return Ok(StepDone::AlreadyDone);
        }
        let change =
            |state, seconds, note| ResourceChange { kind, name: self.name(kind), arn: None, state, seconds, note };
        scope.changed(change(ResourceState::Creating, None, None)).await?;
        let began = Instant::now();
        let seconds = || Some(began.elapsed().as_secs_f64());
        match self.run_build(scope).await {
            Ok(digest) => {
                scope.changed(change(ResourceState::Ready, seconds(), Some(digest))).await?;
                Ok(StepDone::Finished)
            }
            Err(error) => {
                let note = matches!(error, StepError::Cancelled).then(|| "build stopped".to_owned());
                if !matches!(error, StepError::Journal(_)) {
                    scope.changed(change(ResourceState::Failed, seconds(), note)).await?;
                }
                Err(error)
            }
        }
    }

    /// Runs a build to its end and returns the image's URI; attaches to one that an earlier process started.
    async fn run_build(&self, scope: &StepScope) -> Result<String, StepError> {
        let client = &self.target.clients.codebuild;
        let project = self.name(ResourceKind::BuildProject);
        let id = match self.running_build(scope, &project).await? {
            Some(id) => {
                scope.progress("attaching to the running build", None, None).await?;
                id
            }
            None if image_exists(self, scope).await? => return image_uri(self, scope).await,
            None => {
                let token = format!("{:032x}", rand::random::<u128>());
                call(scope, &[wait::ROLE_PROPAGATION, wait::NOT_YET_SEEN], || {
                    codebuild::start_build(client, &project, &token)
                })
                .await?
            }
        };
        self.follow_build(scope, &id).await?;
        image_uri(self, scope).await
    }

    /// Reports a build's phases and log until it ends; an unsuccessful build is an error.
    pub(super) async fn follow_build(&self, scope: &StepScope, id: &str) -> Result<(), StepError> {
        let client = &self.target.clients.codebuild;
        let log_group = self.name(ResourceKind::BuildLogGroup);
        let mut watch = BuildWatch {
            scope,
            phases: BTreeMap::new(),
            tail: LogTail::new(self.target.clients.logs.clone(), &log_group, codebuild::log_stream(id)),
            last_lines: VecDeque::new(),
            completed: None,
            closed: None,
        };
        let state = match self.watch(scope, id, &mut watch).await {
            // Without a journal the build would continue unobserved.
            Err(StepError::Journal(error)) => {
                let _ = codebuild::stop_build(client, id).await;
                return Err(StepError::Journal(error));
            }
            state => state?,
        };
        match state.status {
            BuildStatus::Succeeded => Ok(()),
            BuildStatus::Stopped if scope.cancel().is_cancelled() => Err(StepError::Cancelled),
            _ => Err(StepError::Failed(failure_of(&state, watch.last_lines.into_iter().collect()))),
        }
    }

    async fn running_build(&self, scope: &StepScope, project: &str) -> Result<Option<String>, StepError> {
        if !self.before.resource(ResourceKind::Image).is_some_and(|image| image.state.may_exist()) {
            return Ok(None);
        }
        call(scope, &[], || codebuild::running_build(&self.target.clients.codebuild, project)).await
    }

    /// Polls the build until it ends. Cancelling stops it in CodeBuild too, and waits for its end.
    async fn watch(&self, scope: &StepScope, id: &str, watch: &mut BuildWatch<'_>) -> Result<BuildState, StepError> {
        let deadline = Duration::from_secs(60 * u64::from(2 * self.target.settings.build.timeout_minutes + 5));
        let mut poller = BuildPoller::new(&self.target.clients, id, scope.cancel(), OUTAGE, deadline);
        loop {
            let state = match poller.next().await.map_err(|error| StepError::Failed(error.failure()))? {
                BuildPoll::State(state) => Some(state),
                BuildPoll::Unknown => None,
                BuildPoll::Unreachable { attempt, error, delay } => {
                    scope.retried(attempt, error.to_string(), delay).await?;
                    None
                }
                BuildPoll::Stopping => {
                    scope.progress("stopping the build", None, None).await?;
                    continue;
                }
            };
            if let Some(state) = &state {
                watch.report_phases(&state.phases).await?;
            }
            watch.report_log().await?;
            if let Some(state) = state.filter(|state| state.complete) {
                // A build without a log stream never had a machine.
                if state.log_stream.is_some() {
                    watch.report_last_lines(&state).await?;
                }
                return Ok(state);
            }
        }
    }
}

/// The phases that write to the log, in order.
const LOGGED_PHASES: [&str; 5] = ["DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD"];

/// What has been reported of a build.
struct BuildWatch<'a> {
    scope: &'a StepScope,
    /// Each phase's last reported status.
    phases: BTreeMap<String, Option<BuildStatus>>,
    tail: LogTail,
    last_lines: VecDeque<String>,
    /// The last phase whose end the log has.
    completed: Option<String>,
    /// The last phase whose end and context the log has.
    closed: Option<String>,
}

impl BuildWatch<'_> {
    async fn report_phases(&mut self, phases: &[Phase]) -> Result<(), JournalError> {
        for phase in phases {
            if self.phases.get(&phase.kind) == Some(&phase.status) {
                continue;
            }
            self.phases.insert(phase.kind.clone(), phase.status);
            let status = phase.status.unwrap_or(BuildStatus::InProgress).as_str().to_owned();
            let context = (!phase.contexts.is_empty()).then(|| phase.contexts.join("; "));
            self.scope
                .emit(EventKind::BuildPhase { phase: phase.kind.clone(), status, seconds: phase.seconds, context })
                .await?;
        }
        Ok(())
    }

    /// Reports new log lines; returns whether there were any.
    async fn report_log(&mut self) -> Result<bool, StepError> {
        let lines = match self.tail.next().await {
            Ok(lines) => lines,
            // The log is read again at the next poll.
            Err(error) if error.kind == ErrorKind::Throttled || is_transient(&error) => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let any = !lines.is_empty();
        for line in lines {
            if self.last_lines.len() == LAST_LINES {
                self.last_lines.pop_front();
            }
            self.last_lines.push_back(line.text.clone());
            if let Some((_, rest)) = line.text.split_once("] ").filter(|_| line.text.starts_with("[Container]"))
                && let Some((_, phase)) = rest.split_once("Phase complete: ")
            {
                self.completed = phase.split_whitespace().next().map(str::to_owned);
            } else if line.text.contains("Phase context status code:") {
                self.closed = self.completed.take();
            }
            let timestamp = chrono::DateTime::from_timestamp_millis(line.timestamp_ms);
            self.scope.log_line(LogSource::Build, line.text, timestamp).await?;
        }
        Ok(any)
    }

    /// Reads the log to its last line. CloudWatch Logs shows lines with a delay, so after the build's end
    /// it is read until the last logging phase has its closing line and no more lines come.
    async fn report_last_lines(&mut self, state: &BuildState) -> Result<(), StepError> {
        let wrote = |phase: &&Phase| phase.status.is_some() && LOGGED_PHASES.contains(&phase.kind.as_str());
        let last = state.phases.iter().rfind(wrote).map(|phase| phase.kind.as_str());
        let (began, mut silent_since) = (Instant::now(), Instant::now());
        for attempt in 1.. {
            if self.report_log().await? {
                silent_since = Instant::now();
            }
            let closed = self.closed.as_deref().is_some_and(|phase| Some(phase) == last || phase == "UPLOAD_ARTIFACTS");
            if (closed && silent_since.elapsed() > SILENCE) || began.elapsed() > LAST_LINES_WITHIN {
                break;
            }
            tokio::time::sleep(wait::BUILD.delay(attempt).min(SILENCE)).await;
        }
        Ok(())
    }
}

/// The failure of an unsuccessful build; `log` holds its last lines.
pub(super) fn failure_of(state: &BuildState, log: Vec<String>) -> Failure {
    let phase = state.phases.iter().find(|phase| {
        phase.status.is_some_and(|status| !matches!(status, BuildStatus::Succeeded | BuildStatus::InProgress))
    });
    let ended = match state.status {
        BuildStatus::TimedOut => "timed out",
        BuildStatus::Stopped => "was stopped",
        BuildStatus::Fault => "ended with a fault in CodeBuild",
        _ => "failed",
    };
    let mut message = match phase {
        Some(phase) if !phase.contexts.is_empty() => {
            format!("the build {ended} in phase {}: {}", phase.kind, phase.contexts.join("; "))
        }
        Some(phase) => format!("the build {ended} in phase {}", phase.kind),
        None => format!("the build {ended}"),
    };
    let write_failure =
        WriteFailure::in_text(&message).or_else(|| log.iter().rev().find_map(|line| WriteFailure::in_text(line)));
    let hint = match write_failure {
        Some(failure) => {
            // AWS's own message has the command's exit status only.
            if WriteFailure::in_text(&message).is_none() {
                message.push_str(&format!(" ({})", failure.reason()));
            }
            failure.hint_for_build()
        }
        None => hint_for(phase, state.status),
    };
    Failure { log, hint: Some(hint.to_owned()), ..Failure::new(message) }
}

/// The hint for a failed build, by the failed phase.
fn hint_for(phase: Option<&Phase>, status: BuildStatus) -> &'static str {
    if status == BuildStatus::TimedOut {
        return "raise build.timeout_minutes, or choose a larger build.compute_type";
    }
    if status == BuildStatus::Stopped {
        return "`thumbctl deploy` retries it";
    }
    match phase.map(|phase| phase.kind.as_str()) {
        Some("PROVISIONING" | "QUEUED") => {
            "no build machine: check build.image, build.compute_type and the service role"
        }
        Some("DOWNLOAD_SOURCE") => "cannot read the source: check build.source and the permissions of the build's role",
        Some("INSTALL" | "PRE_BUILD")
            if phase.is_some_and(|phase| phase.contexts.iter().any(|why| why.contains("log stream"))) =>
        {
            "the build's role cannot write its log: add logs:CreateLogGroup to assets/policies/build-policy.json"
        }
        Some("PRE_BUILD") => "login to ECR failed: check the permissions of the build's role",
        _ => "see the log with `thumbctl logs build`; `thumbctl deploy` retries",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed_build(context: &str) -> BuildState {
        let phase = Phase {
            kind: "BUILD".to_owned(),
            status: Some(BuildStatus::Failed),
            seconds: None,
            contexts: vec![context.to_owned()],
        };
        BuildState {
            id: "thumbs:1".to_owned(),
            status: BuildStatus::Failed,
            complete: true,
            phases: vec![phase],
            log_group: None,
            log_stream: None,
        }
    }

    #[test]
    fn failure_names_a_full_disk_from_the_context_or_the_log() {
        let sandbox = failed_build("COMMAND_EXECUTION_ERROR: Reason: no space left on device, exit status 1");
        let failure = failure_of(&sandbox, Vec::new());
        assert!(failure.message.ends_with("Reason: no space left on device, exit status 1"), "{}", failure.message);
        assert_eq!(failure.hint.as_deref(), Some(WriteFailure::NoSpace.hint_for_build()));

        let aws = failed_build("COMMAND_EXECUTION_ERROR: Reason: exit status 1");
        let log = vec!["cp: error writing 'x': No space left on device".to_owned(), "[Container] end".to_owned()];
        let failure = failure_of(&aws, log);
        assert!(failure.message.ends_with("exit status 1 (no space left on device)"), "{}", failure.message);
        assert_eq!(failure.hint.as_deref(), Some(WriteFailure::NoSpace.hint_for_build()));
        assert_ne!(failure_of(&aws, Vec::new()).hint.as_deref(), Some(WriteFailure::NoSpace.hint_for_build()));
    }
}
