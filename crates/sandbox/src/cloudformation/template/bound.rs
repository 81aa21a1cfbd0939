//! A template with evaluated conditions: its resources, their dependencies, properties and outputs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::references::{self, Reference};
use super::scope::{NoResources, Pseudo, Scope};
use super::{ResourceValues, TemplateError, Types, conditions, functions, properties, section};

/// The `DeletionPolicy` or `UpdateReplacePolicy` of a resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Policy {
    /// Deletes the resource.
    #[default]
    Delete,
    /// Retains the resource.
    Retain,
    /// Retains the resource, unless the operation that is rolled back created it.
    RetainExceptOnCreate,
}

/// A resource whose condition holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BoundResource {
    /// The name in the template.
    pub logical_id: String,
    /// `AWS::S3::Bucket`.
    pub type_name: String,
    /// The resources to create first, from `DependsOn` and from references.
    pub depends_on: BTreeSet<String>,
    /// Applies when the template drops the resource or the stack is deleted.
    pub deletion_policy: Policy,
    /// Applies when an update replaces the resource.
    pub update_replace_policy: Policy,
    /// The metadata, unresolved.
    pub metadata: Option<Value>,
}

/// An output of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    /// The name.
    pub key: String,
    /// The resolved value.
    pub value: String,
    /// The description in the template.
    pub description: Option<String>,
    /// The name under which it is exported.
    pub export_name: Option<String>,
}

/// A template with evaluated conditions.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    scope: Scope,
    resources: Vec<BoundResource>,
}

impl Bound {
    pub(super) fn new(
        document: Value,
        parameters: BTreeMap<String, Value>,
        pseudo: Pseudo,
        types: Types,
    ) -> Result<Self, TemplateError> {
        let mut scope = Scope { document, parameters, pseudo, conditions: BTreeMap::new() };
        scope.conditions = conditions::evaluate(&scope)?;
        properties::check(&scope, types)?;
        let resources = resources(&scope)?;
        check_outputs(&scope)?;
        check_functions(&scope)?;
        Ok(Self { scope, resources })
    }

    /// The resources whose condition holds, in the template's order.
    pub(crate) fn resources(&self) -> &[BoundResource] {
        &self.resources
    }

    /// A resource's properties, resolved, without those that are `AWS::NoValue`.
    pub(crate) fn properties(&self, logical_id: &str, values: &dyn ResourceValues) -> Result<Value, TemplateError> {
        let properties = self.scope.document["Resources"][logical_id].get("Properties");
        let resolved = properties.map(|properties| self.scope.resolve(properties, values)).transpose()?.flatten();
        Ok(resolved.unwrap_or_else(|| Value::Object(serde_json::Map::new())))
    }

    /// The outputs whose condition holds, in the template's order.
    pub(crate) fn outputs(&self, values: &dyn ResourceValues) -> Result<Vec<Output>, TemplateError> {
        let mut outputs = Vec::new();
        for (key, output) in enabled(&self.scope, "Outputs") {
            let text = |value: Option<&Value>| match value {
                Some(value) => self.scope.text(value, values),
                None => Ok(None),
            };
            let value = text(output.get("Value"))?.ok_or_else(|| {
                TemplateError::format(format!(
                    "Output {key} is malformed. The Value field of every Outputs member must evaluate to a String."
                ))
            })?;
            outputs.push(Output {
                key: key.clone(),
                value,
                description: output["Description"].as_str().map(str::to_owned),
                export_name: text(output.get("Export").and_then(|export| export.get("Name")))?,
            });
        }
        Ok(outputs)
    }
}

/// The entries of a section whose condition holds.
pub(super) fn enabled<'a>(scope: &'a Scope, block: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    section(&scope.document, block).filter(|(_, entry)| match entry.get("Condition").and_then(Value::as_str) {
        Some(condition) => scope.conditions.get(condition).copied().unwrap_or_default(),
        None => true,
    })
}

fn resources(scope: &Scope) -> Result<Vec<BoundResource>, TemplateError> {
    let included: BTreeSet<&str> = enabled(scope, "Resources").map(|(name, _)| name.as_str()).collect();
    let mut resources = Vec::new();
    let mut unresolved = Vec::new();
    for (name, resource) in enabled(scope, "Resources") {
        // A `DependsOn` on a resource with a false condition is ignored; a reference to it is an error.
        let mut depends_on: BTreeSet<String> =
            references::depends_on(resource).into_iter().filter(|name| included.contains(name.as_str())).collect();
        if let Some(properties) = resource.get("Properties") {
            for name in referenced_resources(properties, scope)? {
                if included.contains(name.as_str()) {
                    depends_on.insert(name);
                } else {
                    unresolved.push(name);
                }
            }
        }
        let policy = |attribute: &str| policy(scope, resource.get(attribute));
        resources.push(BoundResource {
            logical_id: name.clone(),
            type_name: resource["Type"].as_str().unwrap_or_default().to_owned(),
            depends_on,
            deletion_policy: policy("DeletionPolicy")?,
            update_replace_policy: policy("UpdateReplacePolicy")?,
            metadata: resource.get("Metadata").cloned(),
        });
    }
    if !unresolved.is_empty() {
        return Err(references::unresolved_in("Resources", unresolved));
    }
    let dependencies: Vec<_> =
        resources.iter().map(|resource| (resource.logical_id.clone(), resource.depends_on.clone())).collect();
    references::check_cycles(&dependencies)?;
    Ok(resources)
}

/// The resources that a value references in its selected branches.
fn referenced_resources(value: &Value, scope: &Scope) -> Result<Vec<String>, TemplateError> {
    let found = references::find(value, Some(scope))?.into_iter();
    Ok(found
        .filter_map(|reference| match reference {
            Reference::Name(name) if scope.document["Resources"].get(&name).is_some() => Some(name),
            Reference::Attribute { resource, .. } => Some(resource),
            _ => None,
        })
        .collect())
}

fn check_outputs(scope: &Scope) -> Result<(), TemplateError> {
    let included: BTreeSet<&str> = enabled(scope, "Resources").map(|(name, _)| name.as_str()).collect();
    let mut unresolved = Vec::new();
    for (_, output) in enabled(scope, "Outputs") {
        for part in ["Value", "Export"].iter().filter_map(|part| output.get(part)) {
            unresolved.extend(
                referenced_resources(part, scope)?.into_iter().filter(|name| !included.contains(name.as_str())),
            );
        }
    }
    if unresolved.is_empty() { Ok(()) } else { Err(references::unresolved_in("Outputs", unresolved)) }
}

/// Evaluates all functions without resource references, so that their errors occur before any resource is created.
fn check_functions(scope: &Scope) -> Result<(), TemplateError> {
    for block in ["Resources", "Outputs"] {
        for (_, entry) in enabled(scope, block) {
            for part in ["Properties", "Value", "Export"].iter().filter_map(|part| entry.get(part)) {
                evaluate_independent(part, scope)?;
            }
        }
    }
    Ok(())
}

fn evaluate_independent(value: &Value, scope: &Scope) -> Result<(), TemplateError> {
    let value = scope.select_branch(value);
    if functions::of(value).is_some() && referenced_resources(value, scope)?.is_empty() {
        return scope.resolve(value, &NoResources).map(drop);
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| evaluate_independent(item, scope)),
        Value::Object(entries) => entries.values().try_for_each(|value| evaluate_independent(value, scope)),
        _ => Ok(()),
    }
}

fn policy(scope: &Scope, value: Option<&Value>) -> Result<Policy, TemplateError> {
    let Some(value) = value else {
        return Ok(Policy::Delete);
    };
    match scope.text(value, &NoResources)?.as_deref() {
        Some("Delete") => Ok(Policy::Delete),
        Some("Retain") => Ok(Policy::Retain),
        Some("RetainExceptOnCreate") => Ok(Policy::RetainExceptOnCreate),
        other => {
            Err(TemplateError::format(format!("Unrecognized DeletionPolicy {}", other.unwrap_or("without a value"))))
        }
    }
}
