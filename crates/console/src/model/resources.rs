//! The rows of the list of resources, and the deployment status.

use thumbctl_core::event::{Action, Outcome, SkipReason};
use thumbctl_core::plan::{Plan, Step};
use thumbctl_core::resource::{ResourceKind, ResourceState};

use crate::model::Model;
use crate::model::activity::Activity;
use crate::model::run::{StepModel, StepState};

/// One row of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceRow {
    /// The kind of resource.
    pub kind: ResourceKind,
    /// The name in the cloud, if known.
    pub name: Option<String>,
    /// The ARN, once known.
    pub arn: Option<String>,
    /// The displayed state.
    pub state: ResourceDisplayState,
    /// The elapsed or total duration in seconds.
    pub seconds: Option<f64>,
}

/// The displayed state of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourceDisplayState {
    /// Its step has not started.
    Waiting,
    /// Its step is next.
    Next,
    /// It is being created.
    Creating,
    /// A call is being retried.
    Retrying,
    /// It is ready.
    Ready,
    /// Creating or deleting it failed.
    Failed,
    /// It is being deleted.
    Deleting,
    /// It was deleted.
    Deleted,
    /// Its step was interrupted; it may or may not exist.
    Unfinished,
}

impl ResourceDisplayState {
    /// The label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Next => "next",
            Self::Creating => "creating",
            Self::Retrying => "retrying",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Unfinished => "unfinished",
        }
    }
}

impl Model {
    /// The displayed plan: of the active or last run, else the preview.
    pub fn plan(&self) -> Option<&Plan> {
        let run = self.run.as_ref().filter(|_| self.shows_run()).map(|run| &run.started.plan);
        run.or_else(|| self.preview.as_ref().map(|preview| &preview.plan))
    }

    /// Whether the last run is displayed instead of the preview: it is active or left resources.
    fn shows_run(&self) -> bool {
        self.is_live() || self.deployment.has_resources() || self.preview.is_none()
    }

    /// Whether the last run is active, in any process.
    pub fn is_live(&self) -> bool {
        let open = self.run.as_ref().is_some_and(|run| run.ended.is_none());
        open && match &self.activity {
            Activity::Running(active) => active.id.as_ref() == self.run.as_ref().map(|run| &run.id),
            Activity::OtherProcess { .. } | Activity::Replay(_) => true,
            _ => false,
        }
    }

    /// All resources, in the plan's order.
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
            // A stack in review has a name but no resources.
            (Some(ResourceState::Creating), Some(StepState::Waiting)) if next == Some(kind) => {
                ResourceDisplayState::Next
            }
            (Some(ResourceState::Creating), Some(StepState::Waiting)) if kind.is_stack() => {
                ResourceDisplayState::Waiting
            }
            // Planned by a step that continues the running one.
            (Some(ResourceState::Creating), Some(StepState::Waiting))
                if step.is_some_and(|step| step.step.continues_previous) =>
            {
                ResourceDisplayState::Waiting
            }
            (Some(ResourceState::Creating | ResourceState::Deleting), _) => ResourceDisplayState::Unfinished,
            (_, _) if next == Some(kind) && !self.details.lost.contains(&kind) => ResourceDisplayState::Next,
            (Some(ResourceState::Ready), _) => ResourceDisplayState::Ready,
            (Some(ResourceState::Deleted), _) => ResourceDisplayState::Deleted,
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
        // Names are generated when a deployment starts.
        let names = self.deployment.origin().filter(|_| self.deployment.has_resources()).map(|origin| &origin.names);
        // A recreated resource has another name and duration.
        let resource =
            resource.filter(|resource| state != ResourceDisplayState::Next || resource.state != ResourceState::Deleted);
        ResourceRow {
            kind,
            name: resource.map(|resource| resource.name.clone()).or_else(|| Some(names?.of(kind))),
            arn: resource.and_then(|resource| resource.arn.clone()),
            state,
            seconds: running.or_else(|| resource.and_then(|resource| resource.seconds)),
        }
    }

    /// Whether the last run was cancelled during a resource's step.
    fn was_cancelled(&self, kind: ResourceKind) -> bool {
        let step = self.run.as_ref().and_then(|run| run.active_step_for(kind));
        step.is_some_and(|step| step.state == StepState::Skipped(SkipReason::Cancelled))
    }

    /// The step that `enter` would run: the held one, or the first incomplete one if no run is active.
    pub fn next_step(&self) -> Option<&Step> {
        match &self.activity {
            Activity::Running(active) => self.run.as_ref()?.step(active.held.as_ref()?).map(|model| &model.step),
            Activity::Idle | Activity::Preparing { .. } | Activity::Confirming { .. } => {
                let plan = &self.preview.as_ref()?.plan;
                plan.steps().iter().find(|step| !self.is_done(step, plan))
            }
            Activity::OtherProcess { .. } | Activity::Replay(_) => None,
        }
    }

    /// Whether a step is complete. A step without a resource is complete if a dependent step is.
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

    /// The status of the deployment.
    pub fn status(&self) -> DeploymentStatus {
        if self.is_live()
            && let Some(run) = &self.run
        {
            let held = self.activity.active_run().is_some_and(|active| active.held.is_some());
            let cancelling = self.activity.active_run().is_some_and(|active| active.cancelling);
            return match run.started.action {
                _ if cancelling => DeploymentStatus::Cancelling,
                Action::Destroy => DeploymentStatus::Destroying,
                Action::Deploy | Action::TestUpload if held && run.steps.iter().all(|step| !step.is_running()) => {
                    DeploymentStatus::Held
                }
                Action::Deploy | Action::TestUpload => DeploymentStatus::Deploying,
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
            Some((Action::Destroy, Some(Outcome::Succeeded))) if !self.deployment.has_resources() => {
                DeploymentStatus::Destroyed
            }
            Some((_, Some(Outcome::Failed))) if self.deployment.has_resources() => DeploymentStatus::Failed,
            _ if !self.deployment.has_resources() => DeploymentStatus::Empty,
            _ if !self.details.lost.is_empty() => DeploymentStatus::Partial,
            Some((Action::Deploy, _)) if self.deployment.is_complete() => DeploymentStatus::Ready,
            Some((_, None)) => DeploymentStatus::Interrupted,
            Some(_) => DeploymentStatus::Partial,
        }
    }
}

/// The status of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentStatus {
    /// The journals are being read.
    Reading,
    /// Nothing is deployed.
    Empty,
    /// A run is being prepared.
    Preparing,
    /// A deploy run is active.
    Deploying,
    /// A deploy run waits before its next step.
    Held,
    /// A destroy run is active.
    Destroying,
    /// A run is being cancelled.
    Cancelling,
    /// The deployment is complete.
    Ready,
    /// The deployment is incomplete.
    Partial,
    /// The last run failed.
    Failed,
    /// The last run was interrupted.
    Interrupted,
    /// The deployment was destroyed.
    Destroyed,
}

impl DeploymentStatus {
    /// The label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Reading => "reading journal",
            Self::Empty => "nothing deployed",
            Self::Preparing => "preparing",
            Self::Deploying => "deploying",
            Self::Held => "paused",
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
    /// Whether the step is running.
    pub fn is_running(&self) -> bool {
        matches!(self.state, StepState::Running { .. })
    }
}
