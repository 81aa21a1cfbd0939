//! The build, live: its phases and its log as events, until it is over.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use thumbctl_core::engine::{ResourceChange, StepDone, StepError, StepScope};
use thumbctl_core::event::{EventKind, Failure, LogSource};
use thumbctl_core::journal::JournalError;
use thumbctl_core::resource::{ResourceKind, ResourceState};
use thumbctl_platform::write_failure::WriteFailure;

use super::call::{call, failed};
use super::run_context::RunContext;
use crate::aws::codebuild::{self, BuildState, BuildStatus, Phase};
use crate::aws::logs::LogTail;
use crate::aws::{AwsError, ErrorKind, wait};

/// How many of the log's last lines a failed build's error carries.
const LAST_LINES: usize = 20;

/// How long the last lines may take to reach CloudWatch Logs once CodeBuild says that the build is over.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(10);

/// How long nothing must come after CodeBuild's closing line until the log counts as read to its end.
const SILENCE: Duration = Duration::from_millis(250);

/// How long CodeBuild, or the way to it, may fail to answer while a build runs: the build goes on meanwhile.
const OUTAGE: Duration = Duration::from_secs(15);

/// How long a stopped build may take to be over.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);

impl RunContext {
    pub(super) async fn build_image(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let kind = ResourceKind::Image;
        if self.before.is_ready(kind) && self.image_exists(scope).await? {
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

    /// Runs a build to its end and answers the image's URI; takes up one that an earlier process started.
    async fn run_build(&self, scope: &StepScope) -> Result<String, StepError> {
        let client = &self.site.clients.codebuild;
        let project = self.name(ResourceKind::BuildProject);
        let id = match self.build_under_way(scope, &project).await? {
            Some(id) => {
                scope.progress("taking up the build that is under way", None, None).await?;
                id
            }
            None if self.image_exists(scope).await? => return self.image_uri(scope).await,
            None => {
                let token = format!("{:032x}", rand::random::<u128>());
                call(scope, &[wait::ROLE_PROPAGATION, wait::NOT_YET_SEEN], || {
                    codebuild::start_build(client, &project, &token)
                })
                .await?
            }
        };
        self.follow_build(scope, &id).await?;
        self.image_uri(scope).await
    }

    /// Tells of a build until it is over, and fails if it did.
    pub(super) async fn follow_build(&self, scope: &StepScope, id: &str) -> Result<(), StepError> {
        let client = &self.site.clients.codebuild;
        let log_group = self.name(ResourceKind::BuildLogGroup);
        let mut watch = BuildWatch {
            scope,
            phases: BTreeMap::new(),
            tail: LogTail::new(self.site.clients.logs.clone(), &log_group, codebuild::log_stream(id)),
            last_lines: VecDeque::new(),
            completed: None,
            closed: None,
        };
        let state = match self.watch(scope, id, &mut watch).await {
            // Nothing can be told any more, so nobody would look after the build.
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

    async fn build_under_way(&self, scope: &StepScope, project: &str) -> Result<Option<String>, StepError> {
        let client = &self.site.clients.codebuild;
        if !self.before.resource(ResourceKind::Image).is_some_and(|image| image.state.may_exist()) {
            return Ok(None);
        }
        let builds = call(scope, &[], || codebuild::builds_of(client, project)).await?.unwrap_or_default();
        for id in builds {
            let state = call(scope, &[], || codebuild::build(client, &id)).await?;
            if state.is_some_and(|state| !state.complete) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Looks at the build until it is over. Cancelling stops it in CodeBuild too, and is over when CodeBuild says so.
    async fn watch(&self, scope: &StepScope, id: &str, watch: &mut BuildWatch<'_>) -> Result<BuildState, StepError> {
        let client = &self.site.clients.codebuild;
        let deadline = Duration::from_secs(60 * u64::from(2 * self.site.settings.build.timeout_minutes + 5));
        let (began, mut stopped): (Instant, Option<Instant>) = (Instant::now(), None);
        let mut unanswered: Option<Instant> = None;
        for attempt in 1.. {
            // What the log holds by now was written before the state that is asked for next.
            let state = match codebuild::build(client, id).await {
                Ok(Some(state)) => Some(state),
                // A build that was just started may not be seen yet.
                Ok(None) => None,
                Err(error) if error.kind == ErrorKind::Throttled => None,
                Err(error) if passes(&error) && unanswered.get_or_insert_with(Instant::now).elapsed() < OUTAGE => {
                    scope.retried(attempt, error.to_string(), wait::BUILD.delay(attempt)).await?;
                    None
                }
                Err(error) => return Err(failed(error)),
            };
            if let Some(state) = &state {
                unanswered = None;
                watch.tell_phases(&state.phases).await?;
            }
            watch.tell_log().await?;
            if let Some(state) = state.filter(|state| state.complete) {
                // Without a stream the build never had a machine to write from.
                if state.log_stream.is_some() {
                    watch.tell_last_lines(&state).await?;
                }
                return Ok(state);
            }
            if scope.cancel().is_cancelled() && stopped.is_none() {
                scope.progress("stopping the build", None, None).await?;
                codebuild::stop_build(client, id).await.map_err(failed)?;
                stopped = Some(Instant::now());
            }
            let late = stopped.is_some_and(|at| at.elapsed() > STOPPED_WITHIN);
            if late || began.elapsed() > deadline {
                let minutes = began.elapsed().as_secs() / 60;
                return Err(StepError::Failed(
                    Failure::new(format!("the build {id} did not end within {minutes} minutes"))
                        .with_hint("look at it in CodeBuild's console; `thumbctl deploy` takes it up again"),
                ));
            }
            let delay = wait::BUILD.delay(attempt);
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = scope.cancel().cancelled(), if stopped.is_none() => {}
            }
        }
        unreachable!("the attempts are not counted to their end")
    }
}

/// The phases that write to the log, in their order.
const LOGGED_PHASES: [&str; 5] = ["DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD"];

/// Whether a failure is of the way to the service, and likely to pass.
pub(super) fn passes(error: &AwsError) -> bool {
    matches!(error.kind, ErrorKind::Network | ErrorKind::Server | ErrorKind::Timeout)
}

/// What has been told of a build.
struct BuildWatch<'a> {
    scope: &'a StepScope,
    /// Each phase's last told status.
    phases: BTreeMap<String, Option<BuildStatus>>,
    tail: LogTail,
    last_lines: VecDeque<String>,
    /// The phase whose end the log told last.
    completed: Option<String>,
    /// The phase whose end and context the log told last.
    closed: Option<String>,
}

impl BuildWatch<'_> {
    async fn tell_phases(&mut self, phases: &[Phase]) -> Result<(), JournalError> {
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

    /// Passes on what is new in the log; answers whether anything was.
    async fn tell_log(&mut self) -> Result<bool, StepError> {
        let lines = match self.tail.next().await {
            Ok(lines) => lines,
            // The log is read again at the next look; a build is not over because its log could not be read.
            Err(error) if error.kind == ErrorKind::Throttled || passes(&error) => Vec::new(),
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

    /// Reads the log to its last line. CloudWatch Logs shows lines a moment after they were written, so after the build's
    /// end it is read until the last phase that writes to it has told its end and nothing more comes.
    async fn tell_last_lines(&mut self, state: &BuildState) -> Result<(), StepError> {
        let wrote = |phase: &&Phase| phase.status.is_some() && LOGGED_PHASES.contains(&phase.kind.as_str());
        let last = state.phases.iter().rfind(wrote).map(|phase| phase.kind.as_str());
        let (began, mut silent_since) = (Instant::now(), Instant::now());
        for attempt in 1.. {
            if self.tell_log().await? {
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

/// Why a build did not succeed; `log` is what its log says last.
pub(super) fn failure_of(state: &BuildState, log: Vec<String>) -> Failure {
    let phase = state.phases.iter().find(|phase| {
        phase.status.is_some_and(|status| !matches!(status, BuildStatus::Succeeded | BuildStatus::InProgress))
    });
    let ended = match state.status {
        BuildStatus::TimedOut => "took longer than it may",
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

/// What to do about a failed build, by the phase that failed.
fn hint_for(phase: Option<&Phase>, status: BuildStatus) -> &'static str {
    if status == BuildStatus::TimedOut {
        return "raise build.timeout_minutes, or choose a larger build.compute_type";
    }
    if status == BuildStatus::Stopped {
        return "`thumbctl deploy` builds it again";
    }
    match phase.map(|phase| phase.kind.as_str()) {
        Some("PROVISIONING" | "QUEUED") => {
            "CodeBuild could not start the build's machine: check build.image and build.compute_type, and the service role"
        }
        Some("DOWNLOAD_SOURCE") => {
            "the source could not be read: check build.source, and what the build's role may read"
        }
        Some("INSTALL" | "PRE_BUILD")
            if phase.is_some_and(|phase| phase.contexts.iter().any(|why| why.contains("log stream"))) =>
        {
            "the build's role may not write its log: add logs:CreateLogGroup to assets/policies/build-policy.json"
        }
        Some("PRE_BUILD") => "the login to ECR failed: check what the build's role may do",
        _ => "the log's last lines say why; `thumbctl logs build` shows all of it, `thumbctl deploy` tries again",
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
