//! Follows a running Terraform: each output line becomes a log line, resource states become events, and a
//! build that it runs is reported as in the other strategies.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::event::{Failure, LogSource};
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::TerraformRunner;
use super::diagnosis::{Diagnosis, sentence};
use super::process::{OrphanedRun, Process, StopOutcome, end_orphans, ended};
use super::program::TerraformError;
use super::progress_reducer::{ProgressReducer, Update};
use super::stream::{Change, Diagnostic, Line, Message, Summary};
use crate::resource::image_uri;

/// How long an interrupted Terraform may take: it completes the current call, and a function takes minutes.
const STOP_DEADLINE: Duration = Duration::from_secs(15 * 60);

/// How many lines of Terraform's standard error are reported.
const ERROR_LINES: usize = 100;

/// How long a build is followed after Terraform's end: stopping one takes a while.
const LAST_LINES: Duration = Duration::from_secs(75);

/// How long a signalled provider may take to end.
const ORPHAN_DEADLINE: Duration = Duration::from_secs(30);

/// How often an orphaned process is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// A running Terraform and its output so far.
#[derive(Debug)]
pub(super) struct TerraformRun {
    process: Process,
    /// `plan`, `apply` and so on.
    command: &'static str,
    pub(super) reducer: ProgressReducer,
    /// The planned changes.
    pub(super) planned: Vec<Change>,
    /// The number of changes planned or made.
    pub(super) summary: Option<Summary>,
    errors: Vec<Diagnostic>,
    /// Whether another process has locked the state.
    is_locked_out: bool,
    /// Whether there was output that only a running provider causes.
    provider_runs: bool,
    /// A started build, until it is followed.
    build: Option<String>,
}

/// How far a run is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Until its provider runs.
    ProviderRuns,
    /// Until its successful end.
    Ended,
}

/// The result of a followed build.
type BuildEnd = Result<(), StepError>;

/// Converts an error of Terraform or its folder to a failed step.
pub(super) fn failed(error: TerraformError) -> StepError {
    StepError::Failed(error.failure())
}

impl TerraformRun {
    pub(super) fn new(command: &'static str, process: Process) -> Self {
        Self {
            process,
            command,
            reducer: ProgressReducer::default(),
            planned: Vec::new(),
            summary: None,
            errors: Vec::new(),
            is_locked_out: false,
            provider_runs: false,
            build: None,
        }
    }

    /// Returns whether this Terraform is running.
    pub(super) fn is_running(&self) -> bool {
        self.process.status().is_none()
    }

    /// Returns whether this Terraform or another may still be working on the state.
    pub(super) fn may_be_running(&self) -> bool {
        self.is_locked_out || self.process.status().is_none_or(|status| status.code().is_none())
    }
}

impl TerraformRunner {
    /// Follows a run. Cancelling interrupts it once, and follows it to its end.
    pub(super) async fn follow(
        &self,
        run: &mut TerraformRun,
        until: Until,
        scope: &StepScope,
    ) -> Result<(), StepError> {
        let followed = self.follow_lines(run, until, scope).await;
        let build = match followed {
            Ok(build) => build,
            // Without a journal nothing more should be created.
            Err(StepError::Journal(error)) => {
                let _ = run.process.interrupt();
                let ended = async { while let Ok(Some(_)) = run.process.lines().await {} };
                let _ = tokio::time::timeout(STOP_DEADLINE, ended).await;
                return Err(StepError::Journal(error));
            }
            Err(error) => return Err(error),
        };
        let Some(status) = run.process.status().filter(|status| !status.success()) else { return Ok(()) };
        if scope.cancel().is_cancelled() {
            return Err(StepError::Cancelled);
        }
        let command = format!("{} {}", self.terraform.program.name(), run.command);
        let errors = run.process.errors();
        for line in errors.lines().map(str::trim_end).filter(|line| !line.is_empty()).take(ERROR_LINES) {
            scope.log_line(LogSource::Terraform, line.to_owned(), None).await?;
        }
        let is_uninitialized = |text: &str| {
            text.contains("Required plugins are not installed") || text.contains("Inconsistent dependency lock file")
        };
        if is_uninitialized(&errors) || run.errors.iter().any(|error| is_uninitialized(&error.summary)) {
            self.terraform.workspace.forget_initialized().map_err(failed)?;
        }
        let diagnosis = Diagnosis {
            command: &command,
            errors: &run.errors,
            output: &errors,
            ended: &ended(status),
            has_crash_log: self.terraform.workspace.has_crash_log(),
        };
        let failure_of_terraform = diagnosis.failure();
        // The build's own failure has more detail than Terraform's, which only has an exit status.
        let has_build_failed = run.reducer.state_of(ResourceKind::Image) == Some(ResourceState::Failed);
        Err(StepError::Failed(match build {
            Some(Err(StepError::Failed(failure))) if has_build_failed => {
                Failure { causes: vec![failure_of_terraform.to_string()], ..failure }
            }
            _ => failure_of_terraform,
        }))
    }

    /// Interrupts a run, and follows it to its end; its result is ignored.
    pub(super) async fn end(&self, run: &mut TerraformRun, scope: &StepScope) -> Result<(), StepError> {
        self.interrupt(run, scope).await?;
        match self.follow(run, Until::Ended, scope).await {
            Err(StepError::Journal(error)) => Err(StepError::Journal(error)),
            Ok(()) | Err(StepError::Failed(_) | StepError::Cancelled) => Ok(()),
        }
    }

    async fn interrupt(&self, run: &mut TerraformRun, scope: &StepScope) -> Result<(), StepError> {
        let stop = run.process.interrupt().map_err(|error| failed(self.terraform.workspace.failed("", error)))?;
        let words = match stop {
            StopOutcome::Interrupted => "interrupted Terraform: it completes the current call and writes its state",
            StopOutcome::Killed => "stopped Terraform: it had not started to change anything",
        };
        scope.progress(words, None, None).await?;
        Ok(())
    }

    async fn follow_lines(
        &self,
        run: &mut TerraformRun,
        until: Until,
        scope: &StepScope,
    ) -> Result<Option<BuildEnd>, StepError> {
        let mut build: Option<BoxFuture<'static, BuildEnd>> = None;
        // It may already be interrupted, if the step that started it was cancelled.
        let mut interrupted_at = run.process.is_interrupted().then(Instant::now);
        let mut build_end: Option<BuildEnd> = None;
        loop {
            if let Some(id) = run.build.take() {
                let (context, scope) = (self.context.clone(), scope.clone());
                build = Some(Box::pin(async move { context.follow_build(&scope, &id).await }));
            }
            tokio::select! {
                biased;
                () = scope.cancel().cancelled(), if interrupted_at.is_none() => {
                    interrupted_at = Some(Instant::now());
                    self.interrupt(run, scope).await?;
                }
                end = end_of(&mut build) => {
                    build = None;
                    build_end = Some(end);
                }
                lines = run.process.lines() => {
                    let lines = lines.map_err(|error| failed(self.terraform.workspace.failed("terraform.out", error)))?;
                    let Some(lines) = lines else { break };
                    for line in lines {
                        self.report_line(run, line, scope).await?;
                    }
                    // An interrupted run is followed to its end.
                    if until == Until::ProviderRuns && run.provider_runs && interrupted_at.is_none() {
                        return Ok(build_end);
                    }
                }
                () = tokio::time::sleep(STOP_DEADLINE), if interrupted_at.is_some() => {}
            }
            if interrupted_at.is_some_and(|interrupted_at| interrupted_at.elapsed() > STOP_DEADLINE) {
                let (pid, minutes) = (run.process.pid(), STOP_DEADLINE.as_secs() / 60);
                return Err(StepError::Failed(
                    Failure::new(format!("Terraform (process {pid}) did not stop within {minutes} minutes"))
                        .with_hint("`thumbctl deploy` and `thumbctl destroy` wait for its end"),
                ));
            }
        }
        if run.process.status().is_some_and(|status| !status.success()) {
            run.process.end_group();
        }
        // After Terraform's end the build is over, or about to be stopped: its last lines may still come.
        if let Some(build) = build {
            match tokio::time::timeout(LAST_LINES, build).await {
                Ok(end) => build_end = Some(end),
                Err(_) => scope.warn("the build continues without Terraform").await?,
            }
        }
        Ok(build_end)
    }

    async fn report_line(&self, run: &mut TerraformRun, line: Line, scope: &StepScope) -> Result<(), StepError> {
        // The provider's own attributes drift at every refresh; relevant drift is planned, and reported as such.
        let is_relevant = !matches!(line.message, Message::Drift(_));
        for text in line.text.lines().filter(|_| is_relevant) {
            scope.log_line(LogSource::Terraform, text.to_owned(), line.at).await?;
        }
        for update in run.reducer.apply(&line) {
            match update {
                Update::Changed { kind, state, seconds } => {
                    let note = match (kind, state) {
                        // The image's URI; a failure to read it shows in a later step.
                        (ResourceKind::Image, ResourceState::Ready) => image_uri(&self.context, scope).await.ok(),
                        _ => None,
                    };
                    self.report(scope, kind, state, seconds, note).await?;
                }
                Update::Progress { words, done, total } => scope.progress(words, Some(done), Some(total)).await?,
                Update::Build { id } => run.build = Some(id),
            }
        }
        match line.message {
            Message::Planned(change) => run.planned.push(change),
            Message::Summary(summary) => {
                run.summary = Some(summary);
                run.provider_runs = true;
            }
            Message::Diagnostic(diagnostic) if diagnostic.is_error() => {
                run.is_locked_out |= diagnostic.summary.contains("acquiring the state lock");
                run.errors.push(diagnostic);
            }
            Message::Diagnostic(diagnostic) => scope.warn(sentence(&diagnostic)).await?,
            // A plan's outputs are not final.
            Message::Outputs(outputs) if run.command == "apply" => {
                for (name, value) in outputs {
                    scope.output(name, value).await?;
                }
            }
            Message::Refresh | Message::Started { .. } | Message::Drift(_) => run.provider_runs = true,
            _ => {}
        }
        Ok(())
    }

    /// Stops a Terraform that an earlier process has left, and waits for its end.
    pub(super) async fn await_orphaned_run(&self, scope: &StepScope) -> Result<(), StepError> {
        let dir = self.terraform.workspace.dir();
        let orphan = OrphanedRun::find(dir);
        if let Some(orphan) = orphan.map_err(|error| failed(self.terraform.workspace.failed("terraform.out", error)))? {
            let process = orphan.pid.map(|pid| format!(" (process {})", pid.as_raw_nonzero())).unwrap_or_default();
            let words = format!("an earlier Terraform is still running{process}: stopping it");
            scope.progress(words, None, None).await?;
        }
        tokio::select! {
            ended = stop_orphaned_run(dir) => ended.map_err(failed),
            () = scope.cancel().cancelled() => Err(StepError::Cancelled),
        }
    }
}

/// Interrupts a Terraform still running in a folder, so that it writes its state, and waits for its end and that of its
/// providers. Works without Terraform.
///
/// # Errors
/// When they do not end in time, or the folder cannot be read.
pub async fn stop_orphaned_run(dir: &Path) -> Result<(), TerraformError> {
    let unreadable = |source| TerraformError::Folder { path: dir.to_owned(), source };
    if let Some(mut orphan) = OrphanedRun::find(dir).map_err(unreadable)? {
        orphan.interrupt().map_err(unreadable)?;
        let began = Instant::now();
        while !orphan.has_ended().map_err(unreadable)? {
            if began.elapsed() > STOP_DEADLINE {
                return Err(TerraformError::AtWork(dir.to_owned()));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
    let began = Instant::now();
    while end_orphans(dir) > 0 {
        if began.elapsed() > ORPHAN_DEADLINE {
            return Err(TerraformError::AtWork(dir.to_owned()));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// The build's result; never resolves without a build.
async fn end_of(build: &mut Option<BoxFuture<'static, BuildEnd>>) -> BuildEnd {
    match build {
        Some(build) => build.await,
        None => std::future::pending().await,
    }
}
