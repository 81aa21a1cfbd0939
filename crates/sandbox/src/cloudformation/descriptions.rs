//! The descriptions of stacks, resources and change sets in responses.

use awsim_core::AwsError;
use serde_json::{Map, Value, json};

use super::request::{invalid, text};
use super::state::{ChangeSet, Goal, Resource, Stack};
use super::template::Template;

/// The number of items per page.
const PAGE: usize = 100;

/// Removes null members, and wraps lists as the query protocol requires.
pub(super) fn wrapped(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(members.map(|(name, value)| (name, wrapped(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => json!({ "member": items.into_iter().map(wrapped).collect::<Vec<_>>() }),
        other => other,
    }
}

/// A page of a list.
pub(super) fn page(name: &str, all: Vec<Value>, input: &Value) -> Result<Value, AwsError> {
    let begin = match text(input, "NextToken") {
        None => 0,
        Some(token) => token.parse::<usize>().map_err(|_| invalid("The specified token is invalid"))?,
    };
    let end = (begin + PAGE).min(all.len());
    let next = (end < all.len()).then(|| end.to_string());
    let items = all.get(begin..end).unwrap_or_default();
    Ok(json!({ name: items, "NextToken": next }))
}

pub(super) fn tag_list(tags: &[(String, String)]) -> Vec<Value> {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// The parameters of a goal, with secret ones masked.
fn parameter_list(goal: &Goal) -> Vec<Value> {
    let template = match &goal.processed {
        // The macros are not called yet.
        Value::Null => Template::parse(&goal.text),
        processed => Template::from_document(processed.clone()),
    };
    let Ok(template) = template else { return Vec::new() };
    let declared = template.parameters().into_iter();
    let shown = declared.map(|parameter| {
        let supplied = goal.supplied.get(&parameter.name).cloned();
        let value = if parameter.no_echo { Some("****".to_owned()) } else { supplied.or(parameter.default) };
        json!({ "ParameterKey": parameter.name, "ParameterValue": value })
    });
    shown.collect()
}

pub(super) fn stack(stack: &Stack) -> Value {
    json!({
        "StackId": stack.id, "StackName": stack.name, "Description": stack.goal.processed["Description"],
        "Parameters": parameter_list(&stack.goal), "CreationTime": stack.created, "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted, "StackStatus": stack.status, "StackStatusReason": stack.reason,
        "DetailedStatus": stack.detail, "DisableRollback": stack.on_failure == "DO_NOTHING", "NotificationARNs": [], "RollbackConfiguration": {},
        "Capabilities": stack.goal.capabilities, "Outputs": stack.outputs, "Tags": tag_list(&stack.goal.tags),
        "EnableTerminationProtection": false, "DriftInformation": { "StackDriftStatus": "NOT_CHECKED" },
    })
}

pub(super) fn summary(stack: &Stack) -> Value {
    json!({
        "StackId": stack.id, "StackName": stack.name, "TemplateDescription": stack.goal.processed["Description"],
        "CreationTime": stack.created, "LastUpdatedTime": stack.updated, "DeletionTime": stack.deleted,
        "StackStatus": stack.status, "StackStatusReason": stack.reason,
        "DriftInformation": { "StackDriftStatus": "NOT_CHECKED" },
    })
}

/// A resource. `time` is the name of the member with its time, which differs between operations.
pub(super) fn resource(stack: &Stack, resource: &Resource, time: &str) -> Value {
    json!({
        "StackId": stack.id, "StackName": stack.name, "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": (!resource.physical_id.is_empty()).then_some(&resource.physical_id),
        "ResourceType": resource.type_name, time: resource.time, "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason, "DriftInformation": { "StackResourceDriftStatus": "NOT_CHECKED" },
    })
}

/// A change set with a page of its changes.
pub(super) fn change_set(set: &ChangeSet, stack: &Stack, input: &Value) -> Result<Value, AwsError> {
    let page = page("Changes", set.changes.clone(), input)?;
    Ok(json!({
        "ChangeSetId": set.id, "ChangeSetName": set.name, "StackId": stack.id, "StackName": stack.name,
        "Description": set.description, "Parameters": parameter_list(&set.goal), "CreationTime": set.created,
        "ExecutionStatus": set.execution, "Status": set.status, "StatusReason": set.reason, "NotificationARNs": [],
        "RollbackConfiguration": {}, "Capabilities": set.goal.capabilities, "Tags": tag_list(&set.goal.tags),
        "Changes": page["Changes"], "NextToken": page["NextToken"], "OnStackFailure": set.on_failure,
        "IncludeNestedStacks": false,
    }))
}
