//! A template whose conditions are decided: what there is to make, in which order, and of what.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::references::{self, Reference};
use super::scope::{Nothing, Pseudo, Scope};
use super::{ResourceValues, TemplateError, Types, conditions, functions, properties, section};

/// What becomes of a resource that its stack no longer has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Policy {
    /// It is deleted.
    #[default]
    Delete,
    /// It stays.
    Retain,
    /// It stays, unless it was made by the operation that is rolled back.
    RetainExceptOnCreate,
}

/// A resource that there is to make.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BoundResource {
    /// Its name in the template.
    pub logical_id: String,
    /// `AWS::S3::Bucket`.
    pub type_name: String,
    /// What has to be made before it, said or implied.
    pub depends_on: BTreeSet<String>,
    /// What becomes of it when the template or the stack goes.
    pub deletion_policy: Policy,
    /// What becomes of it when another takes its place.
    pub update_replace_policy: Policy,
    /// Its metadata, as they stand in the template.
    pub metadata: Option<Value>,
}

/// An output of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    /// Its name.
    pub key: String,
    /// What it came to.
    pub value: String,
    /// What the template says of it.
    pub description: Option<String>,
    /// The name under which it is exported.
    pub export_name: Option<String>,
}

/// A template whose conditions are decided.
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
    pub(crate) fn properties(&self, logical_id: &str, known: &dyn ResourceValues) -> Result<Value, TemplateError> {
        let properties = self.scope.document["Resources"][logical_id].get("Properties");
        let resolved = properties.map(|properties| self.scope.resolve(properties, known)).transpose()?.flatten();
        Ok(resolved.unwrap_or_else(|| Value::Object(serde_json::Map::new())))
    }

    /// The outputs whose condition holds, in the template's order.
    pub(crate) fn outputs(&self, known: &dyn ResourceValues) -> Result<Vec<Output>, TemplateError> {
        let mut outputs = Vec::new();
        for (key, output) in chosen(&self.scope, "Outputs") {
            let text = |value: Option<&Value>| match value {
                Some(value) => self.scope.text(value, known),
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
pub(super) fn chosen<'a>(scope: &'a Scope, block: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    section(&scope.document, block).filter(|(_, entry)| match entry.get("Condition").and_then(Value::as_str) {
        Some(condition) => scope.conditions.get(condition).copied().unwrap_or_default(),
        None => true,
    })
}

fn resources(scope: &Scope) -> Result<Vec<BoundResource>, TemplateError> {
    let there: BTreeSet<&str> = chosen(scope, "Resources").map(|(name, _)| name.as_str()).collect();
    let mut resources = Vec::new();
    let mut unresolved = Vec::new();
    for (name, resource) in chosen(scope, "Resources") {
        // A `DependsOn` of what the conditions leave out is no wish; a reference to it is an error.
        let mut depends_on: BTreeSet<String> =
            references::depends_on(resource).into_iter().filter(|name| there.contains(name.as_str())).collect();
        if let Some(properties) = resource.get("Properties") {
            for needed in needed(properties, scope)? {
                if there.contains(needed.as_str()) {
                    depends_on.insert(needed);
                } else {
                    unresolved.push(needed);
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
    references::check_circles(&dependencies)?;
    Ok(resources)
}

/// The resources that a value speaks of where the conditions choose.
fn needed(value: &Value, scope: &Scope) -> Result<Vec<String>, TemplateError> {
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
    let there: BTreeSet<&str> = chosen(scope, "Resources").map(|(name, _)| name.as_str()).collect();
    let mut unresolved = Vec::new();
    for (_, output) in chosen(scope, "Outputs") {
        for part in ["Value", "Export"].iter().filter_map(|part| output.get(part)) {
            unresolved.extend(needed(part, scope)?.into_iter().filter(|name| !there.contains(name.as_str())));
        }
    }
    if unresolved.is_empty() { Ok(()) } else { Err(references::unresolved_in("Outputs", unresolved)) }
}

/// Calls all functions that wait for no resource: what they refuse is refused before anything is made.
fn check_functions(scope: &Scope) -> Result<(), TemplateError> {
    for block in ["Resources", "Outputs"] {
        for (_, entry) in chosen(scope, block) {
            for part in ["Properties", "Value", "Export"].iter().filter_map(|part| entry.get(part)) {
                call_ready(part, scope)?;
            }
        }
    }
    Ok(())
}

fn call_ready(value: &Value, scope: &Scope) -> Result<(), TemplateError> {
    let value = scope.chosen(value);
    if functions::of(value).is_some() && needed(value, scope)?.is_empty() {
        return scope.resolve(value, &Nothing).map(drop);
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| call_ready(item, scope)),
        Value::Object(entries) => entries.values().try_for_each(|value| call_ready(value, scope)),
        _ => Ok(()),
    }
}

fn policy(scope: &Scope, value: Option<&Value>) -> Result<Policy, TemplateError> {
    let Some(value) = value else {
        return Ok(Policy::Delete);
    };
    match scope.text(value, &Nothing)?.as_deref() {
        Some("Delete") => Ok(Policy::Delete),
        Some("Retain") => Ok(Policy::Retain),
        Some("RetainExceptOnCreate") => Ok(Policy::RetainExceptOnCreate),
        other => Err(TemplateError::format(format!("Unrecognized DeletionPolicy {}", other.unwrap_or("of no value")))),
    }
}
