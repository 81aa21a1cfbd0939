//! [`Prepared`]: a run that only waits for a yes, and [`Running`]: one that is under way.

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
use crate::strategy;
use crate::strategy::terraform::STATE_FILES;

/// A run that only waits for a yes. It holds the deployment's lock.
pub struct Prepared {
    pub(super) started: RunStarted,
    pub(super) runner: Arc<dyn StepRunner>,
    pub(super) on_failure: OnFailure,
    pub(super) parallelism: std::num::NonZeroUsize,
    pub(super) journal: DeploymentJournal,
    pub(super) lock: Option<DeploymentLock>,
    pub(super) foreign: Vec<String>,
    /// Whether what cannot be read, or knows of things that are no more, is put aside once everything is gone.
    pub(super) is_purge: bool,
}

/// A run under way.
#[derive(Debug)]
pub struct Running {
    /// What happens, as it happens; ends with the run.
    pub events: mpsc::Receiver<Event>,
    /// How it ended.
    pub report: JoinHandle<Result<RunReport, JournalError>>,
}

impl Prepared {
    /// What the run will do, and where.
    pub fn started(&self) -> &RunStarted {
        &self.started
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.started.plan.steps().is_empty()
    }

    /// What has a name like ours but somebody else's tag, and is left alone.
    pub fn foreign(&self) -> &[String] {
        &self.foreign
    }

    /// What the run creates or removes, by name.
    pub fn resources(&self) -> Vec<(ResourceKind, String)> {
        let mut resources: Vec<(ResourceKind, String)> = Vec::new();
        for step in self.started.plan.steps() {
            for kind in step.resources() {
                let entry = (kind, strategy::leftovers::names_of_step(&step.id, &self.started.names).of(kind));
                if !resources.contains(&entry) {
                    resources.push(entry);
                }
            }
        }
        resources
    }

    /// Runs it: journals that it begins, then goes on by itself.
    ///
    /// # Errors
    /// When its journal cannot be begun: then nothing was called.
    pub async fn run(self, gate: Arc<dyn Gate>, cancel: CancellationToken) -> Result<Running, SessionError> {
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
            // With everything gone, what a damaged journal knew is of no use, and would be in the way for ever.
            if let (Some(journal), Ok(RunReport { outcome: Outcome::Succeeded, .. })) = (purged, &report) {
                journal.archive_damaged()?;
                journal.archive_tool_state(STATE_FILES)?;
            }
            drop(lock);
            report
        });
        Ok(Running { events, report })
    }

    /// Runs it without holding any step.
    ///
    /// # Errors
    /// When its journal cannot be begun.
    pub async fn run_through(self, cancel: CancellationToken) -> Result<Running, SessionError> {
        self.run(Arc::new(OpenGate), cancel).await
    }
}
