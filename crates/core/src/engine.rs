//! Runs a plan: order, parallelism, a gate before each step, cancellation.
//!
//! The engine is independent of any cloud. It starts a step when its dependencies have succeeded, records every event
//! through the [`Recorder`], and returns the outcome.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "steps run as tasks and are measured")]

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::future::BoxFuture;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::event::{EventKind, Failure, LogSource, Outcome, SkipReason};
use crate::journal::JournalError;
use crate::plan::{Plan, Step, StepId};
use crate::recorder::Recorder;
use crate::resource::{ResourceKind, ResourceState};

/// Performs the steps of a plan.
#[async_trait]
pub trait StepRunner: Send + Sync {
    /// Runs one step, or reports that it is already done.
    ///
    /// # Errors
    /// If the step fails, is cancelled, or cannot be journalled.
    async fn run(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError>;

    /// Discards the preparation of a ready step that is not run, for example an unexecuted change set.
    ///
    /// # Errors
    /// If discarding fails, or cannot be journalled.
    async fn discard(&self, _step: &Step, _scope: &StepScope) -> Result<(), StepError> {
        Ok(())
    }
}

/// The result of a successful step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepDone {
    /// It made changes.
    Finished,
    /// There was nothing to do: its resource was already created, or already deleted.
    AlreadyDone,
}

/// Why a step did not succeed.
#[derive(Debug)]
pub enum StepError {
    /// It failed.
    Failed(Failure),
    /// It was cancelled while waiting.
    Cancelled,
    /// The journal could not be written; no further call is allowed.
    Journal(JournalError),
}

impl From<JournalError> for StepError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// Decides whether and when a step starts; implements step-by-step mode. Running steps finish while one is held; the
/// decision is discarded if the run stops meanwhile.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Waits for the decision on a step.
    async fn pass(&self, step: &Step) -> GateDecision;

    /// The current number of parallel steps, at most `limit`; 1 in step-by-step mode.
    fn parallelism(&self, limit: NonZeroUsize) -> NonZeroUsize {
        limit
    }

    /// Waits until [`Self::parallelism`] may have changed.
    async fn changed(&self) {
        std::future::pending::<()>().await;
    }
}

/// A gate's decision on a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateDecision {
    /// The step starts.
    Start,
    /// No further step starts.
    Stop,
}

/// A gate that starts every step at once.
#[derive(Debug)]
pub struct OpenGate;

#[async_trait]
impl Gate for OpenGate {
    async fn pass(&self, _step: &Step) -> GateDecision {
        GateDecision::Start
    }
}

/// What to do with the remaining steps after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Finish running steps and start no others; used by deploy.
    Stop,
    /// Run all remaining steps, including those that depend on the failed one; used by destroy.
    Continue,
}

/// The context of a running step: emits its events and observes cancellation.
#[derive(Clone, Debug)]
pub struct StepScope {
    step: StepId,
    recorder: Recorder,
    cancel: CancellationToken,
}

impl StepScope {
    /// The step's id.
    pub fn step(&self) -> &StepId {
        &self.step
    }

    /// The token that is cancelled when the user cancels; waits must then end.
    pub fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// A scope for work that must be completed even in a cancelled run.
    #[must_use]
    pub fn without_cancellation(&self) -> Self {
        Self { cancel: CancellationToken::new(), ..self.clone() }
    }

    /// Emits the step's progress.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub async fn progress(
        &self,
        message: impl Into<String>,
        done: Option<u64>,
        total: Option<u64>,
    ) -> Result<(), JournalError> {
        let message = message.into();
        self.recorder.record(EventKind::StepProgress { step: self.step.clone(), message, done, total }).await
    }

    /// Emits a warning; the step continues.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub async fn warn(&self, message: impl Into<String>) -> Result<(), JournalError> {
        self.recorder.record(EventKind::WarningGiven { step: self.step.clone(), message: message.into() }).await
    }

    /// Emits an output of a stack or of Terraform.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub async fn output(&self, name: String, value: String) -> Result<(), JournalError> {
        self.recorder.record(EventKind::OutputGiven { step: self.step.clone(), name, value }).await
    }

    /// Emits the retry of a call.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub async fn retried(
        &self,
        attempt: u32,
        reason: impl Into<String>,
        delay: std::time::Duration,
    ) -> Result<(), JournalError> {
        let (reason, delay) = (reason.into(), delay.as_secs_f64());
        self.recorder.record(EventKind::StepRetried { step: self.step.clone(), attempt, reason, delay }).await
    }

    /// Records a resource change and flushes it to disk, as required before and after each call that creates or deletes.
    ///
    /// # Errors
    /// If the journal cannot be written or flushed; the call must then not be made.
    pub async fn changed(&self, change: ResourceChange) -> Result<(), JournalError> {
        let ResourceChange { kind, name, arn, state, seconds, note } = change;
        self.recorder
            .record_durably(EventKind::ResourceChanged { resource: kind, name, arn, state, seconds, note })
            .await
    }

    /// Emits a log line.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub async fn log_line(
        &self,
        source: LogSource,
        text: String,
        timestamp: Option<chrono::DateTime<chrono::Utc>>,
    ) -> Result<(), JournalError> {
        self.recorder.record(EventKind::LogLine { source, text, timestamp }).await
    }

    /// Emits any other event.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub async fn emit(&self, kind: EventKind) -> Result<(), JournalError> {
        self.recorder.record(kind).await
    }
}

/// A change of a resource's state, to be recorded.
#[derive(Clone, Debug)]
pub struct ResourceChange {
    /// Its role in the architecture.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Its ARN, once known.
    pub arn: Option<String>,
    /// Its new state.
    pub state: ResourceState,
    /// The duration of the change in seconds, at its end.
    pub seconds: Option<f64>,
    /// A remark for the user.
    pub note: Option<String>,
}

/// A plan and the settings of its execution.
pub struct Engine {
    /// The plan.
    pub plan: Plan,
    /// Performs the steps.
    pub runner: Arc<dyn StepRunner>,
    /// The maximum number of parallel steps.
    pub parallelism: NonZeroUsize,
    /// Decides when a step starts.
    pub gate: Arc<dyn Gate>,
    /// Cancelled when the user cancels.
    pub cancel: CancellationToken,
    /// What to do after a failure.
    pub on_failure: OnFailure,
    /// Records the events.
    pub recorder: Recorder,
}

/// The result of a run.
#[derive(Debug)]
pub struct RunReport {
    /// Its outcome.
    pub outcome: Outcome,
    /// The failed steps, in order of failure.
    pub failures: Vec<(StepId, Failure)>,
    /// Its duration in seconds.
    pub seconds: f64,
}

type StepResult = Result<StepDone, StepError>;

impl Engine {
    /// Runs the plan to its end and records the outcome as the last event.
    ///
    /// # Errors
    /// If the journal cannot be written; running steps then finish and no others start.
    pub async fn run(self) -> Result<RunReport, JournalError> {
        let started = Instant::now();
        let mut run = Run {
            done: BTreeSet::new(),
            waiting: self.plan.steps().iter().map(|step| step.id.clone()).collect(),
            failures: Vec::new(),
            stopping: None,
            journal_error: None,
        };
        let mut tasks: JoinSet<(StepId, f64, StepResult)> = JoinSet::new();
        let mut task_steps: BTreeMap<tokio::task::Id, StepId> = BTreeMap::new();
        let mut pending: Option<PendingStep<'_>> = None;
        loop {
            // With no step left to start, the running steps decide the outcome.
            if self.cancel.is_cancelled() && run.stopping.is_none() && !run.waiting.is_empty() {
                run.stopping = Some(SkipReason::Cancelled);
            }
            if run.stopping.is_some() || run.journal_error.is_some() {
                pending = None;
            } else if pending.is_none() && tasks.len() < self.gate.parallelism(self.parallelism).get() {
                pending = self.next_ready(&run).map(|step| (step, self.gate_decision(step)));
            }
            if pending.is_none() && tasks.is_empty() {
                break;
            }
            // Steps that finish while another is held at the gate are recorded at once.
            tokio::select! {
                biased;
                () = self.cancel.cancelled(), if pending.is_some() => {}
                () = self.gate.changed(), if pending.is_none() && run.stopping.is_none() && run.journal_error.is_none() => {}
                joined = tasks.join_next_with_id(), if !tasks.is_empty() => {
                    let joined = joined.expect("there are tasks");
                    let (step, seconds, result) = finished_step(joined, &mut task_steps);
                    self.record_result(&mut run, step, seconds, result).await;
                }
                (step, decision) = next_decision(&mut pending) => {
                    pending = None;
                    match decision {
                        GateDecision::Start => self.start(step, &mut run, &mut tasks, &mut task_steps).await,
                        GateDecision::Stop => run.stopping = Some(SkipReason::Cancelled),
                    }
                }
            }
        }
        let reason = run.stopping.unwrap_or(SkipReason::Failed);
        for step in std::mem::take(&mut run.waiting) {
            let event = match self.discard(&step, &mut run).await {
                Some(error) => EventKind::StepFailed { step, seconds: 0.0, error },
                None => EventKind::StepSkipped { step, reason },
            };
            run.keep_first_error(self.recorder.record(event).await);
        }
        let outcome = match (&run.failures[..], run.stopping) {
            ([], Some(_)) => Outcome::Cancelled,
            ([], None) if self.cancel.is_cancelled() && run.done.len() < self.plan.steps().len() => Outcome::Cancelled,
            ([], None) => Outcome::Succeeded,
            _ => Outcome::Failed,
        };
        let seconds = started.elapsed().as_secs_f64();
        if let Some(error) = run.journal_error {
            return Err(error);
        }
        self.recorder.record_durably(EventKind::RunFinished { outcome, seconds }).await?;
        Ok(RunReport { outcome, failures: run.failures, seconds })
    }

    /// The gate's decision on a step; a step that continues the previous one always starts.
    fn gate_decision<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, GateDecision> {
        if step.continues_previous { Box::pin(std::future::ready(GateDecision::Start)) } else { self.gate.pass(step) }
    }

    /// The first step, in plan order, that has not started and whose dependencies are done.
    fn next_ready(&self, run: &Run) -> Option<&Step> {
        let ready = |step: &&Step| run.waiting.contains(&step.id) && step.needs.iter().all(|id| run.done.contains(id));
        self.plan.steps().iter().find(ready)
    }

    /// Starts a step.
    async fn start(
        &self,
        step: &Step,
        run: &mut Run,
        tasks: &mut JoinSet<(StepId, f64, StepResult)>,
        task_steps: &mut BTreeMap<tokio::task::Id, StepId>,
    ) {
        run.waiting.retain(|id| *id != step.id);
        if let Err(error) = self.recorder.record(EventKind::StepStarted { step: step.id.clone() }).await {
            run.journal_error = Some(error);
            return;
        }
        let (runner, step) = (Arc::clone(&self.runner), step.clone());
        let id = step.id.clone();
        let scope = StepScope { step: id.clone(), recorder: self.recorder.clone(), cancel: self.cancel.child_token() };
        let handle = tasks.spawn(async move {
            let started = Instant::now();
            let result = runner.run(&step, &scope).await;
            (step.id, started.elapsed().as_secs_f64(), result)
        });
        task_steps.insert(handle.id(), id);
    }

    /// Discards the preparation of a ready step. Returns the failure, if any.
    async fn discard(&self, id: &StepId, run: &mut Run) -> Option<Failure> {
        let step = self.plan.step(id)?;
        if run.journal_error.is_some() || !step.needs.iter().all(|needed| run.done.contains(needed)) {
            return None;
        }
        // A new token, since the run's own may be cancelled.
        let scope = StepScope { step: id.clone(), recorder: self.recorder.clone(), cancel: CancellationToken::new() };
        match self.runner.discard(step, &scope).await {
            Ok(()) | Err(StepError::Cancelled) => None,
            Err(StepError::Journal(error)) => {
                run.journal_error.get_or_insert(error);
                None
            }
            Err(StepError::Failed(failure)) => {
                run.failures.push((id.clone(), failure.clone()));
                Some(failure)
            }
        }
    }

    /// Records the result of a step.
    async fn record_result(&self, run: &mut Run, step: StepId, seconds: f64, result: StepResult) {
        let event = match result {
            Ok(done) => {
                run.done.insert(step.clone());
                match done {
                    StepDone::Finished => EventKind::StepFinished { step, seconds },
                    StepDone::AlreadyDone => EventKind::StepSkipped { step, reason: SkipReason::AlreadyDone },
                }
            }
            Err(StepError::Cancelled) => {
                run.stopping = Some(SkipReason::Cancelled);
                EventKind::StepSkipped { step, reason: SkipReason::Cancelled }
            }
            Err(StepError::Failed(error)) => {
                match self.on_failure {
                    OnFailure::Stop => {
                        run.stopping.get_or_insert(SkipReason::Failed);
                    }
                    OnFailure::Continue => {
                        run.done.insert(step.clone());
                    }
                }
                run.failures.push((step.clone(), error.clone()));
                EventKind::StepFailed { step, seconds, error }
            }
            Err(StepError::Journal(error)) => {
                run.journal_error.get_or_insert(error);
                return;
            }
        };
        run.keep_first_error(self.recorder.record(event).await);
    }
}

/// A step at the gate, with the gate's future decision.
type PendingStep<'a> = (&'a Step, BoxFuture<'a, GateDecision>);

/// Waits for the gate's decision on the pending step; forever if there is none.
async fn next_decision<'a>(pending: &mut Option<PendingStep<'a>>) -> (&'a Step, GateDecision) {
    match pending {
        Some((step, decision)) => (*step, decision.await),
        None => std::future::pending().await,
    }
}

/// The result of a step's task; a panic is a failure.
fn finished_step(
    joined: Result<(tokio::task::Id, (StepId, f64, StepResult)), tokio::task::JoinError>,
    task_steps: &mut BTreeMap<tokio::task::Id, StepId>,
) -> (StepId, f64, StepResult) {
    match joined {
        Ok((id, result)) => {
            task_steps.remove(&id);
            result
        }
        Err(error) => {
            let step = task_steps.remove(&error.id()).unwrap_or_else(|| "unknown".into());
            let failure = Failure::new(format!("step '{step}' ended unexpectedly. This is a bug: {error}"));
            (step, 0.0, Err(StepError::Failed(failure)))
        }
    }
}

/// The state of an execution.
struct Run {
    done: BTreeSet<StepId>,
    waiting: Vec<StepId>,
    failures: Vec<(StepId, Failure)>,
    stopping: Option<SkipReason>,
    journal_error: Option<JournalError>,
}

impl Run {
    fn keep_first_error(&mut self, recorded: Result<(), JournalError>) {
        if let Err(error) = recorded {
            self.journal_error.get_or_insert(error);
        }
    }
}

#[cfg(test)]
mod tests;
