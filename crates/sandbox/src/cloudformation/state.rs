//! The state of CloudFormation: stacks with their resources and events, change sets, macros.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::resource_types::Created;
use super::template::{Policy, ResourceValues};

/// The detailed status of a configured resource or stack that is not yet stable.
pub(super) const CONFIGURED: &str = "CONFIGURATION_COMPLETE";

/// The status reason with it.
pub(super) const CONSISTENCY: &str = "Eventual consistency check initiated";

/// The number of deleted stacks kept for their events. AWS keeps them for 90 days.
const DELETED_KEPT: usize = 40;

/// The whole state.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct State {
    pub stacks: Vec<Stack>,
    pub change_sets: Vec<ChangeSet>,
    /// The functions of macros, by `REGION/NAME`.
    pub macros: BTreeMap<String, String>,
}

/// The desired state of a stack.
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

/// The running operation of a stack, which a restarted sandbox resumes.
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
        /// Whether it follows a failed creation.
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
    /// The access key of the caller.
    pub access_key: Option<String>,
    pub work: Option<Work>,
    pub resources: Vec<Resource>,
    /// Replaced resources to delete.
    pub replaced: Vec<Resource>,
    pub outputs: Vec<Value>,
    pub events: Vec<Value>,
    /// The serialized stack until it changes, since each change writes all stacks.
    #[serde(skip)]
    pub written: Option<Arc<str>>,
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
    /// The `DeletionPolicy`.
    pub deletion: Policy,
    /// The `UpdateReplacePolicy`.
    pub replacement: Policy,
    /// The stack's tags on it.
    pub tags: Vec<(String, String)>,
    /// Whether it exists: its creation was confirmed.
    #[serde(rename = "there")]
    pub exists: bool,
    /// The last change, if it is not confirmed.
    #[serde(rename = "making")]
    pub pending: Option<PendingChange>,
    /// It replaced another one in an update that is rolled back.
    pub given_up: bool,
}

/// An unconfirmed change, saved before its first call: after a restart it may be done in part or completely.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct PendingChange {
    /// Whether it creates a resource or updates one.
    #[serde(rename = "anew")]
    pub creates: bool,
    pub physical_id: String,
    pub chance: String,
    pub properties: Value,
}

impl Resource {
    pub(super) fn created(&self) -> Created {
        Created {
            physical_id: self.physical_id.clone(),
            reference: self.reference.clone(),
            attributes: self.attributes.clone(),
        }
    }

    pub(super) fn take(&mut self, created: Created) {
        self.physical_id = created.physical_id;
        self.reference = created.reference;
        self.attributes = created.attributes;
        self.exists = true;
        self.pending = None;
    }

    /// `CREATE` or `UPDATE`, by the status.
    pub(super) fn verb(&self) -> &'static str {
        if self.status.starts_with("CREATE") { "CREATE" } else { "UPDATE" }
    }
}

/// The references and attributes of a stack's resources.
impl ResourceValues for Vec<Resource> {
    fn reference(&self, logical_id: &str) -> Option<String> {
        let resource = self.iter().find(|resource| resource.exists && resource.logical_id == logical_id)?;
        Some(resource.reference.clone().unwrap_or_else(|| resource.physical_id.clone()))
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value> {
        let resource = self.iter().find(|resource| resource.exists && resource.logical_id == logical_id)?;
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
    /// The access key of the caller, whose permissions its macros have.
    pub access_key: Option<String>,
    pub token: Option<String>,
    pub goal: Goal,
    pub changes: Vec<Value>,
}

/// The execution status after the execution.
pub(super) const EXECUTED: &str = "EXECUTE_COMPLETE";

/// The execution status after another change of the stack.
pub(super) const OBSOLETE: &str = "OBSOLETE";

impl State {
    /// Marks the change sets of a changed stack: deletes all but the executed one, or marks them as obsolete.
    pub(super) fn supersede_change_sets(&mut self, stack_id: &str, executed: Option<&str>) {
        if let Some(executed) = executed {
            self.change_sets.retain(|set| set.stack_id != stack_id || set.id == executed);
        }
        for set in self.change_sets.iter_mut().filter(|set| set.stack_id == stack_id) {
            if executed == Some(set.id.as_str()) {
                EXECUTED.clone_into(&mut set.execution);
            } else if set.can_come_to_execution() {
                OBSOLETE.clone_into(&mut set.execution);
            }
        }
    }
}

impl ChangeSet {
    /// Whether its evaluation is pending.
    pub(super) fn is_pending(&self) -> bool {
        self.status == "CREATE_PENDING"
    }

    /// Whether it can be executed now or after its evaluation.
    pub(super) fn can_come_to_execution(&self) -> bool {
        self.is_pending() || self.execution == "AVAILABLE"
    }
}

/// The current time in CloudFormation's format.
pub(super) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl State {
    /// Finds a stack by its ARN, or an existing one by its name.
    pub(super) fn find(&self, region: &str, name: &str) -> Option<&Stack> {
        let mut here = self.stacks.iter().filter(|stack| stack.region == region);
        here.find(|stack| stack.id == name || (stack.name == name && stack.status != "DELETE_COMPLETE"))
    }

    /// A stack to change.
    pub(super) fn stack(&mut self, id: &str) -> Option<&mut Stack> {
        let stack = self.stacks.iter_mut().find(|stack| stack.id == id)?;
        stack.written = None;
        Some(stack)
    }

    /// Drops the oldest deleted stacks.
    pub(super) fn forget_long_deleted(&mut self) {
        let mut deleted = self.stacks.iter().filter(|stack| stack.status == "DELETE_COMPLETE").count();
        self.stacks.retain(|stack| {
            let too_many = deleted > DELETED_KEPT && stack.status == "DELETE_COMPLETE";
            deleted -= usize::from(too_many);
            !too_many
        });
    }

    /// Serializes the state as [`serde_json::to_vec`] would, with cached stacks.
    pub(super) fn write(&mut self) -> serde_json::Result<Vec<u8>> {
        let mut json = b"{\"stacks\":[".to_vec();
        for (index, stack) in self.stacks.iter_mut().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            let text = match &stack.written {
                Some(text) => text.clone(),
                None => stack.written.insert(serde_json::to_string(stack)?.into()).clone(),
            };
            json.extend_from_slice(text.as_bytes());
        }
        json.extend_from_slice(b"],\"change_sets\":");
        serde_json::to_writer(&mut json, &self.change_sets)?;
        json.extend_from_slice(b",\"macros\":");
        serde_json::to_writer(&mut json, &self.macros)?;
        json.push(b'}');
        Ok(json)
    }
}

impl Stack {
    /// Sets the stack's status and emits an event.
    pub(super) fn set_status(&mut self, status: &str, reason: Option<&str>) {
        self.status = status.to_owned();
        self.reason = reason.map(str::to_owned);
        self.detail = None;
        self.emit_stack_event();
    }

    /// Emits that all resources are configured but not all stable.
    pub(super) fn set_configured(&mut self) {
        self.detail = Some(CONFIGURED.to_owned());
        self.reason = Some(CONSISTENCY.to_owned());
        self.emit_stack_event();
    }

    fn emit_stack_event(&mut self) {
        let (name, id, status) = (self.name.clone(), self.id.clone(), self.status.clone());
        let (reason, detail) = (self.reason.clone(), self.detail.clone());
        self.event(&name, &id, "AWS::CloudFormation::Stack", &status, reason.as_deref(), None, detail.as_deref());
    }

    pub(super) fn resource(&mut self, logical_id: &str) -> Option<&mut Resource> {
        self.resources.iter_mut().find(|resource| resource.logical_id == logical_id)
    }

    /// Sets a resource's status and emits an event.
    pub(super) fn set_resource_status(&mut self, logical_id: &str, status: &str, reason: Option<&str>) {
        let Some(resource) = self.resource(logical_id) else { return };
        status.clone_into(&mut resource.status);
        resource.reason = reason.map(str::to_owned);
        resource.time = now();
        let resource = resource.clone();
        self.emit_resource_event(&resource, None);
    }

    /// Emits an event of a resource.
    pub(super) fn emit_resource_event(&mut self, resource: &Resource, detail: Option<&str>) {
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
        self.written = None;
        self.events.push(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(number: usize, status: &str) -> Stack {
        let mut stack = Stack { id: number.to_string(), ..Stack::default() };
        stack.set_status(status, None);
        stack
    }

    #[test]
    fn cached_serialization_equals_the_full_one() {
        let mut state =
            State { stacks: vec![stack(1, "CREATE_COMPLETE"), stack(2, "CREATE_COMPLETE")], ..State::default() };
        state.macros.insert("here/m".to_owned(), "f".to_owned());
        for status in ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"] {
            let written = state.write().expect("serializable");
            assert_eq!(written, serde_json::to_vec(&state).expect("serializable"));
            state.stack("2").expect("existing stack").set_status(status, None);
        }
        state.stack("1").expect("existing stack").name = "another".to_owned();
        assert_eq!(state.write().expect("serializable"), serde_json::to_vec(&state).expect("serializable"));
    }

    #[test]
    fn only_the_oldest_deleted_stacks_are_dropped() {
        let stacks =
            (0..100).map(|number| stack(number, if number % 2 == 0 { "DELETE_COMPLETE" } else { "CREATE_COMPLETE" }));
        let mut state = State { stacks: stacks.collect(), ..State::default() };
        state.forget_long_deleted();
        let deleted: Vec<&str> =
            state.stacks.iter().filter(|one| one.status == "DELETE_COMPLETE").map(|one| one.id.as_str()).collect();
        assert_eq!((deleted.len(), deleted[0], state.stacks.len()), (DELETED_KEPT, "20", 90));
    }
}
