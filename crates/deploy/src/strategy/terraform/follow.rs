//! Following a Terraform at work: each of its lines is a line of its log, what it says of resources becomes events, and a
//! build that it runs is told of as in the other strategies.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::event::{Failure, LogSource};
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::TerraformStrategy;
use super::diagnosis::{Diagnosis, sentence};
use super::process::{Earlier, Process, Stop, end_orphans, ended};
use super::program::TerraformError;
use super::stream::{Change, Diagnostic, Line, Message, Summary};
use super::tale::{Tale, Told};

/// How long a Terraform that was asked to stop may take: it ends the call that it is at, and a function takes minutes.
const STOPPED_WITHIN: Duration = Duration::from_secs(15 * 60);

/// How much of what Terraform writes to its standard error is told.
const ERROR_LINES: usize = 100;

/// How long a build may still be told of when Terraform has ended: one that is stopped takes a while.
const LAST_LINES: Duration = Duration::from_secs(75);

/// How long a provider may take to end that was asked to.
const ORPHANS_END_WITHIN: Duration = Duration::from_secs(30);

/// How often it is looked whether an earlier Terraform has ended.
const LOOK: Duration = Duration::from_millis(200);

/// A Terraform at work, and what it has said.
#[derive(Debug)]
pub(super) struct UnderWay {
    process: Process,
    /// `plan`, `apply` and so on.
    command: &'static str,
    pub(super) tale: Tale,
    /// What it is going to do.
    pub(super) planned: Vec<Change>,
    /// How much that is, or was.
    pub(super) summary: Option<Summary>,
    errors: Vec<Diagnostic>,
    /// Whether somebody else has the state.
    is_locked_out: bool,
    /// Whether something was heard that only a running provider makes Terraform say.
    provider_runs: bool,
    /// A build that it has started, until somebody follows it.
    build: Option<String>,
}

/// Until when it is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Its provider runs.
    ProviderRuns,
    /// It has ended, and well.
    Ended,
}

/// How a build ended that was followed.
type BuildEnd = Result<(), StepError>;

/// Turns what is wrong with Terraform or its folder into a failed step.
pub(super) fn failed(error: TerraformError) -> StepError {
    StepError::Failed(error.failure())
}

impl UnderWay {
    pub(super) fn new(command: &'static str, process: Process) -> Self {
        Self {
            process,
            command,
            tale: Tale::default(),
            planned: Vec::new(),
            summary: None,
            errors: Vec::new(),
            is_locked_out: false,
            provider_runs: false,
            build: None,
        }
    }

    /// Whether this Terraform is still at work.
    pub(super) fn is_running(&self) -> bool {
        self.process.status().is_none()
    }

    /// Whether something may still be at work on what the state has: this Terraform, or another.
    pub(super) fn is_unended(&self) -> bool {
        self.is_locked_out || self.process.status().is_none_or(|status| status.code().is_none())
    }
}

impl TerraformStrategy {
    /// Follows a Terraform. Cancelling asks it to stop, once, and follows it to its end.
    pub(super) async fn follow(
        &self,
        under_way: &mut UnderWay,
        until: Until,
        scope: &StepScope,
    ) -> Result<(), StepError> {
        let followed = self.follow_lines(under_way, until, scope).await;
        let build = match followed {
            Ok(build) => build,
            // Nothing can be told any more, so nothing more is to be made.
            Err(StepError::Journal(error)) => {
                let _ = under_way.process.interrupt();
                let ended = async { while let Ok(Some(_)) = under_way.process.lines().await {} };
                let _ = tokio::time::timeout(STOPPED_WITHIN, ended).await;
                return Err(StepError::Journal(error));
            }
            Err(error) => return Err(error),
        };
        let Some(status) = under_way.process.status().filter(|status| !status.success()) else { return Ok(()) };
        if scope.cancel().is_cancelled() {
            return Err(StepError::Cancelled);
        }
        let command = format!("{} {}", self.terraform.program.name(), under_way.command);
        let errors = under_way.process.errors();
        for line in errors.lines().map(str::trim_end).filter(|line| !line.is_empty()).take(ERROR_LINES) {
            scope.log_line(LogSource::Terraform, line.to_owned(), None).await?;
        }
        let is_uninitialised = |text: &str| {
            text.contains("Required plugins are not installed") || text.contains("Inconsistent dependency lock file")
        };
        if is_uninitialised(&errors) || under_way.errors.iter().any(|error| is_uninitialised(&error.summary)) {
            self.terraform.workspace.forget_initialised().map_err(failed)?;
        }
        let diagnosis = Diagnosis {
            command: &command,
            errors: &under_way.errors,
            said: &errors,
            ended: &ended(status),
            has_crash_log: self.terraform.workspace.has_crash_log(),
        };
        let told = diagnosis.failure();
        // The build says better why it failed than Terraform, which only knows that a program of its did.
        let has_build_failed = under_way.tale.state_of(ResourceKind::Image) == Some(ResourceState::Failed);
        Err(StepError::Failed(match build {
            Some(Err(StepError::Failed(failure))) if has_build_failed => {
                Failure { causes: vec![told.to_string()], ..failure }
            }
            _ => told,
        }))
    }

    /// Asks a Terraform to stop, and follows it to its end; how it ends is no matter.
    pub(super) async fn end(&self, under_way: &mut UnderWay, scope: &StepScope) -> Result<(), StepError> {
        self.interrupt(under_way, scope).await?;
        match self.follow(under_way, Until::Ended, scope).await {
            Err(StepError::Journal(error)) => Err(StepError::Journal(error)),
            Ok(()) | Err(StepError::Failed(_) | StepError::Cancelled) => Ok(()),
        }
    }

    async fn interrupt(&self, under_way: &mut UnderWay, scope: &StepScope) -> Result<(), StepError> {
        let stop = under_way.process.interrupt().map_err(|error| failed(self.terraform.workspace.failed("", error)))?;
        let words = match stop {
            Stop::Asked => "Terraform was asked to stop: it ends what it is at, and writes its state",
            Stop::Ended => "Terraform was ended: it had not begun to make anything",
        };
        scope.progress(words, None, None).await?;
        Ok(())
    }

    async fn follow_lines(
        &self,
        under_way: &mut UnderWay,
        until: Until,
        scope: &StepScope,
    ) -> Result<Option<BuildEnd>, StepError> {
        let mut build: Option<BoxFuture<'static, BuildEnd>> = None;
        // It may have been asked before, where the step that it was started by was cancelled.
        let mut asked = under_way.process.is_asked().then(Instant::now);
        let mut build_end: Option<BuildEnd> = None;
        loop {
            if let Some(id) = under_way.build.take() {
                let (context, scope) = (self.context.clone(), scope.clone());
                build = Some(Box::pin(async move { context.follow_build(&scope, &id).await }));
            }
            tokio::select! {
                biased;
                () = scope.cancel().cancelled(), if asked.is_none() => {
                    asked = Some(Instant::now());
                    self.interrupt(under_way, scope).await?;
                }
                end = end_of(&mut build) => {
                    build = None;
                    build_end = Some(end);
                }
                lines = under_way.process.lines() => {
                    let lines = lines.map_err(|error| failed(self.terraform.workspace.failed("terraform.out", error)))?;
                    let Some(lines) = lines else { break };
                    for line in lines {
                        self.tell_line(under_way, line, scope).await?;
                    }
                    // One that was asked to stop is followed to its end.
                    if until == Until::ProviderRuns && under_way.provider_runs && asked.is_none() {
                        return Ok(build_end);
                    }
                }
                () = tokio::time::sleep(STOPPED_WITHIN), if asked.is_some() => {}
            }
            if asked.is_some_and(|asked| asked.elapsed() > STOPPED_WITHIN) {
                let (pid, minutes) = (under_way.process.pid(), STOPPED_WITHIN.as_secs() / 60);
                return Err(StepError::Failed(
                    Failure::new(format!("Terraform (process {pid}) did not stop within {minutes} minutes"))
                        .with_hint("`thumbctl deploy` and `thumbctl destroy` wait for it"),
                ));
            }
        }
        if under_way.process.status().is_some_and(|status| !status.success()) {
            under_way.process.end_group();
        }
        // With Terraform ended the build is over, or about to be stopped: its last lines may be still to come.
        if let Some(build) = build {
            match tokio::time::timeout(LAST_LINES, build).await {
                Ok(end) => build_end = Some(end),
                Err(_) => scope.warn("the build goes on without Terraform").await?,
            }
        }
        Ok(build_end)
    }

    async fn tell_line(&self, under_way: &mut UnderWay, line: Line, scope: &StepScope) -> Result<(), StepError> {
        // The provider's bookkeeping drifts with every resource that is looked at again; what matters of it is planned, and told.
        let is_worth_telling = !matches!(line.message, Message::Drift(_));
        for text in line.text.lines().filter(|_| is_worth_telling) {
            scope.log_line(LogSource::Terraform, text.to_owned(), line.at).await?;
        }
        for told in under_way.tale.take(&line) {
            match told {
                Told::Changed { kind, state, seconds } => {
                    let note = match (kind, state) {
                        // Which image it is, where the registry says so; that it does not is found out soon enough.
                        (ResourceKind::Image, ResourceState::Ready) => self.context.image_uri(scope).await.ok(),
                        _ => None,
                    };
                    self.tell(scope, kind, state, seconds, note).await?;
                }
                Told::Progress { words, done, total } => scope.progress(words, Some(done), Some(total)).await?,
                Told::Build { id } => under_way.build = Some(id),
            }
        }
        match line.message {
            Message::Planned(change) => under_way.planned.push(change),
            Message::Summary(summary) => {
                under_way.summary = Some(summary);
                under_way.provider_runs = true;
            }
            Message::Diagnostic(diagnostic) if diagnostic.is_error() => {
                under_way.is_locked_out |= diagnostic.summary.contains("acquiring the state lock");
                under_way.errors.push(diagnostic);
            }
            Message::Diagnostic(diagnostic) => scope.warn(sentence(&diagnostic)).await?,
            // A plan's are not final.
            Message::Outputs(outputs) if under_way.command == "apply" => {
                for (name, value) in outputs {
                    scope.output(name, value).await?;
                }
            }
            Message::Refresh | Message::Started { .. } | Message::Drift(_) => under_way.provider_runs = true,
            _ => {}
        }
        Ok(())
    }

    /// Waits for a Terraform that an earlier process has left at work: it is asked to stop, and writes its state.
    pub(super) async fn await_earlier(&self, scope: &StepScope) -> Result<(), StepError> {
        let unreadable = |error| failed(self.terraform.workspace.failed("terraform.out", error));
        let dir = self.terraform.workspace.dir();
        let Some(mut earlier) = Earlier::find(dir).map_err(unreadable)? else {
            return self.end_orphans(scope).await;
        };
        let process = earlier.pid.map(|pid| format!(" (process {})", pid.as_raw_nonzero())).unwrap_or_default();
        let words = format!("an earlier Terraform is still at work{process}: it is asked to stop, and waited for");
        scope.progress(words, None, None).await?;
        earlier.interrupt().map_err(unreadable)?;
        let began = Instant::now();
        while !earlier.has_ended().map_err(unreadable)? {
            if began.elapsed() > STOPPED_WITHIN {
                return Err(StepError::Failed(
                    Failure::new(format!("an earlier Terraform{process} does not stop"))
                        .with_hint("end it, then run the same command again"),
                ));
            }
            self.pause(scope).await?;
        }
        self.end_orphans(scope).await
    }

    /// Ends what a Terraform that was killed has left running, and waits for its end.
    async fn end_orphans(&self, scope: &StepScope) -> Result<(), StepError> {
        let began = Instant::now();
        while end_orphans(self.terraform.workspace.dir()) > 0 {
            if began.elapsed() > ORPHANS_END_WITHIN {
                return Err(StepError::Failed(
                    Failure::new("a provider that an earlier Terraform has left running does not end")
                        .with_hint("end it, then run the same command again"),
                ));
            }
            self.pause(scope).await?;
        }
        Ok(())
    }

    async fn pause(&self, scope: &StepScope) -> Result<(), StepError> {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => Ok(()),
            () = scope.cancel().cancelled() => Err(StepError::Cancelled),
        }
    }
}

/// Asks a Terraform that is still at work in a folder to stop, and waits for its end; for whoever does without Terraform.
///
/// # Errors
/// When it does not end in time, or the folder cannot be read.
pub async fn stop_earlier(dir: &Path) -> Result<(), TerraformError> {
    let unreadable = |source| TerraformError::Folder { path: dir.to_owned(), source };
    let began = Instant::now();
    if let Some(mut earlier) = Earlier::find(dir).map_err(unreadable)? {
        earlier.interrupt().map_err(unreadable)?;
        while !earlier.has_ended().map_err(unreadable)? {
            if began.elapsed() > STOPPED_WITHIN {
                return Err(TerraformError::AtWork(dir.to_owned()));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    while end_orphans(dir) > 0 {
        if began.elapsed() > STOPPED_WITHIN {
            return Err(TerraformError::AtWork(dir.to_owned()));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// How a build ends; never, where none is followed.
async fn end_of(build: &mut Option<BoxFuture<'static, BuildEnd>>) -> BuildEnd {
    match build {
        Some(build) => build.await,
        None => std::future::pending().await,
    }
}
