//! [`PendingRun`]: a run that awaits confirmation, and [`RunHandle`]: a started run.

use std::sync::Arc;

use thumbctl_core::engine::{Engine, Gate, OnFailure, OpenGate, RunReport, StepRunner};
use thumbctl_core::event::{Event, EventKind, Outcome, RunStarted};
use thumbctl_core::journal::{DeploymentJournal, DeploymentLock, JournalError, RunJournal};
use thumbctl_core::recorder::Recorder;
use thumbctl_core::resource::ResourceKind;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::SessionError;
use crate::strategy::terraform::STATE_FILES;

/// A run that awaits confirmation. It holds the deployment's lock.
pub struct PendingRun {
    pub(super) started: RunStarted,
    pub(super) runner: Arc<dyn StepRunner>,
    pub(super) on_failure: OnFailure,
    pub(super) parallelism: std::num::NonZeroUsize,
    pub(super) journal: DeploymentJournal,
    pub(super) lock: Option<DeploymentLock>,
    pub(super) resources: Vec<(ResourceKind, String)>,
    pub(super) foreign: Vec<String>,
    /// Whether damaged journals and outdated tool state are archived after success.
    pub(super) is_purge: bool,
}

/// A started run.
#[derive(Debug)]
pub struct RunHandle {
    /// The run's events; the channel closes with the run.
    pub events: mpsc::Receiver<Event>,
    /// The run's result.
    pub report: JoinHandle<Result<RunReport, JournalError>>,
}

impl PendingRun {
    /// Returns the run's action, target and plan.
    pub fn started(&self) -> &RunStarted {
        &self.started
    }

    /// Returns whether the plan has no steps.
    pub fn is_empty(&self) -> bool {
        self.started.plan.steps().is_empty()
    }

    /// Returns resources with matching names and another owner's tag; they are left alone.
    pub fn foreign(&self) -> &[String] {
        &self.foreign
    }

    /// Returns the resources that the run creates or deletes, by name.
    pub fn resources(&self) -> &[(ResourceKind, String)] {
        &self.resources
    }

    /// Starts the run in the background, after recording its start in the journal.
    ///
    /// # Errors
    /// When its journal cannot be started: then nothing was called.
    pub async fn run(self, gate: Arc<dyn Gate>, cancel: CancellationToken) -> Result<RunHandle, SessionError> {
        let journal: RunJournal = self.journal.begin(self.started.action)?;
        let recorder = Recorder::new(journal);
        let events = recorder.listen().await;
        let engine = Engine {
            plan: self.started.plan.clone(),
            runner: self.runner,
            parallelism: self.parallelism,
            gate,
            cancel,
            on_failure: self.on_failure,
            recorder: recorder.clone(),
        };
        recorder.record_durably(EventKind::RunStarted(Box::new(self.started))).await?;
        let lock = self.lock;
        let purged = self.is_purge.then_some(self.journal);
        let report = tokio::spawn(async move {
            let report = engine.run().await;
            // A damaged journal of a purged deployment would only block later runs.
            if let (Some(journal), Ok(RunReport { outcome: Outcome::Succeeded, .. })) = (purged, &report) {
                journal.archive_damaged()?;
                journal.archive_tool_state(STATE_FILES)?;
            }
            drop(lock);
            report
        });
        Ok(RunHandle { events, report })
    }

    /// Starts the run without holding any step.
    ///
    /// # Errors
    /// When its journal cannot be started.
    pub async fn run_ungated(self, cancel: CancellationToken) -> Result<RunHandle, SessionError> {
        self.run(Arc::new(OpenGate), cancel).await
    }
}
