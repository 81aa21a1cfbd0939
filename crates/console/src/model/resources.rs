//! The list of resources: what is selected, and what each row says.

use thumbctl_core::event::{Action, Outcome, SkipReason};
use thumbctl_core::plan::{Plan, Step};
use thumbctl_core::resource::{ResourceKind, ResourceState};

use crate::model::Model;
use crate::model::run::{StepModel, StepState};

/// The list of resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourcesPane {
    /// The selected resource.
    pub selected: ResourceKind,
    /// Whether what the selected one depends on is marked.
    pub dependencies: bool,
}

impl Default for ResourcesPane {
    fn default() -> Self {
        Self { selected: ResourceKind::ARCHITECTURE[0], dependencies: false }
    }
}

/// One row of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceRow {
    /// What it is.
    pub kind: ResourceKind,
    /// Its name in the cloud, as far as it is known.
    pub name: Option<String>,
    /// Its ARN, once known.
    pub arn: Option<String>,
    /// What state it is in.
    pub state: ResourceDisplayState,
    /// Seconds: since it began while it is in progress, that it took afterwards.
    pub seconds: Option<f64>,
}

/// What state a resource is in, as far as people care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourceDisplayState {
    /// Its turn has not come.
    Waiting,
    /// Its step comes next.
    Next,
    /// It is being created.
    Creating,
    /// A call is about to be made again.
    Retrying,
    /// It is there and usable.
    Ready,
    /// Creating or deleting it failed.
    Failed,
    /// It is being deleted.
    Deleting,
    /// It is not there any more.
    Deleted,
    /// It was begun, and nobody works on it any more: it may or may not be there.
    Unfinished,
}

impl ResourceDisplayState {
    /// The word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Next => "next",
            Self::Creating => "creating",
            Self::Retrying => "retrying",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
            Self::Deleted => "gone",
            Self::Unfinished => "unfinished",
        }
    }
}

impl Model {
    /// The plan that is shown: of the run that is under way or was the last, else what a deployment would do.
    pub fn plan(&self) -> Option<&Plan> {
        let run = self.run.as_ref().filter(|_| self.shows_run()).map(|run| &run.started.plan);
        run.or_else(|| self.preview.as_ref().map(|preview| &preview.plan))
    }

    /// Whether the last run is what is to be seen, and not what could be done next: it is under way, or its traces stand.
    fn shows_run(&self) -> bool {
        self.is_live() || self.deployment.is_standing() || self.preview.is_none()
    }

    /// Whether the last run is under way, in whichever process.
    pub fn is_live(&self) -> bool {
        let open = self.run.as_ref().is_some_and(|run| run.ended.is_none());
        open && match &self.activity {
            super::activity::Activity::Running(active) => active.id.as_ref() == self.run.as_ref().map(|run| &run.id),
            super::activity::Activity::OtherProcess { .. } | super::activity::Activity::Replay(_) => true,
            _ => false,
        }
    }

    /// Every resource, in the plan's order. Before anything is there, all of them wait.
    pub fn resource_rows(&self) -> Vec<ResourceRow> {
        let planned: Vec<ResourceKind> = match &self.preview {
            Some(preview) => preview.plan.steps().iter().flat_map(Step::resources).collect(),
            None => self.run.iter().flat_map(|run| run.steps.iter().flat_map(|step| step.step.resources())).collect(),
        };
        let known = |kind: ResourceKind| planned.contains(&kind) || self.deployment.resource(kind).is_some();
        let all: &[ResourceKind] = if planned.is_empty() { &ResourceKind::ARCHITECTURE } else { &ResourceKind::ALL };
        let kinds = all.iter().copied().filter(|kind| planned.is_empty() || known(*kind));
        let next = self.next_step().and_then(|step| step.resource);
        kinds.map(|kind| self.resource_row(kind, next)).collect()
    }

    fn resource_row(&self, kind: ResourceKind, next: Option<ResourceKind>) -> ResourceRow {
        let resource = self.deployment.resource(kind);
        let step = self.run.as_ref().filter(|_| self.is_live()).and_then(|run| run.active_step_for(kind));
        let state = match (resource.map(|resource| resource.state), step.map(|step| &step.state)) {
            (_, Some(StepState::Running { retrying: true, .. })) => ResourceDisplayState::Retrying,
            (Some(ResourceState::Creating), Some(StepState::Running { .. })) => ResourceDisplayState::Creating,
            (Some(ResourceState::Deleting), Some(StepState::Running { .. })) => ResourceDisplayState::Deleting,
            (Some(ResourceState::Failed), _) if self.was_cancelled(kind) => ResourceDisplayState::Unfinished,
            (Some(ResourceState::Failed), _) => ResourceDisplayState::Failed,
            // A stack in review: there is its name, and nothing of it.
            (Some(ResourceState::Creating), Some(StepState::Waiting)) if next == Some(kind) => {
                ResourceDisplayState::Next
            }
            (Some(ResourceState::Creating), Some(StepState::Waiting)) if kind.is_stack() => {
                ResourceDisplayState::Waiting
            }
            // What is planned, by a step that goes on with the one that runs.
            (Some(ResourceState::Creating), Some(StepState::Waiting)) if step.is_some_and(|step| step.step.goes_on) => {
                ResourceDisplayState::Waiting
            }
            (Some(ResourceState::Creating | ResourceState::Deleting), _) => ResourceDisplayState::Unfinished,
            (_, _) if next == Some(kind) && !self.details.lost.contains(&kind) => ResourceDisplayState::Next,
            (Some(ResourceState::Ready), _) => ResourceDisplayState::Ready,
            (Some(ResourceState::Gone), _) => ResourceDisplayState::Deleted,
            (None, Some(StepState::Running { .. })) => ResourceDisplayState::Creating,
            (None, Some(StepState::Failed(..))) => ResourceDisplayState::Failed,
            (None, _) => ResourceDisplayState::Waiting,
        };
        let running = match step {
            Some(StepModel { state: StepState::Running { since, .. }, .. }) => {
                Some((self.now - *since).as_seconds_f64().max(0.0))
            }
            _ => None,
        };
        // A deployment that is not there has no names yet: they are drawn when it begins.
        let names = self.deployment.origin().filter(|_| self.deployment.is_standing()).map(|origin| &origin.names);
        // What is gone and comes next will have another name and take its own time.
        let resource =
            resource.filter(|resource| state != ResourceDisplayState::Next || resource.state != ResourceState::Gone);
        ResourceRow {
            kind,
            name: resource.map(|resource| resource.name.clone()).or_else(|| Some(names?.of(kind))),
            arn: resource.and_then(|resource| resource.arn.clone()),
            state,
            seconds: running.or_else(|| resource.and_then(|resource| resource.seconds)),
        }
    }

    /// Whether the last run was stopped while it worked on a resource: nothing failed, but nothing is known either.
    fn was_cancelled(&self, kind: ResourceKind) -> bool {
        let step = self.run.as_ref().and_then(|run| run.active_step_for(kind));
        step.is_some_and(|step| step.state == StepState::Skipped(SkipReason::Cancelled))
    }

    /// The step that `enter` would let go: the one that is held, or the first that is open where nothing runs.
    pub fn next_step(&self) -> Option<&Step> {
        use super::activity::Activity;
        match &self.activity {
            Activity::Running(active) => self.run.as_ref()?.step(active.held.as_ref()?).map(|model| &model.step),
            Activity::Idle | Activity::Preparing { .. } | Activity::Confirming { .. } => {
                let plan = &self.preview.as_ref()?.plan;
                plan.steps().iter().find(|step| !self.is_done(step, plan))
            }
            Activity::OtherProcess { .. } | Activity::Replay(_) => None,
        }
    }

    /// Whether what a step makes is there. One that makes no resource was done if one that needs it was.
    pub fn is_done(&self, step: &Step, plan: &Plan) -> bool {
        let is_there = |kind| self.deployment.is_ready(kind) && !self.details.lost.contains(&kind);
        match step.resource {
            Some(kind) => is_there(kind),
            None => plan
                .steps()
                .iter()
                .filter(|other| other.needs.contains(&step.id))
                .any(|other| other.resource.is_some_and(is_there)),
        }
    }

    /// What the deployment is, in a word or two, with how that is to be seen.
    pub fn status(&self) -> DeploymentStatus {
        use super::activity::Activity;
        if self.is_live()
            && let Some(run) = &self.run
        {
            let held = self.activity.active_run().is_some_and(|active| active.held.is_some());
            let cancelling = self.activity.active_run().is_some_and(|active| active.cancelling);
            return match run.started.action {
                _ if cancelling => DeploymentStatus::Cancelling,
                Action::Destroy => DeploymentStatus::Destroying,
                Action::Deploy | Action::Trial if held && run.steps.iter().all(|step| !step.is_running()) => {
                    DeploymentStatus::Held
                }
                Action::Deploy | Action::Trial => DeploymentStatus::Deploying,
            };
        }
        if matches!(self.activity, Activity::Preparing { .. }) {
            return DeploymentStatus::Preparing;
        }
        if !self.journals_read {
            return DeploymentStatus::Reading;
        }
        let ended = self.run.as_ref().map(|run| (run.started.action, run.ended.map(|(outcome, _)| outcome)));
        match ended {
            None => DeploymentStatus::Empty,
            Some((Action::Destroy, Some(Outcome::Succeeded))) if !self.deployment.is_standing() => {
                DeploymentStatus::Destroyed
            }
            Some((_, Some(Outcome::Failed))) if self.deployment.is_standing() => DeploymentStatus::Failed,
            _ if !self.deployment.is_standing() => DeploymentStatus::Empty,
            _ if !self.details.lost.is_empty() => DeploymentStatus::Partial,
            Some((Action::Deploy, _)) if self.deployment.is_complete() => DeploymentStatus::Ready,
            Some((_, None)) => DeploymentStatus::Interrupted,
            Some(_) => DeploymentStatus::Partial,
        }
    }
}

/// What a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentStatus {
    /// The journals are being read.
    Reading,
    /// Nothing is deployed.
    Empty,
    /// A run is being made ready.
    Preparing,
    /// A deployment is under way.
    Deploying,
    /// A deployment is held before its next step.
    Held,
    /// A teardown is under way.
    Destroying,
    /// A run is being cancelled.
    Cancelling,
    /// Everything stands.
    Ready,
    /// A part of it stands.
    Partial,
    /// The last run failed.
    Failed,
    /// The process of the last run died, or was left.
    Interrupted,
    /// Everything was destroyed.
    Destroyed,
}

impl DeploymentStatus {
    /// The words for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Reading => "reading the journal",
            Self::Empty => "nothing deployed",
            Self::Preparing => "preparing",
            Self::Deploying => "deploying",
            Self::Held => "waiting for you",
            Self::Destroying => "destroying",
            Self::Cancelling => "cancelling",
            Self::Ready => "deployed",
            Self::Partial => "partly deployed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Destroyed => "destroyed",
        }
    }
}

impl StepModel {
    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        matches!(self.state, StepState::Running { .. })
    }
}
