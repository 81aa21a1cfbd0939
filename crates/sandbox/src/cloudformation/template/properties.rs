//! The types of a template's resources, their properties and their attributes.

use serde_json::Value;

use super::bound::chosen;
use super::references::{self, Reference};
use super::scope::Scope;
use super::{TemplateError, Types, functions, section};
use crate::cloudformation::resource_types::Property;

/// Checks that there is every type that a template names, whatever the conditions.
pub(super) fn check_types(document: &Value, types: Types) -> Result<(), TemplateError> {
    let mut unknown: Vec<&str> = Vec::new();
    for (_, resource) in section(document, "Resources") {
        let name = type_of(resource);
        if types(name).is_none() && !unknown.contains(&name) {
            unknown.push(name);
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    Err(TemplateError::format(format!("Unrecognized resource types: [{}]", unknown.join(", "))))
}

fn type_of(resource: &Value) -> &str {
    resource["Type"].as_str().unwrap_or_default()
}

/// Checks types, properties and attributes, as far as they are written down; what functions make of them is their own.
pub(super) fn check(scope: &Scope, types: Types) -> Result<(), TemplateError> {
    check_types(&scope.document, types)?;
    for block in ["Resources", "Outputs"] {
        for (_, entry) in section(&scope.document, block) {
            for part in ["Properties", "Value", "Export"].iter().filter_map(|part| entry.get(part)) {
                check_attributes(part, scope, types)?;
            }
        }
    }
    for (name, resource) in chosen(scope, "Resources") {
        let Some(resource_type) = types(type_of(resource)) else {
            continue;
        };
        let nothing = Value::Object(serde_json::Map::new());
        let mut wrong = Vec::new();
        violations(resource.get("Properties").unwrap_or(&nothing), resource_type.properties, "#", scope, &mut wrong);
        if !wrong.is_empty() {
            return Err(TemplateError(format!(
                "Properties validation failed for resource {name} with message:\n{}",
                wrong.join("\n")
            )));
        }
    }
    Ok(())
}

fn check_attributes(value: &Value, scope: &Scope, types: Types) -> Result<(), TemplateError> {
    for reference in references::find(value, None)? {
        let Reference::Attribute { resource, attribute: Some(attribute), .. } = reference else {
            continue;
        };
        let type_name = scope.document["Resources"][&resource]["Type"].as_str().unwrap_or_default();
        if types(type_name).is_some_and(|known| !known.attributes.contains(&attribute.as_str())) {
            return Err(TemplateError::error(format!(
                "resource {resource} does not support attribute type {attribute} in Fn::GetAtt"
            )));
        }
    }
    Ok(())
}

/// What is missing and what does not belong; nothing is said of what a function makes.
fn violations(value: &Value, properties: &[Property], path: &str, scope: &Scope, wrong: &mut Vec<String>) {
    let value = scope.chosen(value);
    if properties.is_empty() || functions::of(value).is_some() {
        return;
    }
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                violations(item, properties, &format!("{path}/{index}"), scope, wrong);
            }
        }
        Value::Object(entries) => {
            let is_given = |name: &str| entries.get(name).is_some_and(|value| !is_no_value(scope.chosen(value)));
            for property in properties.iter().filter(|property| property.required && !is_given(property.name)) {
                wrong.push(format!("{path}: required key [{}] not found", property.name));
            }
            for (name, value) in entries {
                match properties.iter().find(|property| property.name == name) {
                    Some(property) => match wrong_type(property, scope.chosen(value)) {
                        Some(expected) => {
                            let found = type_name(scope.chosen(value));
                            wrong.push(format!("{path}/{name}: expected type: {expected}, found: {found}"));
                        }
                        None => violations(value, property.below, &format!("{path}/{name}"), scope, wrong),
                    },
                    None if is_given(name) => wrong.push(format!("{path}: extraneous key [{name}] is not permitted")),
                    None => {}
                }
            }
        }
        // A scalar in a list of objects is the provider's to refuse.
        _ => {}
    }
}

/// What a property should have been, where that can be told from the list of properties: names are texts, what has properties
/// below is an object or a list of them, and tags are a list. The rest is for the providers, which know the types.
fn wrong_type(property: &Property, value: &Value) -> Option<&'static str> {
    if functions::of(value).is_some() {
        return None;
    }
    let is_name = property.below.is_empty() && property.name.ends_with("Name");
    match value {
        Value::Array(_) | Value::Object(_) if is_name => Some("String"),
        Value::Object(_) if property.name == "Tags" => Some("JSONArray"),
        Value::String(_) | Value::Number(_) | Value::Bool(_) if !property.below.is_empty() => {
            Some(if is_list(property) { "JSONArray" } else { "JSONObject" })
        }
        _ => None,
    }
}

/// Whether a property with properties below is a list, by its name: CloudFormation's lists have plural names, but for these.
fn is_list(property: &Property) -> bool {
    match property.name {
        "ServerSideEncryptionConfiguration" => true,
        "BlockedEncryptionTypes" | "Artifacts" | "CloudWatchLogs" | "S3Logs" => false,
        name => name.ends_with('s'),
    }
}

/// What the schema's validator calls a value's type.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "Double",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "JSONArray",
        Value::Object(_) => "JSONObject",
    }
}

fn is_no_value(value: &Value) -> bool {
    functions::of(value).is_some_and(|(name, argument)| name == "Ref" && argument == "AWS::NoValue")
}
