//! Runs a plan: order, parallelism, a gate before each step, cancelling.
//!
//! The engine knows nothing of clouds. It starts a step when all that it needs has ended well, tells everything through
//! the [`Recorder`], and returns how the run ended.

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

/// Does the work of a plan's steps.
#[async_trait]
pub trait StepRunner: Send + Sync {
    /// Does one step, or finds that there is nothing to do.
    ///
    /// # Errors
    /// When the step failed, was cancelled, or could not be journalled.
    async fn run(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError>;

    /// Takes back what was made for a step that is not run though its turn had come: a change set that nobody executes.
    ///
    /// # Errors
    /// When that fails, or cannot be journalled.
    async fn discard(&self, _step: &Step, _scope: &StepScope) -> Result<(), StepError> {
        Ok(())
    }
}

/// How a step ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepDone {
    /// It did something.
    Finished,
    /// What it makes was there already, or what it removes was gone.
    AlreadyDone,
}

/// How a step ended badly.
#[derive(Debug)]
pub enum StepError {
    /// Something failed.
    Failed(Failure),
    /// It was cancelled while it waited.
    Cancelled,
    /// The journal could not be written; nothing more may be called.
    Journal(JournalError),
}

impl From<JournalError> for StepError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// May hold a step before it starts: all that "step by step" is. While it holds one, others end and are told; what it
/// answers is dropped unheard when the run stops meanwhile.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Returns when the step may start, or is not to.
    async fn pass(&self, step: &Step) -> GateDecision;

    /// How many steps may run side by side now; at most so many as the run allows. Step by step is one after another.
    fn parallelism(&self, most: NonZeroUsize) -> NonZeroUsize {
        most
    }

    /// Returns when [`Self::parallelism`] may have changed.
    async fn changed(&self) {
        std::future::pending().await
    }
}

/// What a gate decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateDecision {
    /// The step starts.
    Start,
    /// No further step starts.
    Stop,
}

/// The gate that holds nothing.
#[derive(Debug)]
pub struct OpenGate;

#[async_trait]
impl Gate for OpenGate {
    async fn pass(&self, _step: &Step) -> GateDecision {
        GateDecision::Start
    }
}

/// What happens to the rest of a plan when a step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Running steps end, no further one starts: what a deployment does.
    Stop,
    /// Everything is still tried, also what stands behind the failed step: what a teardown does.
    Continue,
}

/// What a step may do besides its work: tell about it, and hear that it is cancelled.
#[derive(Clone, Debug)]
pub struct StepScope {
    step: StepId,
    recorder: Recorder,
    cancel: CancellationToken,
}

impl StepScope {
    /// The step.
    pub fn step(&self) -> &StepId {
        &self.step
    }

    /// Is cancelled when the user cancels; waits must end then.
    pub fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// A scope for what has to be done also where the run is cancelled.
    #[must_use]
    pub fn without_cancellation(&self) -> Self {
        Self { cancel: CancellationToken::new(), ..self.clone() }
    }

    /// Says how far the step is.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn progress(
        &self,
        message: impl Into<String>,
        done: Option<u64>,
        total: Option<u64>,
    ) -> Result<(), JournalError> {
        let message = message.into();
        self.recorder.record(EventKind::StepProgress { step: self.step.clone(), message, done, total }).await
    }

    /// Says that something is not as it should be, though the step goes on.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn warn(&self, message: impl Into<String>) -> Result<(), JournalError> {
        self.recorder.record(EventKind::WarningGiven { step: self.step.clone(), message: message.into() }).await
    }

    /// Passes on what something that was made says of itself.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn output(&self, name: String, value: String) -> Result<(), JournalError> {
        self.recorder.record(EventKind::OutputGiven { step: self.step.clone(), name, value }).await
    }

    /// Says that a call is made again.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn retried(
        &self,
        attempt: u32,
        reason: impl Into<String>,
        delay: std::time::Duration,
    ) -> Result<(), JournalError> {
        let (reason, delay) = (reason.into(), delay.as_secs_f64());
        self.recorder.record(EventKind::StepRetried { step: self.step.clone(), attempt, reason, delay }).await
    }

    /// Says that a resource changed; flushed to disk before it returns, so that it can stand before and behind a call that
    /// creates or deletes.
    ///
    /// # Errors
    /// When the journal cannot be written or flushed: the call must not be made then.
    pub async fn changed(&self, change: ResourceChange) -> Result<(), JournalError> {
        let ResourceChange { kind, name, arn, state, seconds, note } = change;
        self.recorder
            .record_durably(EventKind::ResourceChanged { resource: kind, name, arn, state, seconds, note })
            .await
    }

    /// Passes on a line of a log.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn log_line(
        &self,
        source: LogSource,
        text: String,
        timestamp: Option<chrono::DateTime<chrono::Utc>>,
    ) -> Result<(), JournalError> {
        self.recorder.record(EventKind::LogLine { source, text, timestamp }).await
    }

    /// Tells anything else.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn emit(&self, kind: EventKind) -> Result<(), JournalError> {
        self.recorder.record(kind).await
    }
}

/// A change of a resource, about to be told.
#[derive(Clone, Debug)]
pub struct ResourceChange {
    /// What it is in the architecture.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Its ARN, once known.
    pub arn: Option<String>,
    /// What it is now.
    pub state: ResourceState,
    /// How long the change took, at its end.
    pub seconds: Option<f64>,
    /// Something worth knowing.
    pub note: Option<String>,
}

/// A plan and how to run it.
pub struct Engine {
    /// What to do.
    pub plan: Plan,
    /// Who does it.
    pub runner: Arc<dyn StepRunner>,
    /// How many steps may run side by side.
    pub parallelism: NonZeroUsize,
    /// What may hold a step.
    pub gate: Arc<dyn Gate>,
    /// Cancelled when the user cancels.
    pub cancel: CancellationToken,
    /// What a failure does to the rest.
    pub on_failure: OnFailure,
    /// Where everything is told.
    pub recorder: Recorder,
}

/// How a run ended.
#[derive(Debug)]
pub struct RunReport {
    /// How.
    pub outcome: Outcome,
    /// What failed, in the order in which it did.
    pub failures: Vec<(StepId, Failure)>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

enum Ended {
    Well(StepDone),
    Badly(StepError),
}

impl Engine {
    /// Runs the plan to its end and tells so in a last event.
    ///
    /// # Errors
    /// When the journal cannot be written: running steps are let end, nothing more is started.
    pub async fn run(self) -> Result<RunReport, JournalError> {
        let began = Instant::now();
        let mut run = Run {
            done: BTreeSet::new(),
            waiting: self.plan.steps().iter().map(|step| step.id.clone()).collect(),
            failures: Vec::new(),
            stopping: None,
            broken: None,
        };
        let mut tasks: JoinSet<(StepId, f64, Ended)> = JoinSet::new();
        let mut task_steps: BTreeMap<tokio::task::Id, StepId> = BTreeMap::new();
        let mut asked: Option<Asked<'_>> = None;
        loop {
            // Where nothing waits, nothing is left undone: how the last steps end says how the run does.
            if self.cancel.is_cancelled() && run.stopping.is_none() && !run.waiting.is_empty() {
                run.stopping = Some(SkipReason::Cancelled);
            }
            if run.stopping.is_some() || run.broken.is_some() {
                asked = None;
            } else if asked.is_none() && tasks.len() < self.gate.parallelism(self.parallelism).get() {
                asked = self.next_ready(&run).map(|step| (step, self.passage(step)));
            }
            if asked.is_none() && tasks.is_empty() {
                break;
            }
            // Steps end while another is held at the gate: what they did is told at once, not when the gate opens.
            tokio::select! {
                biased;
                () = self.cancel.cancelled(), if asked.is_some() => {}
                () = self.gate.changed(), if asked.is_none() && run.stopping.is_none() && run.broken.is_none() => {}
                joined = tasks.join_next_with_id(), if !tasks.is_empty() => {
                    let joined = joined.expect("there are tasks");
                    let (step, seconds, ended) = ended_step(joined, &mut task_steps);
                    self.take_in(&mut run, step, seconds, ended).await;
                }
                (step, passage) = answer(&mut asked) => {
                    asked = None;
                    match passage {
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
            run.note(self.recorder.record(event).await);
        }
        let outcome = match (&run.failures[..], run.stopping) {
            ([], Some(_)) => Outcome::Cancelled,
            ([], None) if self.cancel.is_cancelled() && run.done.len() < self.plan.steps().len() => Outcome::Cancelled,
            ([], None) => Outcome::Succeeded,
            _ => Outcome::Failed,
        };
        let seconds = began.elapsed().as_secs_f64();
        if let Some(error) = run.broken {
            return Err(error);
        }
        self.recorder.record_durably(EventKind::RunFinished { outcome, seconds }).await?;
        Ok(RunReport { outcome, failures: run.failures, seconds })
    }

    /// What the gate will say to a step.
    fn passage<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, GateDecision> {
        if step.continues_previous { Box::pin(std::future::ready(GateDecision::Start)) } else { self.gate.pass(step) }
    }

    /// The first step, in the plan's order, that has not begun and has all that it needs.
    fn next_ready(&self, run: &Run) -> Option<&Step> {
        let ready = |step: &&Step| run.waiting.contains(&step.id) && step.needs.iter().all(|id| run.done.contains(id));
        self.plan.steps().iter().find(ready)
    }

    /// Starts a step.
    async fn start(
        &self,
        step: &Step,
        run: &mut Run,
        tasks: &mut JoinSet<(StepId, f64, Ended)>,
        task_steps: &mut BTreeMap<tokio::task::Id, StepId>,
    ) {
        run.waiting.retain(|id| *id != step.id);
        if let Err(error) = self.recorder.record(EventKind::StepStarted { step: step.id.clone() }).await {
            run.broken = Some(error);
            return;
        }
        let (runner, step) = (Arc::clone(&self.runner), step.clone());
        let id = step.id.clone();
        let scope = StepScope { step: id.clone(), recorder: self.recorder.clone(), cancel: self.cancel.child_token() };
        let handle = tasks.spawn(async move {
            let began = Instant::now();
            let ended = match runner.run(&step, &scope).await {
                Ok(done) => Ended::Well(done),
                Err(error) => Ended::Badly(error),
            };
            (step.id, began.elapsed().as_secs_f64(), ended)
        });
        task_steps.insert(handle.id(), id);
    }

    /// Takes back what was made for a step whose turn had come; answers what went wrong with that.
    async fn discard(&self, id: &StepId, run: &mut Run) -> Option<Failure> {
        let step = self.plan.step(id)?;
        if run.broken.is_some() || !step.needs.iter().all(|needed| run.done.contains(needed)) {
            return None;
        }
        // Not the run's own token: that may be why the step is not run.
        let scope = StepScope { step: id.clone(), recorder: self.recorder.clone(), cancel: CancellationToken::new() };
        match self.runner.discard(step, &scope).await {
            Ok(()) | Err(StepError::Cancelled) => None,
            Err(StepError::Journal(error)) => {
                run.broken.get_or_insert(error);
                None
            }
            Err(StepError::Failed(failure)) => {
                run.failures.push((id.clone(), failure.clone()));
                Some(failure)
            }
        }
    }

    /// Takes in how a step ended.
    async fn take_in(&self, run: &mut Run, step: StepId, seconds: f64, ended: Ended) {
        let event = match ended {
            Ended::Well(done) => {
                run.done.insert(step.clone());
                match done {
                    StepDone::Finished => EventKind::StepFinished { step, seconds },
                    StepDone::AlreadyDone => EventKind::StepSkipped { step, reason: SkipReason::AlreadyDone },
                }
            }
            Ended::Badly(StepError::Cancelled) => {
                run.stopping = Some(SkipReason::Cancelled);
                EventKind::StepSkipped { step, reason: SkipReason::Cancelled }
            }
            Ended::Badly(StepError::Failed(error)) => {
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
            Ended::Badly(StepError::Journal(error)) => {
                run.broken.get_or_insert(error);
                return;
            }
        };
        run.note(self.recorder.record(event).await);
    }
}

/// A step that stands at the gate, and what the gate will say.
type Asked<'a> = (&'a Step, BoxFuture<'a, GateDecision>);

/// What the gate says; never, where nothing stands at it.
async fn answer<'a>(asked: &mut Option<Asked<'a>>) -> (&'a Step, GateDecision) {
    match asked {
        Some((step, passage)) => (*step, passage.await),
        None => std::future::pending().await,
    }
}

/// How a step's task ended; one that panicked failed.
fn ended_step(
    joined: Result<(tokio::task::Id, (StepId, f64, Ended)), tokio::task::JoinError>,
    task_steps: &mut BTreeMap<tokio::task::Id, StepId>,
) -> (StepId, f64, Ended) {
    match joined {
        Ok((id, result)) => {
            task_steps.remove(&id);
            result
        }
        Err(error) => {
            let step = task_steps.remove(&error.id()).unwrap_or_else(|| "unknown".into());
            let failure = Failure::new(format!("step '{step}' ended unexpectedly, which is a bug: {error}"));
            (step, 0.0, Ended::Badly(StepError::Failed(failure)))
        }
    }
}

/// What the engine knows while it runs.
struct Run {
    done: BTreeSet<StepId>,
    waiting: Vec<StepId>,
    failures: Vec<(StepId, Failure)>,
    stopping: Option<SkipReason>,
    broken: Option<JournalError>,
}

impl Run {
    fn note(&mut self, recorded: Result<(), JournalError>) {
        if let Err(error) = recorded {
            self.broken.get_or_insert(error);
        }
    }
}

#[cfg(test)]
mod tests;
