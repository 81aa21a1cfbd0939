//! The changes of a change set.

use serde_json::{Value, json};

use super::resource_types::{ResourceType, resource_type};
use super::state::{Goal, Resource, Stack};
use super::template::{Bound, TemplateError};

/// The changes from a stack to a goal: additions and modifications in the template's order, then removals.
pub(super) fn changes(bound: &Bound, goal: &Goal, stack: &Stack) -> Result<Vec<Value>, TemplateError> {
    let mut changes = Vec::new();
    for wanted in bound.resources() {
        let (name, type_name) = (&wanted.logical_id, &wanted.type_name);
        let old = stack.resources.iter().find(|old| old.logical_id == *name && old.exists);
        let Some((old, kind)) = old.zip(resource_type(type_name)) else {
            changes.push(change("Add", name, type_name, &json!({ "Scope": [], "Details": [] })));
            continue;
        };
        let what = match bound.properties(name, &stack.resources) {
            Ok(after) => modification(kind, old, &after, stack.goal.tags != goal.tags),
            // It depends on a resource that does not exist yet.
            Err(_) => Some(json!({
                "Replacement": "Conditional",
                "Scope": ["Properties"],
                "Details": [{
                    "Target": { "Attribute": "Properties", "RequiresRecreation": "Conditionally" },
                    "Evaluation": "Dynamic",
                    "ChangeSource": "ResourceReference",
                }],
            })),
        };
        if let Some(mut what) = what {
            what["PhysicalResourceId"] = old.physical_id.clone().into();
            changes.push(change("Modify", name, type_name, &what));
        }
    }
    for old in stack.resources.iter().filter(|old| old.exists) {
        if !bound.resources().iter().any(|wanted| wanted.logical_id == old.logical_id) {
            let what = json!({ "PhysicalResourceId": old.physical_id, "Scope": [], "Details": [] });
            changes.push(change("Remove", &old.logical_id, &old.type_name, &what));
        }
    }
    Ok(changes)
}

fn change(action: &str, name: &str, type_name: &str, what: &Value) -> Value {
    let mut of_resource = json!({ "Action": action, "LogicalResourceId": name, "ResourceType": type_name });
    for (member, value) in what.as_object().into_iter().flatten() {
        of_resource[member] = value.clone();
    }
    json!({ "Type": "Resource", "ResourceChange": of_resource })
}

/// The modification of a resource; nothing if it is unchanged.
fn modification(kind: &ResourceType, old: &Resource, after: &Value, retagged: bool) -> Option<Value> {
    let changed = kind.properties.iter().filter(|own| old.properties[own.name] != after[own.name]);
    let mut details: Vec<Value> = changed
        .map(|own| {
            let recreation = if own.replaces { "Always" } else { "Never" };
            json!({
                "Target": { "Attribute": "Properties", "Name": own.name, "RequiresRecreation": recreation },
                "Evaluation": "Static",
                "ChangeSource": "DirectModification",
            })
        })
        .collect();
    let mut scope = Vec::new();
    if !details.is_empty() {
        scope.push("Properties");
    }
    if retagged && kind.carries_tags() {
        scope.push("Tags");
        details.push(json!({
            "Target": { "Attribute": "Tags", "RequiresRecreation": "Never" },
            "Evaluation": "Static",
            "ChangeSource": "DirectModification",
        }));
    }
    let replaces = kind.replaces(&old.properties, after);
    let replacement = if replaces { "True" } else { "False" };
    (!scope.is_empty()).then(|| json!({ "Replacement": replacement, "Scope": scope, "Details": details }))
}
