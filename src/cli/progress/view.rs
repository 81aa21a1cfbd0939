//! What is known of a run while it is watched: a fold over its events, with the time at which each came.

use std::collections::BTreeMap;
use std::time::Instant;

use thumbctl_core::event::{Action, Event, EventKind, RunStarted, SkipReason, StrategyKind, TestUploadStage};
use thumbctl_core::plan::StepId;
use thumbctl_core::resource::{ResourceKind, ResourceState};

/// A run that is being watched.
#[derive(Clone, Debug)]
pub(crate) struct RunView {
    /// How it began, once that is known.
    pub(crate) started: Option<RunStarted>,
    /// When it began.
    pub(crate) began: Instant,
    /// Its steps, in the plan's order.
    pub(crate) steps: Vec<StepView>,
    /// Whether the user has cancelled it.
    pub(crate) cancelling: bool,
    /// How long it took, once it has ended.
    pub(crate) seconds: Option<f64>,
}

/// One of its steps.
#[derive(Clone, Debug)]
pub(crate) struct StepView {
    /// Its name.
    pub(crate) id: StepId,
    /// What it does.
    pub(crate) title: String,
    /// What it must wait for.
    needs: Vec<StepId>,
    resource: Option<ResourceKind>,
    /// What else it makes or removes, and what was last heard of each.
    others: BTreeMap<ResourceKind, Option<ResourceState>>,
    /// Where it is.
    pub(crate) state: StepState,
    /// What there is to say about it now.
    pub(crate) detail: String,
    /// The resource's name, once it is told.
    name: String,
}

/// Where a step is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum StepState {
    /// It waits for others, or for its turn.
    Waiting,
    /// It runs.
    Running {
        /// Since when.
        since: Instant,
        /// Whether a call is about to be made again.
        retrying: bool,
    },
    /// It was done, in so many seconds.
    Done(f64),
    /// It failed, after so many seconds.
    Failed(f64),
    /// It was not run.
    Skipped(SkipReason),
}

impl StepView {
    /// How far a stack is: how many of its resources are done, and what happened last.
    fn said_of_others(&self, kind: ResourceKind, state: ResourceState) -> String {
        let over = |state: &&Option<ResourceState>| {
            matches!(state, Some(ResourceState::Ready | ResourceState::Deleted | ResourceState::Failed))
        };
        let done = self.others.values().filter(over).count();
        format!("{done} of {}: {} {state}", self.others.len(), kind.title())
    }
}

impl StepState {
    /// Whether nothing more happens to it.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_) | Self::Skipped(_))
    }
}

impl RunView {
    /// A run of which nothing has been heard.
    pub(crate) fn new(now: Instant) -> Self {
        Self { started: None, began: now, steps: Vec::new(), cancelling: false, seconds: None }
    }

    /// What the run does.
    pub(crate) fn action(&self) -> Action {
        self.started.as_ref().map_or(Action::Deploy, |started| started.action)
    }

    /// By which of the ways, once the run has begun.
    pub(crate) fn strategy(&self) -> Option<StrategyKind> {
        self.started.as_ref().map(|started| started.strategy)
    }

    /// How many steps are done, now or before.
    pub(crate) fn done(&self) -> usize {
        let done =
            |state: &StepState| matches!(state, StepState::Done(_) | StepState::Skipped(SkipReason::AlreadyDone));
        self.steps.iter().filter(|step| done(&step.state)).count()
    }

    /// What a waiting step waits for first, by its title.
    pub(crate) fn waits_for(&self, step: &StepView) -> Option<&str> {
        let open = |id: &&StepId| self.steps.iter().any(|other| other.id == **id && !other.state.is_over());
        let first = step.needs.iter().find(open)?;
        self.steps.iter().find(|other| other.id == *first).map(|other| other.title.as_str())
    }

    fn step_mut(&mut self, id: &StepId) -> Option<&mut StepView> {
        self.steps.iter_mut().find(|step| step.id == *id)
    }

    /// Takes in one more event.
    pub(crate) fn apply(&mut self, event: &Event, now: Instant) {
        match &event.kind {
            EventKind::RunStarted(started) => self.start(started, now),
            EventKind::StepStarted { step } => {
                self.set(step, StepState::Running { since: now, retrying: false }, None);
            }
            EventKind::StepProgress { step, message, done, total } => {
                let message = match (done, total) {
                    (Some(done), Some(total)) => format!("{message} ({done}/{total})"),
                    _ => message.clone(),
                };
                self.say(step, false, message);
            }
            EventKind::StepRetried { step, reason, attempt, .. } => {
                self.say(step, true, format!("try {}: {reason}", attempt + 1));
            }
            EventKind::ResourceChanged { resource, name, note, state, .. } => {
                let running = |step: &&mut StepView| step.resource == Some(*resource) && !step.state.is_over();
                if let Some(step) = self.steps.iter_mut().find(running) {
                    step.name = note.as_ref().map_or_else(|| name.clone(), |note| format!("{name} ({note})"));
                    step.detail.clone_from(&step.name);
                }
                let with_others = |step: &&mut StepView| {
                    step.others.contains_key(resource) && matches!(step.state, StepState::Running { .. })
                };
                if let Some(step) = self.steps.iter_mut().find(with_others) {
                    step.others.insert(*resource, Some(*state));
                    step.detail = step.said_of_others(*resource, *state);
                }
            }
            EventKind::TestUploadStage { image, stage, cold, path, .. } => {
                let words = match path {
                    Some(path) => path.clone(),
                    None => stage.label(*cold).to_owned(),
                };
                self.image(image, *stage, words);
            }
            EventKind::StepFinished { step, seconds } => {
                // What it was waiting for is over; an image's step has no resource, and says where the thumbnail is.
                let done =
                    self.steps.iter().find(|other| other.id == *step).filter(|_| self.action() != Action::TestUpload);
                let name = done.map(|done| done.name.clone());
                self.set(step, StepState::Done(*seconds), name);
            }
            EventKind::StepFailed { step, seconds, error } => {
                self.set(step, StepState::Failed(*seconds), Some(error.message.clone()));
            }
            EventKind::StepSkipped { step, reason } => {
                let words = super::skipped(*reason, self.action()).2.to_owned();
                self.set(step, StepState::Skipped(*reason), Some(words));
            }
            EventKind::RunFinished { seconds, .. } => self.seconds = Some(*seconds),
            EventKind::BuildPhase { phase, seconds: None, .. } => {
                let building = |step: &&mut StepView| {
                    step.resource == Some(ResourceKind::Image) && matches!(step.state, StepState::Running { .. })
                };
                if let Some(step) = self.steps.iter_mut().find(building) {
                    step.detail = format!("phase {phase}");
                }
            }
            EventKind::LogLine { .. }
            | EventKind::BuildPhase { .. }
            | EventKind::ToolFound { .. }
            | EventKind::WarningGiven { .. }
            | EventKind::OutputGiven { .. }
            | EventKind::ChangePlanned { .. } => {}
        }
    }

    fn start(&mut self, started: &RunStarted, now: Instant) {
        let step = |step: &thumbctl_core::plan::Step| StepView {
            id: step.id.clone(),
            title: step.title.clone(),
            needs: step.needs.clone(),
            resource: step.resource,
            others: step.also.iter().map(|kind| (*kind, None)).collect(),
            state: StepState::Waiting,
            detail: String::new(),
            name: String::new(),
        };
        self.steps = started.plan.steps().iter().map(step).collect();
        self.began = now;
        self.started = Some(started.clone());
    }

    /// What became of an image. That the function was started is heard last, from its log; by then there is better to say.
    fn image(&mut self, image: &str, stage: TestUploadStage, words: String) {
        let about = |step: &&mut StepView| step.title.strip_suffix(image).is_some_and(|rest| rest.ends_with(' '));
        if let Some(step) = self.steps.iter_mut().find(about)
            && (stage != TestUploadStage::Invoked || step.detail == TestUploadStage::Uploaded.label(None))
        {
            step.detail = words;
        }
    }

    fn set(&mut self, id: &StepId, state: StepState, detail: Option<String>) {
        if let Some(step) = self.step_mut(id) {
            step.state = state;
            if let Some(detail) = detail {
                step.detail = detail;
            }
        }
    }

    fn say(&mut self, id: &StepId, is_retry: bool, detail: String) {
        if let Some(step) = self.step_mut(id) {
            step.detail = detail;
            if let StepState::Running { retrying, .. } = &mut step.state {
                *retrying = is_retry;
            }
        }
    }
}
