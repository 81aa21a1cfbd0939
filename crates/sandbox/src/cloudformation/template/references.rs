//! References in a template: collection, validation and detection of dependency cycles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::functions::{self, Piece};
use super::scope::{PSEUDO, Scope};
use super::{TemplateError, section};

/// A reference in a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference {
    /// `Ref`, or a name in `Fn::Sub`.
    Name(String),
    /// `Fn::GetAtt`, or a name with a dot in `Fn::Sub`. No attribute if a parameter supplies its name.
    Attribute { resource: String, attribute: Option<String>, function: &'static str },
    /// The condition of a `Fn::If`.
    Condition(String),
}

/// Finds all references in a value; with a scope, only in the selected branches of `Fn::If`.
pub(super) fn find(value: &Value, scope: Option<&Scope>) -> Result<Vec<Reference>, TemplateError> {
    let mut found = Vec::new();
    visit(value, scope, &mut found)?;
    Ok(found)
}

fn visit(value: &Value, scope: Option<&Scope>, found: &mut Vec<Reference>) -> Result<(), TemplateError> {
    let value = scope.map_or(value, |scope| scope.select_branch(value));
    match functions::of(value) {
        Some(("Ref", Value::String(name))) => found.push(Reference::Name(name.clone())),
        Some(("Fn::GetAtt", argument)) => {
            let (resource, attribute) = functions::get_att(argument)?;
            let named = attribute.as_str().map(str::to_owned);
            found.push(Reference::Attribute {
                resource: resource.to_owned(),
                attribute: named,
                function: "Fn::GetAtt",
            });
            visit(&attribute, scope, found)?;
        }
        Some(("Fn::Sub", argument)) => {
            let (text, variables) = functions::sub(argument)?;
            for piece in functions::pieces(text)? {
                let Piece::Variable(name) = piece else {
                    continue;
                };
                if variables.is_some_and(|variables| variables.contains_key(&name)) {
                    continue;
                }
                found.push(match name.split_once('.') {
                    Some((resource, attribute)) => Reference::Attribute {
                        resource: resource.to_owned(),
                        attribute: Some(attribute.to_owned()),
                        function: "Fn::Sub",
                    },
                    None => Reference::Name(name),
                });
            }
            for variable in variables.into_iter().flat_map(serde_json::Map::values) {
                visit(variable, scope, found)?;
            }
        }
        Some(("Fn::If", argument)) => {
            if let Some(name) = argument.get(0).and_then(Value::as_str) {
                found.push(Reference::Condition(name.to_owned()));
            }
            for branch in argument.as_array().into_iter().flatten().skip(1) {
                visit(branch, scope, found)?;
            }
        }
        _ => match value {
            Value::Array(items) => items.iter().try_for_each(|item| visit(item, scope, found))?,
            Value::Object(entries) => entries.values().try_for_each(|value| visit(value, scope, found))?,
            _ => {}
        },
    }
    Ok(())
}

/// Checks that all references resolve within the template.
pub(super) fn check(document: &Value) -> Result<(), TemplateError> {
    let has = |section: &str, name: &str| document.get(section).is_some_and(|section| section.get(name).is_some());
    let mut in_conditions = Vec::new();
    for (_, condition) in section(document, "Conditions") {
        for reference in find(condition, None)? {
            match reference {
                Reference::Name(name) if !has("Parameters", &name) && !PSEUDO.contains(&name.as_str()) => {
                    in_conditions.push(name);
                }
                Reference::Attribute { resource, .. } => in_conditions.push(resource),
                _ => {}
            }
        }
    }
    if !in_conditions.is_empty() {
        return Err(TemplateError::format(format!(
            "Unresolved dependencies {}. Cannot reference resources in the Conditions block of the template",
            list(in_conditions)
        )));
    }
    for block in ["Resources", "Outputs"] {
        let mut unresolved = Vec::new();
        for (_, entry) in section(document, block) {
            if let Some(condition) = entry.get("Condition").and_then(Value::as_str)
                && !has("Conditions", condition)
            {
                return Err(TemplateError::format(format!(
                    "Unresolved condition dependency {condition} in the {block} block of the template"
                )));
            }
            unresolved.extend(depends_on(entry).into_iter().filter(|name| !has("Resources", name)));
            let parts: &[&str] = if block == "Resources" { &["Properties"] } else { &["Value", "Export"] };
            for part in parts.iter().filter_map(|part| entry.get(part)) {
                for reference in find(part, None)? {
                    match reference {
                        Reference::Name(name) => {
                            let known = has("Parameters", &name) || has("Resources", &name);
                            if !known && !PSEUDO.contains(&name.as_str()) {
                                unresolved.push(name);
                            }
                        }
                        Reference::Attribute { resource, attribute, function } if !has("Resources", &resource) => {
                            return Err(TemplateError::error(if function == "Fn::Sub" {
                                let attribute = attribute.unwrap_or_default();
                                format!(
                                    "instance of Fn::Sub references invalid resource attribute {resource}.{attribute}"
                                )
                            } else {
                                format!("instance of Fn::GetAtt references undefined resource {resource}")
                            }));
                        }
                        Reference::Condition(name) if !has("Conditions", &name) => {
                            return Err(super::scope::undefined_condition(&name));
                        }
                        _ => {}
                    }
                }
            }
        }
        if !unresolved.is_empty() {
            return Err(unresolved_in(block, unresolved));
        }
    }
    Ok(())
}

/// The names in a resource's `DependsOn`.
pub(super) fn depends_on(resource: &Value) -> Vec<String> {
    match resource.get("DependsOn") {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn unresolved_in(block: &str, names: Vec<String>) -> TemplateError {
    TemplateError::format(format!(
        "Unresolved resource dependencies {} in the {block} block of the template",
        list(names)
    ))
}

/// Formats names as `[A, B]`, without duplicates.
fn list(names: Vec<String>) -> String {
    let mut seen = BTreeSet::new();
    let names: Vec<_> = names.into_iter().filter(|name| seen.insert(name.clone())).collect();
    format!("[{}]", names.join(", "))
}

/// Rejects circular dependencies between resources.
pub(super) fn check_cycles(dependencies: &[(String, BTreeSet<String>)]) -> Result<(), TemplateError> {
    let all: BTreeMap<&str, &BTreeSet<String>> =
        dependencies.iter().map(|(name, names)| (name.as_str(), names)).collect();
    let in_cycle = |start: &str| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = vec![start];
        while let Some(name) = open.pop() {
            for next in all.get(name).into_iter().flat_map(|names| names.iter()) {
                if next == start {
                    return true;
                }
                if seen.insert(next.as_str()) {
                    open.push(next);
                }
            }
        }
        false
    };
    // After repeated removal of resources without open dependencies, only those of cycles and their dependents remain.
    let mut remaining: BTreeSet<&str> = all.keys().copied().collect();
    loop {
        let independent: Vec<_> = remaining
            .iter()
            .copied()
            .filter(|name| all[name].iter().all(|needed| !remaining.contains(needed.as_str())))
            .collect();
        if independent.is_empty() {
            break;
        }
        for name in independent {
            remaining.remove(name);
        }
    }
    if remaining.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = dependencies
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| remaining.contains(name) && in_cycle(name))
        .collect();
    Err(TemplateError(format!("Circular dependency between resources: [{}]", names.join(", "))))
}
