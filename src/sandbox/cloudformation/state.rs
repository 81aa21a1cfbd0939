//! What CloudFormation keeps: stacks with their resources and events, change sets, macros.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::resource_types::Made;
use super::template::{Known, Policy};

/// The detailed status of what only waits until it is known everywhere.
pub(super) const CONFIGURED: &str = "CONFIGURATION_COMPLETE";

/// All of it.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct State {
    pub stacks: Vec<Stack>,
    pub change_sets: Vec<ChangeSet>,
    /// The functions of macros, by `REGION/NAME`.
    pub macros: BTreeMap<String, String>,
}

/// What a stack is to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Goal {
    pub text: String,
    /// The template after its macros, in JSON's long form.
    pub processed: Value,
    pub supplied: BTreeMap<String, String>,
    pub values: BTreeMap<String, Value>,
    pub tags: Vec<(String, String)>,
    pub capabilities: Vec<String>,
}

/// What a stack is doing, which a sandbox that begins again goes on with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Work {
    Create,
    Update {
        before: Box<Goal>,
    },
    Rollback,
    UpdateRollback {
        before: Box<Goal>,
    },
    Delete {
        retain: BTreeSet<String>,
        /// Its creation failed, and with it everything goes that it has made.
        undoes_creation: bool,
    },
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Stack {
    pub id: String,
    pub name: String,
    pub region: String,
    pub status: String,
    pub reason: Option<String>,
    pub detail: Option<String>,
    pub created: String,
    pub updated: Option<String>,
    pub deleted: Option<String>,
    pub goal: Goal,
    pub on_failure: String,
    pub token: Option<String>,
    /// Who works on it.
    pub access_key: Option<String>,
    pub work: Option<Work>,
    pub resources: Vec<Resource>,
    /// Replaced by others, and to be deleted.
    pub replaced: Vec<Resource>,
    pub outputs: Vec<Value>,
    pub events: Vec<Value>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Resource {
    pub logical_id: String,
    pub type_name: String,
    pub status: String,
    pub reason: Option<String>,
    pub time: String,
    pub physical_id: String,
    pub reference: Option<String>,
    pub attributes: Map<String, Value>,
    pub properties: Value,
    pub depends_on: BTreeSet<String>,
    /// What becomes of it when it is no longer wanted.
    pub deletion: Policy,
    /// What becomes of it when another takes its place.
    pub replacement: Policy,
    /// The stack's tags that are on it.
    pub tags: Vec<(String, String)>,
    /// It is there: the call that made it was answered.
    pub there: bool,
    /// What was last begun and is not known to be done.
    pub making: Option<Making>,
    /// It took another's place in an update that is rolled back.
    pub given_up: bool,
}

/// What was begun, as it is kept before the first call: it may be done in part, or wholly, when a sandbox begins again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Making {
    /// Something new is made, which was not there before; otherwise what is there is changed.
    pub anew: bool,
    pub physical_id: String,
    pub chance: String,
    pub properties: Value,
}

impl Resource {
    pub(super) fn made(&self) -> Made {
        Made {
            physical_id: self.physical_id.clone(),
            reference: self.reference.clone(),
            attributes: self.attributes.clone(),
        }
    }

    pub(super) fn take(&mut self, made: Made) {
        self.physical_id = made.physical_id;
        self.reference = made.reference;
        self.attributes = made.attributes;
        self.there = true;
        self.making = None;
    }

    /// `CREATE` or `UPDATE`: what is under way.
    pub(super) fn verb(&self) -> &'static str {
        if self.status.starts_with("CREATE") { "CREATE" } else { "UPDATE" }
    }
}

/// What a stack's resources stand for.
impl Known for Vec<Resource> {
    fn reference(&self, logical_id: &str) -> Option<String> {
        let resource = self.iter().find(|resource| resource.there && resource.logical_id == logical_id)?;
        Some(resource.reference.clone().unwrap_or_else(|| resource.physical_id.clone()))
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value> {
        let resource = self.iter().find(|resource| resource.there && resource.logical_id == logical_id)?;
        resource.attributes.get(attribute).cloned()
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct ChangeSet {
    pub id: String,
    pub name: String,
    pub stack_id: String,
    pub kind: String,
    pub status: String,
    pub execution: String,
    pub reason: Option<String>,
    pub created: String,
    pub description: Option<String>,
    pub on_failure: String,
    /// Who has asked for it, and so whose rights its macros are called with.
    pub access_key: Option<String>,
    pub token: Option<String>,
    pub goal: Goal,
    pub changes: Vec<Value>,
}

impl ChangeSet {
    /// Whether it is still being worked out.
    pub(super) fn is_pending(&self) -> bool {
        self.status == "CREATE_PENDING"
    }
}

/// Now, as CloudFormation writes it.
pub(super) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl State {
    /// A stack by its ARN, or one that is not deleted by its name.
    pub(super) fn find(&self, region: &str, name: &str) -> Option<&Stack> {
        let mut here = self.stacks.iter().filter(|stack| stack.region == region);
        here.find(|stack| stack.id == name || (stack.name == name && stack.status != "DELETE_COMPLETE"))
    }

    pub(super) fn stack(&mut self, id: &str) -> Option<&mut Stack> {
        self.stacks.iter_mut().find(|stack| stack.id == id)
    }
}

impl Stack {
    /// Changes the stack's status, and says so in an event.
    pub(super) fn turn(&mut self, status: &str, reason: Option<&str>) {
        self.status = status.to_owned();
        self.reason = reason.map(str::to_owned);
        self.detail = None;
        self.tell_of_itself();
    }

    /// Says that all resources are configured, and only the last waits remain.
    pub(super) fn turn_configured(&mut self) {
        self.detail = Some(CONFIGURED.to_owned());
        self.tell_of_itself();
    }

    fn tell_of_itself(&mut self) {
        let Self { name, id, status, reason, detail, .. } = self.clone();
        self.event(&name, &id, "AWS::CloudFormation::Stack", &status, reason.as_deref(), None, detail.as_deref());
    }

    pub(super) fn resource(&mut self, logical_id: &str) -> Option<&mut Resource> {
        self.resources.iter_mut().find(|resource| resource.logical_id == logical_id)
    }

    /// Changes a resource's status, and says so in an event.
    pub(super) fn turn_resource(&mut self, logical_id: &str, status: &str, reason: Option<&str>) {
        let Some(resource) = self.resource(logical_id) else { return };
        status.clone_into(&mut resource.status);
        resource.reason = reason.map(str::to_owned);
        resource.time = now();
        let resource = resource.clone();
        self.tell(&resource, None);
    }

    /// An event about a resource as it is.
    pub(super) fn tell(&mut self, resource: &Resource, detail: Option<&str>) {
        let Resource { logical_id, physical_id, type_name, status, reason, properties, .. } = resource;
        let properties = (!properties.is_null()).then(|| properties.to_string());
        self.event(logical_id, physical_id, type_name, status, reason.as_deref(), properties, detail);
    }

    #[allow(clippy::too_many_arguments)] // an event has as many members
    fn event(
        &mut self,
        logical: &str,
        physical: &str,
        kind: &str,
        status: &str,
        reason: Option<&str>,
        properties: Option<String>,
        detail: Option<&str>,
    ) {
        let event = json!({
            "StackId": self.id, "StackName": self.name, "EventId": uuid::Uuid::new_v4().to_string(),
            "LogicalResourceId": logical, "PhysicalResourceId": physical, "ResourceType": kind, "Timestamp": now(),
            "ResourceStatus": status, "ResourceStatusReason": reason, "ResourceProperties": properties,
            "DetailedStatus": detail, "ClientRequestToken": self.token,
        });
        self.events.push(event);
    }
}
