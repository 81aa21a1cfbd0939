//! The state of a watched run: a fold over its events, with their arrival times.

use std::collections::BTreeMap;
use std::time::Instant;

use thumbctl_core::event::{Action, Event, EventKind, RunStarted, SkipReason, StrategyKind, TestUploadStage};
use thumbctl_core::plan::StepId;
use thumbctl_core::resource::{ResourceKind, ResourceState};
use thumbctl_deploy::resource::descriptor;

/// A watched run.
#[derive(Clone, Debug)]
pub(crate) struct RunView {
    /// Its first event, once received.
    pub(crate) started: Option<RunStarted>,
    /// Its start.
    pub(crate) began: Instant,
    /// Its steps, in plan order.
    pub(crate) steps: Vec<StepView>,
    /// Whether the user has cancelled it.
    pub(crate) cancelling: bool,
    /// Its duration, once it has ended.
    pub(crate) seconds: Option<f64>,
}

/// A step of a watched run.
#[derive(Clone, Debug)]
pub(crate) struct StepView {
    /// Its id.
    pub(crate) id: StepId,
    /// Its title.
    pub(crate) title: String,
    /// Its dependencies.
    needs: Vec<StepId>,
    resource: Option<ResourceKind>,
    /// Its further resources, each with its last known state.
    other_resources: BTreeMap<ResourceKind, Option<ResourceState>>,
    /// Its state.
    pub(crate) state: StepState,
    /// Its current detail text.
    pub(crate) detail: String,
    /// The resource's name, once known.
    resource_name: String,
}

/// The state of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum StepState {
    /// It waits.
    Waiting,
    /// It runs.
    RunHandle {
        /// Its start.
        since: Instant,
        /// Whether a call is being retried.
        retrying: bool,
    },
    /// It succeeded, in this many seconds.
    Done(f64),
    /// It failed, after this many seconds.
    Failed(f64),
    /// It was skipped.
    Skipped(SkipReason),
}

impl StepView {
    /// The progress of a stack: the number of finished resources, and the last change.
    fn stack_progress(&self, kind: ResourceKind, state: ResourceState) -> String {
        let over = |state: &&Option<ResourceState>| {
            matches!(state, Some(ResourceState::Ready | ResourceState::Deleted | ResourceState::Failed))
        };
        let done = self.other_resources.values().filter(over).count();
        format!("{done} of {}: {} {state}", self.other_resources.len(), descriptor(kind).title)
    }
}

impl StepState {
    /// Whether it has ended or was skipped.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_) | Self::Skipped(_))
    }
}

impl RunView {
    /// Creates a run without events.
    pub(crate) fn new(now: Instant) -> Self {
        Self { started: None, began: now, steps: Vec::new(), cancelling: false, seconds: None }
    }

    /// The run's action.
    pub(crate) fn action(&self) -> Action {
        self.started.as_ref().map_or(Action::Deploy, |started| started.action)
    }

    /// The run's strategy, once it has started.
    pub(crate) fn strategy(&self) -> Option<StrategyKind> {
        self.started.as_ref().map(|started| started.strategy)
    }

    /// The number of finished steps, including those with nothing to do.
    pub(crate) fn done(&self) -> usize {
        let done =
            |state: &StepState| matches!(state, StepState::Done(_) | StepState::Skipped(SkipReason::AlreadyDone));
        self.steps.iter().filter(|step| done(&step.state)).count()
    }

    /// The title of the first unfinished dependency of a step.
    pub(crate) fn waits_for(&self, step: &StepView) -> Option<&str> {
        let open = |id: &&StepId| self.steps.iter().any(|other| other.id == **id && !other.state.is_over());
        let first = step.needs.iter().find(open)?;
        self.steps.iter().find(|other| other.id == *first).map(|other| other.title.as_str())
    }

    fn step_mut(&mut self, id: &StepId) -> Option<&mut StepView> {
        self.steps.iter_mut().find(|step| step.id == *id)
    }

    /// Applies one more event.
    pub(crate) fn apply(&mut self, event: &Event, now: Instant) {
        match &event.kind {
            EventKind::RunStarted(started) => self.start(started, now),
            EventKind::StepStarted { step } => {
                self.set(step, StepState::RunHandle { since: now, retrying: false }, None);
            }
            EventKind::StepProgress { step, message, done, total } => {
                let message = match (done, total) {
                    (Some(done), Some(total)) => format!("{message} ({done}/{total})"),
                    _ => message.clone(),
                };
                self.set_detail(step, false, message);
            }
            EventKind::StepRetried { step, reason, attempt, .. } => {
                self.set_detail(step, true, format!("attempt {}: {reason}", attempt + 1));
            }
            EventKind::ResourceChanged { resource, name, note, state, .. } => {
                let running = |step: &&mut StepView| step.resource == Some(*resource) && !step.state.is_over();
                if let Some(step) = self.steps.iter_mut().find(running) {
                    step.resource_name = note.as_ref().map_or_else(|| name.clone(), |note| format!("{name} ({note})"));
                    step.detail.clone_from(&step.resource_name);
                }
                let has_resource = |step: &&mut StepView| {
                    step.other_resources.contains_key(resource) && matches!(step.state, StepState::RunHandle { .. })
                };
                if let Some(step) = self.steps.iter_mut().find(has_resource) {
                    step.other_resources.insert(*resource, Some(*state));
                    step.detail = step.stack_progress(*resource, *state);
                }
            }
            EventKind::TestUploadStage { image, stage, cold, path, .. } => {
                let detail = match path {
                    Some(path) => path.clone(),
                    None => stage.label(*cold).to_owned(),
                };
                self.set_image_detail(image, *stage, detail);
            }
            EventKind::StepFinished { step, seconds } => {
                // Replace the progress with the resource's name; the step of an image keeps the path of its thumbnail.
                let done =
                    self.steps.iter().find(|other| other.id == *step).filter(|_| self.action() != Action::TestUpload);
                let name = done.map(|done| done.resource_name.clone());
                self.set(step, StepState::Done(*seconds), name);
            }
            EventKind::StepFailed { step, seconds, error } => {
                self.set(step, StepState::Failed(*seconds), Some(error.message.clone()));
            }
            EventKind::StepSkipped { step, reason } => {
                let detail = super::skipped(*reason, self.action()).2.to_owned();
                self.set(step, StepState::Skipped(*reason), Some(detail));
            }
            EventKind::RunFinished { seconds, .. } => self.seconds = Some(*seconds),
            EventKind::BuildPhase { phase, seconds: None, .. } => {
                let building = |step: &&mut StepView| {
                    step.resource == Some(ResourceKind::Image) && matches!(step.state, StepState::RunHandle { .. })
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
            | EventKind::ChangePlanned { .. }
            | EventKind::Unknown(_) => {}
        }
    }

    fn start(&mut self, started: &RunStarted, now: Instant) {
        let step = |step: &thumbctl_core::plan::Step| StepView {
            id: step.id.clone(),
            title: step.title.clone(),
            needs: step.needs.clone(),
            resource: step.resource,
            other_resources: step.also.iter().map(|kind| (*kind, None)).collect(),
            state: StepState::Waiting,
            detail: String::new(),
            resource_name: String::new(),
        };
        self.steps = started.plan.steps().iter().map(step).collect();
        self.began = now;
        self.started = Some(started.clone());
    }

    /// Sets the detail of an image's step. The invocation, read from the log, may arrive after later stages and must not
    /// replace them.
    fn set_image_detail(&mut self, image: &str, stage: TestUploadStage, detail: String) {
        let about = |step: &&mut StepView| step.title.strip_suffix(image).is_some_and(|rest| rest.ends_with(' '));
        if let Some(step) = self.steps.iter_mut().find(about)
            && (stage != TestUploadStage::Invoked || step.detail == TestUploadStage::Uploaded.label(None))
        {
            step.detail = detail;
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

    fn set_detail(&mut self, id: &StepId, is_retry: bool, detail: String) {
        if let Some(step) = self.step_mut(id) {
            step.detail = detail;
            if let StepState::RunHandle { retrying, .. } = &mut step.state {
                *retrying = is_retry;
            }
        }
    }
}
