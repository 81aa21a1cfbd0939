//! [`RunModel`]: a run, as a fold over its events.

use chrono::{DateTime, Utc};

use thumbctl_core::event::{Event, EventKind, Failure, Outcome, RunId, RunStarted, SkipReason};
use thumbctl_core::plan::{Step, StepId};
use thumbctl_core::resource::ResourceKind;
use thumbctl_core::timing::Waterfall;

/// A run.
#[derive(Clone, Debug)]
pub struct RunModel {
    /// The run ID.
    pub id: RunId,
    /// The parameters of the run.
    pub started: RunStarted,
    /// The start time.
    pub at: DateTime<Utc>,
    /// The start and end of each step.
    pub waterfall: Waterfall,
    /// The steps, in the plan's order.
    pub steps: Vec<StepModel>,
    /// The build phases, in order of their first event.
    pub phases: Vec<Phase>,
    /// The outcome and duration in seconds; none while running or if interrupted.
    pub ended: Option<(Outcome, f64)>,
}

/// A step of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct StepModel {
    /// The planned step.
    pub step: Step,
    /// The state.
    pub state: StepState,
    /// The number of retried calls.
    pub retries: u32,
    /// The reason of the last retry.
    pub retry_reason: Option<String>,
    /// The last progress message.
    pub progress: Option<String>,
    /// The planned changes of its change set or plan.
    pub changes: Vec<PlannedChange>,
    /// The warnings.
    pub warnings: Vec<String>,
    /// The outputs, by name.
    pub outputs: Vec<(String, String)>,
}

/// A planned change of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedChange {
    /// The action, for example `add`.
    pub action: String,
    /// The logical ID in the template.
    pub logical_id: String,
    /// The resource type.
    pub resource_type: String,
}

/// The state of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum StepState {
    /// It has not started.
    Waiting,
    /// It is running.
    Running {
        /// The start time.
        since: DateTime<Utc>,
        /// Whether a call is being retried.
        retrying: bool,
    },
    /// It finished, after a duration in seconds.
    Done(f64),
    /// It failed, after a duration in seconds.
    Failed(f64, Box<Failure>),
    /// It was skipped.
    Skipped(SkipReason),
}

/// A build phase.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// CodeBuild's phase name.
    pub name: String,
    /// The state.
    pub state: PhaseState,
    /// The time of its first event.
    pub since: DateTime<Utc>,
    /// CodeBuild's failure message.
    pub context: Option<String>,
}

/// The state of a build phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PhaseState {
    /// It is running.
    Running,
    /// It finished, after a duration in seconds.
    Done(f64),
    /// It failed, was stopped or timed out, after a duration in seconds.
    Failed(f64),
}

impl RunModel {
    /// Creates the run from its first event; none for another event.
    pub fn begin(event: &Event) -> Option<Self> {
        let EventKind::RunStarted(started) = &event.kind else { return None };
        let step = |step: &Step| StepModel {
            step: step.clone(),
            state: StepState::Waiting,
            retries: 0,
            retry_reason: None,
            progress: None,
            changes: Vec::new(),
            warnings: Vec::new(),
            outputs: Vec::new(),
        };
        Some(Self {
            id: event.run.clone(),
            at: event.at,
            waterfall: Waterfall::new(started, event.at),
            steps: started.plan.steps().iter().map(step).collect(),
            started: (**started).clone(),
            phases: Vec::new(),
            ended: None,
        })
    }

    /// Applies an event of the run.
    pub fn apply(&mut self, event: &Event) {
        self.waterfall.apply(event);
        match &event.kind {
            EventKind::StepStarted { step } => {
                self.set(step, StepState::Running { since: event.at, retrying: false });
            }
            EventKind::StepProgress { step, message, done, total } => {
                if let Some(model) = self.step_mut(step) {
                    model.progress = Some(match (done, total) {
                        (Some(done), Some(total)) => format!("{message} ({done}/{total})"),
                        _ => message.clone(),
                    });
                    model.set_retrying(false);
                }
            }
            EventKind::StepRetried { step, reason, .. } => {
                if let Some(model) = self.step_mut(step) {
                    model.retries += 1;
                    model.retry_reason = Some(reason.clone());
                    model.set_retrying(true);
                }
            }
            EventKind::WarningGiven { step, message } => {
                if let Some(model) = self.step_mut(step) {
                    model.warnings.push(message.clone());
                }
            }
            EventKind::OutputGiven { step, name, value } => {
                if let Some(model) = self.step_mut(step) {
                    model.outputs.push((name.clone(), value.clone()));
                }
            }
            EventKind::BuildPhase { phase, status, seconds, context } => {
                self.phase(phase, status, *seconds, context.as_deref(), event.at);
            }
            EventKind::StepFinished { step, seconds } => self.set(step, StepState::Done(*seconds)),
            EventKind::StepFailed { step, seconds, error } => {
                self.set(step, StepState::Failed(*seconds, Box::new(error.clone())));
            }
            EventKind::StepSkipped { step, reason } => self.set(step, StepState::Skipped(*reason)),
            EventKind::RunFinished { outcome, seconds } => self.ended = Some((*outcome, *seconds)),
            EventKind::RunStarted(_)
            | EventKind::ResourceChanged { .. }
            | EventKind::LogLine { .. }
            | EventKind::ToolFound { .. }
            | EventKind::TestUploadStage { .. }
            | EventKind::Unknown(_) => {}
            EventKind::ChangePlanned { step, action, logical_id, resource_type } => {
                if let Some(model) = self.step_mut(step) {
                    model.changes.push(PlannedChange {
                        action: action.clone(),
                        logical_id: logical_id.clone(),
                        resource_type: resource_type.clone(),
                    });
                }
            }
        }
    }

    fn phase(&mut self, name: &str, status: &str, seconds: Option<f64>, context: Option<&str>, at: DateTime<Utc>) {
        let state = match (status, seconds) {
            ("SUCCEEDED", seconds) => PhaseState::Done(seconds.unwrap_or(0.0)),
            ("IN_PROGRESS" | "QUEUED", _) | (_, None) => PhaseState::Running,
            (_, Some(seconds)) => PhaseState::Failed(seconds),
        };
        let context = context.filter(|context| !context.is_empty()).map(str::to_owned);
        match self.phases.iter_mut().find(|phase| phase.name == name) {
            Some(phase) => {
                phase.state = state;
                phase.context = context.or(phase.context.take());
            }
            None => self.phases.push(Phase { name: name.to_owned(), state, since: at, context }),
        }
    }

    fn set(&mut self, id: &StepId, state: StepState) {
        if let Some(model) = self.step_mut(id) {
            model.state = state;
        }
    }

    fn step_mut(&mut self, id: &StepId) -> Option<&mut StepModel> {
        self.steps.iter_mut().find(|model| model.step.id == *id)
    }

    /// The step with an ID.
    pub fn step(&self, id: &StepId) -> Option<&StepModel> {
        self.steps.iter().find(|model| model.step.id == *id)
    }

    /// The step that creates or deletes a resource.
    pub fn step_for(&self, kind: ResourceKind) -> Option<&StepModel> {
        let own = self.steps.iter().find(|model| model.step.resource == Some(kind));
        own.or_else(|| self.steps.iter().find(|model| model.step.also.contains(&kind)))
    }

    /// The running step of a resource, else the one that creates or deletes it.
    pub fn active_step_for(&self, kind: ResourceKind) -> Option<&StepModel> {
        let at_work = |model: &&StepModel| {
            matches!(model.state, StepState::Running { .. }) && model.step.resources().any(|one| one == kind)
        };
        self.steps.iter().find(at_work).or_else(|| self.step_for(kind))
    }

    /// The number of finished steps.
    pub fn finished_count(&self) -> usize {
        self.steps.iter().filter(|model| model.state.is_over()).count()
    }

    /// The failed steps with their failures.
    pub fn failures(&self) -> impl Iterator<Item = (&Step, &Failure)> {
        self.steps.iter().filter_map(|model| match &model.state {
            StepState::Failed(_, failure) => Some((&model.step, &**failure)),
            _ => None,
        })
    }

    /// The elapsed or total duration in seconds. An interrupted run ends at its last event.
    pub fn seconds(&self, now: DateTime<Utc>, is_live: bool) -> f64 {
        match self.ended {
            Some((_, seconds)) => seconds,
            None if is_live => (now - self.at).as_seconds_f64().max(0.0),
            None => self.waterfall.length(0.0),
        }
    }
}

impl StepModel {
    fn set_retrying(&mut self, now: bool) {
        if let StepState::Running { retrying, .. } = &mut self.state {
            *retrying = now;
        }
    }
}

impl StepState {
    /// Whether the step is finished, failed or skipped.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(..) | Self::Skipped(_))
    }
}
