//! [`Deployment`]: the resources that runs have created and not deleted, as a fold over events. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::event::{Action, Event, EventKind, Outcome, RunId, RunStarted, StrategyKind};
use crate::names::{DeploymentName, Names};
use crate::resource::{ResourceKind, ResourceState};

/// One resource of a deployment, according to the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its role in the architecture.
    pub kind: ResourceKind,
    /// Its name in the cloud.
    pub name: String,
    /// Its ARN, once known.
    pub arn: Option<String>,
    /// Its state.
    pub state: ResourceState,
    /// How long its last change took, in seconds.
    pub seconds: Option<f64>,
}

/// The summary of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// Its action.
    pub action: Action,
    /// Its start time.
    pub started: DateTime<Utc>,
    /// Its outcome and duration in seconds; `None` while it runs, or if its process was killed.
    pub ended: Option<(Outcome, f64)>,
}

/// The strategy, cloud, account, region and names of a deployment, fixed at its first run.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The strategy.
    pub strategy: StrategyKind,
    /// The cloud's display name.
    pub cloud: String,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The names of its resources.
    pub names: Names,
}

/// The resources that runs have created and not deleted, with the runs themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    name: DeploymentName,
    origin: Option<Origin>,
    resources: BTreeMap<ResourceKind, Resource>,
    runs: Vec<RunSummary>,
}

impl Deployment {
    /// Creates a deployment without events.
    pub fn new(name: DeploymentName) -> Self {
        Self { name, origin: None, resources: BTreeMap::new(), runs: Vec::new() }
    }

    /// Folds events, oldest first, into a deployment.
    pub fn fold<'a>(name: DeploymentName, events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut deployment = Self::new(name);
        for event in events {
            deployment.apply(event);
        }
        deployment
    }

    /// Whether [`Self::apply`] uses an event. Other events, mainly log lines, need not be kept for another fold.
    pub fn is_relevant(event: &Event) -> bool {
        matches!(
            event.kind,
            EventKind::RunStarted(_) | EventKind::ResourceChanged { .. } | EventKind::RunFinished { .. }
        )
    }

    /// Applies one more event.
    pub fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted(started) => self.start(event, started),
            // Leftovers of an earlier deployment with the same name have another suffix and do not belong to this one.
            EventKind::ResourceChanged { resource, name, .. }
                if self.origin.as_ref().is_some_and(|origin| origin.names.of(*resource) != *name) => {}
            EventKind::ResourceChanged { resource, name, arn, state, seconds, .. } => {
                let known_arn = self.resources.get(resource).and_then(|earlier| earlier.arn.clone());
                self.resources.insert(
                    *resource,
                    Resource {
                        kind: *resource,
                        name: name.clone(),
                        arn: arn.clone().or(known_arn),
                        state: *state,
                        seconds: *seconds,
                    },
                );
            }
            EventKind::RunFinished { outcome, seconds } => {
                if let Some(run) = self.runs.iter_mut().rfind(|run| run.id == event.run) {
                    run.ended = Some((*outcome, *seconds));
                }
            }
            // Keep in step with `is_relevant`.
            EventKind::StepStarted { .. }
            | EventKind::StepProgress { .. }
            | EventKind::StepRetried { .. }
            | EventKind::LogLine { .. }
            | EventKind::ToolFound { .. }
            | EventKind::WarningGiven { .. }
            | EventKind::OutputGiven { .. }
            | EventKind::ChangePlanned { .. }
            | EventKind::BuildPhase { .. }
            | EventKind::TestUploadStage { .. }
            | EventKind::StepFinished { .. }
            | EventKind::StepFailed { .. }
            | EventKind::StepSkipped { .. } => {}
        }
    }

    fn start(&mut self, event: &Event, started: &RunStarted) {
        // After a complete destroy, the next deployment starts empty, with new names.
        if started.action == Action::Deploy && !self.has_resources() {
            self.resources.clear();
        }
        // Only a deploy run sets the origin: `destroy --purge` may have run in another region.
        if started.action == Action::Deploy || self.origin.is_none() {
            self.origin = Some(Origin {
                strategy: started.strategy,
                cloud: started.cloud.clone(),
                account: started.account.clone(),
                region: started.region.clone(),
                names: started.names.clone(),
            });
        }
        self.runs.push(RunSummary { id: event.run.clone(), action: started.action, started: event.at, ended: None });
    }

    /// Its name.
    pub fn name(&self) -> &DeploymentName {
        &self.name
    }

    /// Its origin, if any run has started.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// A resource, if any run has changed it.
    pub fn resource(&self, kind: ResourceKind) -> Option<&Resource> {
        self.resources.get(&kind)
    }

    /// Every resource that a run has changed, in plan order.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values()
    }

    /// The resources that may exist in the cloud.
    pub fn existing_resources(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values().filter(|resource| resource.state.may_exist())
    }

    /// Whether any resource may exist in the cloud.
    pub fn has_resources(&self) -> bool {
        self.existing_resources().next().is_some()
    }

    /// Whether a resource is ready, according to the journal.
    pub fn is_ready(&self, kind: ResourceKind) -> bool {
        self.resource(kind).is_some_and(|resource| resource.state == ResourceState::Ready)
    }

    /// Whether an uploaded image can become a thumbnail: source, function and destination are ready.
    pub fn is_complete(&self) -> bool {
        self.is_ready(ResourceKind::Notification) && self.is_ready(ResourceKind::DestinationBucket)
    }

    /// Its runs, oldest first.
    pub fn runs(&self) -> &[RunSummary] {
        &self.runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::VERSION;
    use crate::names::Suffix;
    use crate::plan::Plan;

    fn name() -> DeploymentName {
        DeploymentName::new("demo").expect("a legal name")
    }

    fn event(run: &str, seq: u64, kind: EventKind) -> Event {
        Event { v: VERSION, run: RunId::from_file_stem(run), seq, at: DateTime::UNIX_EPOCH, kind }
    }

    fn started(run: &str, action: Action, suffix: u32) -> Event {
        event(
            run,
            0,
            EventKind::RunStarted(Box::new(RunStarted {
                action,
                deployment: "demo".into(),
                strategy: StrategyKind::Sdk,
                cloud: "sandbox".into(),
                pace: None,
                account: "000000000000".into(),
                region: "eu-central-1".into(),
                names: Names::new(name(), Suffix::from_number(suffix)),
                plan: Plan::default(),
            })),
        )
    }

    fn changed(run: &str, kind: ResourceKind, state: ResourceState, arn: Option<&str>) -> Event {
        event(
            run,
            1,
            EventKind::ResourceChanged {
                resource: kind,
                name: Names::new(name(), Suffix::from_number(1)).of(kind),
                arn: arn.map(str::to_owned),
                state,
                seconds: None,
                note: None,
            },
        )
    }

    #[test]
    fn unconfirmed_creation_counts_as_existing() {
        let events =
            [started("1", Action::Deploy, 1), changed("1", ResourceKind::Repository, ResourceState::Creating, None)];
        let deployment = Deployment::fold(name(), &events);
        assert!(deployment.has_resources());
        assert!(!deployment.is_ready(ResourceKind::Repository));
        assert_eq!(deployment.runs()[0].ended, None);
    }

    #[test]
    fn purge_in_another_region_keeps_deployment() {
        let mut events = vec![
            started("1", Action::Deploy, 1),
            changed("1", ResourceKind::Repository, ResourceState::Ready, None),
            started("2", Action::Destroy, 9),
        ];
        let EventKind::RunStarted(purge) = &mut events[2].kind else { unreachable!("the first event starts the run") };
        purge.region = "us-west-2".into();
        let deleted = EventKind::ResourceChanged {
            resource: ResourceKind::Repository,
            name: Names::new(name(), Suffix::from_number(9)).of(ResourceKind::Repository),
            arn: None,
            state: ResourceState::Deleted,
            seconds: None,
            note: None,
        };
        events.push(event("2", 1, deleted));
        let deployment = Deployment::fold(name(), &events);
        assert!(deployment.is_ready(ResourceKind::Repository));
        assert_eq!(deployment.origin().map(|origin| origin.region.as_str()), Some("eu-central-1"));
    }

    #[test]
    fn known_arn_is_kept() {
        let events = [
            started("1", Action::Deploy, 1),
            changed("1", ResourceKind::Function, ResourceState::Ready, Some("arn:x")),
            changed("1", ResourceKind::Function, ResourceState::Deleting, None),
        ];
        let deployment = Deployment::fold(name(), &events);
        assert_eq!(deployment.resource(ResourceKind::Function).and_then(|r| r.arn.as_deref()), Some("arn:x"));
    }

    #[test]
    fn deploy_after_destroy_starts_empty() {
        let mut events = vec![
            started("1", Action::Deploy, 1),
            changed("1", ResourceKind::Repository, ResourceState::Ready, None),
            started("2", Action::Destroy, 1),
            changed("2", ResourceKind::Repository, ResourceState::Deleted, None),
        ];
        assert!(!Deployment::fold(name(), &events).has_resources());
        events.push(started("3", Action::Deploy, 2));
        let deployment = Deployment::fold(name(), &events);
        assert_eq!(deployment.resources().count(), 0);
        assert_eq!(deployment.origin().map(|origin| origin.names.suffix().as_str()), Some("00000002"));
    }
}
