//! [`Deployment`]: the resources that runs have created and not deleted, as a fold over events. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use thumbctl_platform::text;

use crate::event::{
    Action, Event, EventKind, Failure, Outcome, RunId, StrategyKind, UnknownEvent, UnknownResource, UnknownRun, Word,
};
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
    /// The strategy. Resources of an unknown one are deleted by direct calls.
    pub strategy: StrategyKind,
    /// The name of a strategy of a newer version.
    pub unknown_strategy: Option<String>,
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
    /// The resources of unknown kinds, by kind and name.
    unknown_resources: BTreeMap<(String, String), UnknownResource>,
    unknown_events: usize,
}

impl Deployment {
    /// Creates a deployment without events.
    pub fn new(name: DeploymentName) -> Self {
        Self {
            name,
            origin: None,
            resources: BTreeMap::new(),
            runs: Vec::new(),
            unknown_resources: BTreeMap::new(),
            unknown_events: 0,
        }
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
            EventKind::RunStarted(_)
                | EventKind::ResourceChanged { .. }
                | EventKind::RunFinished { .. }
                | EventKind::Unknown(_)
        )
    }

    /// Applies one more event.
    pub fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted(started) => {
                let origin = Origin {
                    strategy: started.strategy,
                    unknown_strategy: None,
                    cloud: started.cloud.clone(),
                    account: started.account.clone(),
                    region: started.region.clone(),
                    names: started.names.clone(),
                };
                self.start(started.action == Action::Deploy, origin);
                self.runs.push(RunSummary {
                    id: event.run.clone(),
                    action: started.action,
                    started: event.at,
                    ended: None,
                });
            }
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
            EventKind::Unknown(unknown) => {
                match &**unknown {
                    UnknownEvent::RunStarted(run) => self.start_unknown(run),
                    UnknownEvent::ResourceChanged(change) => self.change_unknown(change),
                    UnknownEvent::Other => {}
                }
                self.unknown_events += 1;
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

    fn start(&mut self, is_deploy: bool, origin: Origin) {
        // After a complete destroy, the next deployment starts empty, with new names.
        if is_deploy && !self.has_resources() {
            self.resources.clear();
            self.unknown_resources.clear();
            self.unknown_events = 0;
        }
        // Only a deploy run sets the origin: `destroy --purge` may have run in another region.
        if is_deploy || self.origin.is_none() {
            self.origin = Some(origin);
        }
    }

    fn start_unknown(&mut self, run: &UnknownRun) {
        let UnknownRun { action, strategy, cloud, account, region, names } = run.clone();
        let unknown_strategy = if let Word::Unknown(name) = &strategy { Some(name.clone()) } else { None };
        let strategy = strategy.known().unwrap_or(StrategyKind::Sdk);
        // Where nothing is deployed, a run with an unknown action may deploy.
        let is_deploy = action.known().map_or(!self.has_resources(), |action| action == Action::Deploy);
        self.start(is_deploy, Origin { strategy, unknown_strategy, cloud, account, region, names });
    }

    /// Records a resource of an unknown kind. One of a known kind is found by its name and tag.
    fn change_unknown(&mut self, change: &UnknownResource) {
        if let Word::Unknown(kind) = &change.resource {
            let known = self.unknown_resources.remove(&(kind.clone(), change.name.clone()));
            let arn = change.arn.clone().or(known.and_then(|known| known.arn));
            let change = UnknownResource { arn, ..change.clone() };
            self.unknown_resources.insert((kind.clone(), change.name.clone()), change);
        }
    }

    /// Adds the deployment's resources that were found in the cloud, by kind.
    pub fn add_found(&mut self, kinds: impl IntoIterator<Item = ResourceKind>) {
        let Some(Origin { names, .. }) = &self.origin else { return };
        for kind in kinds {
            if !self.resources.get(&kind).is_some_and(|known| known.state.may_exist()) {
                let (name, state) = (names.of(kind), ResourceState::Ready);
                self.resources.insert(kind, Resource { kind, name, arn: None, state, seconds: None });
            }
        }
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

    /// The resources of unknown kinds that may exist in the cloud.
    pub fn unknown_resources(&self) -> impl Iterator<Item = &UnknownResource> {
        let is_deleted = |resource: &&UnknownResource| resource.state == Word::Known(ResourceState::Deleted);
        self.unknown_resources.values().filter(move |resource| !is_deleted(resource))
    }

    /// Whether any resource may exist in the cloud, known or unknown.
    pub fn has_resources(&self) -> bool {
        self.existing_resources().next().is_some() || self.unknown_resources().next().is_some()
    }

    /// Whether the deployment's journals have events of a newer version.
    pub fn has_unknown_events(&self) -> bool {
        self.unknown_events > 0
    }

    /// The warning that the deployment's journals have events of a newer version.
    pub fn unknown_events_warning(&self) -> Option<String> {
        let events = text::count(self.unknown_events, "event");
        let warning = format!("a newer thumbctl wrote {events} that this version skips; update thumbctl");
        self.has_unknown_events().then_some(warning)
    }

    /// The failure to delete resources of unknown kinds, if any may be left.
    pub fn unknown_resources_left(&self) -> Option<Failure> {
        let left: Vec<String> = self.unknown_resources().map(ToString::to_string).collect();
        let resources = text::count(left.len(), "resource");
        let failure = Failure::new(format!("{resources} unknown to this version may be left: {}", left.join(", ")));
        (!left.is_empty()).then(|| failure.with_hint("update thumbctl, then run `thumbctl destroy` again"))
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
    use crate::event::{RunStarted, VERSION};
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

    fn unknown(run: &str, kind: UnknownEvent) -> Event {
        event(run, 2, EventKind::Unknown(Box::new(kind)))
    }

    fn queue_changed(run: &str, state: ResourceState, arn: Option<&str>) -> Event {
        let change = UnknownResource {
            resource: Word::Unknown("dead_letter_queue".into()),
            name: "demo-00000001-failed".into(),
            arn: arn.map(str::to_owned),
            state: Word::Known(state),
        };
        unknown(run, UnknownEvent::ResourceChanged(change))
    }

    #[test]
    fn unknown_resource_exists_until_deleted() {
        let mut deployment = Deployment::fold(
            name(),
            &[
                started("1", Action::Deploy, 1),
                queue_changed("1", ResourceState::Creating, None),
                queue_changed("1", ResourceState::Ready, Some("arn:queue")),
                started("2", Action::Destroy, 1),
                queue_changed("2", ResourceState::Deleting, None),
            ],
        );
        assert!(deployment.has_resources());
        assert_eq!(deployment.resources().count(), 0);
        let warning = deployment.unknown_events_warning().expect("a warning");
        assert_eq!(warning, "a newer thumbctl wrote 3 events that this version skips; update thumbctl");
        let left = deployment.unknown_resources_left().expect("a failure").message;
        assert_eq!(left, "1 resource unknown to this version may be left: dead_letter_queue arn:queue");
        // A deploy run on what exists forgets nothing.
        deployment.apply(&started("3", Action::Deploy, 2));
        assert!(deployment.has_resources() && deployment.has_unknown_events());
        deployment.apply(&queue_changed("3", ResourceState::Deleted, None));
        assert_eq!((deployment.has_resources(), deployment.unknown_resources_left()), (false, None));
        deployment.apply(&started("4", Action::Deploy, 3));
        assert_eq!(deployment.unknown_events_warning(), None);
    }

    #[test]
    fn run_by_unknown_strategy_sets_origin() {
        let run = |action, suffix| {
            let names = Names::new(name(), Suffix::from_number(suffix));
            let (cloud, account, region) = ("aws".into(), "123456789012".into(), "eu-central-1".into());
            UnknownRun { action, strategy: Word::Unknown("pulumi".into()), cloud, account, region, names }
        };
        let started = |action, suffix| unknown("1", UnknownEvent::RunStarted(run(action, suffix)));
        let mut deployment = Deployment::fold(name(), &[started(Word::Known(Action::Deploy), 1)]);
        deployment.apply(&changed("1", ResourceKind::Repository, ResourceState::Ready, None));
        // It works on what exists.
        deployment.apply(&started(Word::Unknown("repair".into()), 2));
        let origin = deployment.origin().expect("an origin");
        assert_eq!((origin.cloud.as_str(), origin.unknown_strategy.as_deref()), ("aws", Some("pulumi")));
        assert_eq!(origin.names.suffix().as_str(), "00000001");
        assert!(deployment.is_ready(ResourceKind::Repository));
    }

    #[test]
    fn found_resources_are_added_by_name() {
        let mut deployment = Deployment::fold(
            name(),
            &[
                started("1", Action::Deploy, 1),
                changed("1", ResourceKind::Repository, ResourceState::Creating, None),
                changed("1", ResourceKind::BuildRole, ResourceState::Deleted, None),
            ],
        );
        deployment.add_found([ResourceKind::Repository, ResourceKind::BuildRole, ResourceKind::Function]);
        let found: Vec<_> = deployment.existing_resources().map(|it| (it.name.as_str(), it.state)).collect();
        let (creating, ready) = (ResourceState::Creating, ResourceState::Ready);
        assert_eq!(
            found,
            [("demo-00000001", creating), ("demo-00000001-build-role", ready), ("demo-00000001-function", ready)]
        );
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
