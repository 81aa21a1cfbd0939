//! [`Deployment`]: what runs have left standing, as a fold over events. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::event::{Action, Event, EventKind, Outcome, RunId, RunStarted, StrategyKind};
use crate::names::{DeploymentName, Names};
use crate::resource::{ResourceKind, ResourceState};

/// What is known of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// What it is in the architecture.
    pub kind: ResourceKind,
    /// Its name in the cloud.
    pub name: String,
    /// Its ARN, once known.
    pub arn: Option<String>,
    /// What state it is in.
    pub state: ResourceState,
    /// How long its last change took, in seconds.
    pub seconds: Option<f64>,
}

/// One run, in a line.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// What it did.
    pub action: Action,
    /// When it began.
    pub started: DateTime<Utc>,
    /// How it ended and after how many seconds; none while it runs, or when its process died.
    pub ended: Option<(Outcome, f64)>,
}

/// Where and how a deployment was made; one deployment never changes these.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// By which way.
    pub strategy: StrategyKind,
    /// In which cloud, as it is called on the screen.
    pub cloud: String,
    /// In which account.
    pub account: String,
    /// In which region.
    pub region: String,
    /// Under which names.
    pub names: Names,
}

/// What runs have left standing.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    name: DeploymentName,
    origin: Option<Origin>,
    resources: BTreeMap<ResourceKind, Resource>,
    runs: Vec<RunSummary>,
}

impl Deployment {
    /// A deployment of which nothing is known yet.
    pub fn new(name: DeploymentName) -> Self {
        Self { name, origin: None, resources: BTreeMap::new(), runs: Vec::new() }
    }

    /// Folds events, in the order in which they happened, into what they left standing.
    pub fn fold<'a>(name: DeploymentName, events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut deployment = Self::new(name);
        for event in events {
            deployment.apply(event);
        }
        deployment
    }

    /// Whether an event can leave something standing, or anything else that a deployment knows of. The others, the lines of
    /// logs above all, need not be kept to fold it again.
    pub fn is_relevant(event: &Event) -> bool {
        matches!(
            event.kind,
            EventKind::RunStarted(_) | EventKind::ResourceChanged { .. } | EventKind::RunFinished { .. }
        )
    }

    /// Takes in one more event.
    pub fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted(started) => self.start(event, started),
            // Leftovers of an earlier deployment of this name, with names of their own, are not this one's resources.
            EventKind::ResourceChanged { resource, name, .. }
                if self.origin.as_ref().is_some_and(|origin| origin.names.of(*resource) != *name) => {}
            EventKind::ResourceChanged { resource, name, arn, state, seconds, .. } => {
                let known = self.resources.get(resource).and_then(|known| known.arn.clone());
                self.resources.insert(
                    *resource,
                    Resource {
                        kind: *resource,
                        name: name.clone(),
                        arn: arn.clone().or(known),
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
            // `is_relevant` says the same.
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
        // A deployment that was destroyed leaves nothing to go on from: a new one has new names.
        if started.action == Action::Deploy && !self.has_resources() {
            self.resources.clear();
        }
        // Only a deployment says where it is: a search for leftovers may have been made somewhere else.
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

    /// Where and how it was made, if a run has ever begun.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// What is known of a resource.
    pub fn resource(&self, kind: ResourceKind) -> Option<&Resource> {
        self.resources.get(&kind)
    }

    /// Every resource that was ever begun, in the plan's order.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values()
    }

    /// The resources that may be in the cloud.
    pub fn existing_resources(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values().filter(|resource| resource.state.may_exist())
    }

    /// Whether anything may be in the cloud.
    pub fn has_resources(&self) -> bool {
        self.existing_resources().next().is_some()
    }

    /// Whether the journal says that a resource is there and usable.
    pub fn is_ready(&self, kind: ResourceKind) -> bool {
        self.resource(kind).is_some_and(|resource| resource.state == ResourceState::Ready)
    }

    /// Whether everything that an image needs on its way is there.
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
    fn a_resource_whose_creation_was_never_answered_may_be_there() {
        let events =
            [started("1", Action::Deploy, 1), changed("1", ResourceKind::Repository, ResourceState::Creating, None)];
        let deployment = Deployment::fold(name(), &events);
        assert!(deployment.has_resources());
        assert!(!deployment.is_ready(ResourceKind::Repository));
        assert_eq!(deployment.runs()[0].ended, None);
    }

    #[test]
    fn a_search_for_leftovers_elsewhere_changes_nothing_about_what_stands() {
        let mut events = vec![
            started("1", Action::Deploy, 1),
            changed("1", ResourceKind::Repository, ResourceState::Ready, None),
            started("2", Action::Destroy, 9),
        ];
        let EventKind::RunStarted(purge) = &mut events[2].kind else { unreachable!("the run starts here") };
        purge.region = "us-west-2".into();
        let gone = EventKind::ResourceChanged {
            resource: ResourceKind::Repository,
            name: Names::new(name(), Suffix::from_number(9)).of(ResourceKind::Repository),
            arn: None,
            state: ResourceState::Deleted,
            seconds: None,
            note: None,
        };
        events.push(event("2", 1, gone));
        let deployment = Deployment::fold(name(), &events);
        assert!(deployment.is_ready(ResourceKind::Repository));
        assert_eq!(deployment.origin().map(|origin| origin.region.as_str()), Some("eu-central-1"));
    }

    #[test]
    fn an_arn_once_known_is_kept() {
        let events = [
            started("1", Action::Deploy, 1),
            changed("1", ResourceKind::Function, ResourceState::Ready, Some("arn:x")),
            changed("1", ResourceKind::Function, ResourceState::Deleting, None),
        ];
        let deployment = Deployment::fold(name(), &events);
        assert_eq!(deployment.resource(ResourceKind::Function).and_then(|r| r.arn.as_deref()), Some("arn:x"));
    }

    #[test]
    fn a_new_deployment_after_a_complete_destroy_forgets_the_old_one() {
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
