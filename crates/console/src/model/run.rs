//! [`RunModel`]: one run, as a fold over its events.

use chrono::{DateTime, Utc};

use thumbctl_core::event::{Event, EventKind, Failure, Outcome, RunId, RunStarted, SkipReason};
use thumbctl_core::plan::{Step, StepId};
use thumbctl_core::resource::ResourceKind;
use thumbctl_core::timing::Waterfall;

/// One run.
#[derive(Clone, Debug)]
pub struct RunModel {
    /// Its id.
    pub id: RunId,
    /// How it began.
    pub started: RunStarted,
    /// When it began.
    pub at: DateTime<Utc>,
    /// When each step ran.
    pub waterfall: Waterfall,
    /// Its steps, in the plan's order.
    pub steps: Vec<StepModel>,
    /// The build's phases, in the order in which they were heard of.
    pub phases: Vec<Phase>,
    /// How it ended and after how many seconds; none while it runs, or when its process died.
    pub ended: Option<(Outcome, f64)>,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct StepModel {
    /// What it is.
    pub step: Step,
    /// Where it is.
    pub state: StepState,
    /// How often a call of it was made again.
    pub retries: u32,
    /// Why a call of it was made again, the last time.
    pub retry_reason: Option<String>,
    /// What it says that it does or waits for.
    pub progress: Option<String>,
    /// What its change set says that it would do.
    pub changes: Vec<PlannedChange>,
    /// What is not as it should be, though the step goes on.
    pub warnings: Vec<String>,
    /// What the things that it made say of themselves, by name.
    pub outputs: Vec<(String, String)>,
}

/// What a change set would do to one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedChange {
    /// What would be done, for example `add`.
    pub action: String,
    /// The resource's name in the template.
    pub logical_id: String,
    /// The resource's type.
    pub resource_type: String,
}

/// Where a step is.
#[derive(Clone, Debug, PartialEq)]
pub enum StepState {
    /// It has not begun.
    Waiting,
    /// It runs.
    Running {
        /// Since when.
        since: DateTime<Utc>,
        /// Whether a call is about to be made again.
        retrying: bool,
    },
    /// It was done, in so many seconds.
    Done(f64),
    /// It failed, after so many seconds.
    Failed(f64, Box<Failure>),
    /// It was not run.
    Skipped(SkipReason),
}

/// A phase of the build.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// CodeBuild's name of it.
    pub name: String,
    /// Where it is.
    pub state: PhaseState,
    /// When it was heard of first.
    pub since: DateTime<Utc>,
    /// Why it failed, as CodeBuild says it.
    pub context: Option<String>,
}

/// Where a phase is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PhaseState {
    /// It runs.
    Running,
    /// It is over, after so many seconds.
    Done(f64),
    /// It failed, was stopped or timed out, after so many seconds.
    Failed(f64),
}

impl RunModel {
    /// The run that an event begins; none if the event begins no run.
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

    /// Takes in one more of its events.
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
            | EventKind::TrialStage { .. } => {}
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

    /// The step of a name.
    pub fn step(&self, id: &StepId) -> Option<&StepModel> {
        self.steps.iter().find(|model| model.step.id == *id)
    }

    /// The step that makes or removes a resource, by itself or with others.
    pub fn step_for(&self, kind: ResourceKind) -> Option<&StepModel> {
        let own = self.steps.iter().find(|model| model.step.resource == Some(kind));
        own.or_else(|| self.steps.iter().find(|model| model.step.also.contains(&kind)))
    }

    /// The step that works on a resource now, else the one that makes or removes it.
    pub fn active_step_for(&self, kind: ResourceKind) -> Option<&StepModel> {
        let at_work = |model: &&StepModel| {
            matches!(model.state, StepState::Running { .. }) && model.step.resources().any(|one| one == kind)
        };
        self.steps.iter().find(at_work).or_else(|| self.step_for(kind))
    }

    /// How many steps are over, whichever way.
    pub fn finished_count(&self) -> usize {
        self.steps.iter().filter(|model| model.state.is_over()).count()
    }

    /// The steps that failed, with why.
    pub fn failures(&self) -> impl Iterator<Item = (&Step, &Failure)> {
        self.steps.iter().filter_map(|model| match &model.state {
            StepState::Failed(_, failure) => Some((&model.step, &**failure)),
            _ => None,
        })
    }

    /// How long it has been running, or ran, in seconds. A run whose process died stands still at its last event.
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
    /// Whether nothing more happens to it.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(..) | Self::Skipped(_))
    }
}
