//! Validation of resource types, properties and attributes.

use serde_json::Value;

use super::bound::enabled;
use super::references::{self, Reference};
use super::scope::Scope;
use super::{TemplateError, Types, functions, section};
use crate::cloudformation::resource_types::Property;

/// Checks that every resource type exists, regardless of conditions.
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

/// Checks types, properties and attributes; results of functions are not checked.
pub(super) fn check(scope: &Scope, types: Types) -> Result<(), TemplateError> {
    check_types(&scope.document, types)?;
    for block in ["Resources", "Outputs"] {
        for (_, entry) in section(&scope.document, block) {
            for part in ["Properties", "Value", "Export"].iter().filter_map(|part| entry.get(part)) {
                check_attributes(part, scope, types)?;
            }
        }
    }
    for (name, resource) in enabled(scope, "Resources") {
        let Some(resource_type) = types(type_of(resource)) else {
            continue;
        };
        let empty = Value::Object(serde_json::Map::new());
        let mut errors = Vec::new();
        violations(resource.get("Properties").unwrap_or(&empty), resource_type.properties, "#", scope, &mut errors);
        if !errors.is_empty() {
            return Err(TemplateError(format!(
                "Properties validation failed for resource {name} with message:\n{}",
                errors.join("\n")
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

/// Collects missing properties, unknown properties and wrong types; values of functions are skipped.
fn violations(value: &Value, properties: &[Property], path: &str, scope: &Scope, errors: &mut Vec<String>) {
    let value = scope.select_branch(value);
    if properties.is_empty() || functions::of(value).is_some() {
        return;
    }
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                violations(item, properties, &format!("{path}/{index}"), scope, errors);
            }
        }
        Value::Object(entries) => {
            let is_set = |name: &str| entries.get(name).is_some_and(|value| !is_no_value(scope.select_branch(value)));
            for property in properties.iter().filter(|property| property.required && !is_set(property.name)) {
                errors.push(format!("{path}: required key [{}] not found", property.name));
            }
            for (name, value) in entries {
                match properties.iter().find(|property| property.name == name) {
                    Some(property) => match wrong_type(property, scope.select_branch(value)) {
                        Some(expected) => {
                            let found = type_name(scope.select_branch(value));
                            errors.push(format!("{path}/{name}: expected type: {expected}, found: {found}"));
                        }
                        None => violations(value, property.below, &format!("{path}/{name}"), scope, errors),
                    },
                    None if is_set(name) => errors.push(format!("{path}: extraneous key [{name}] is not permitted")),
                    None => {}
                }
            }
        }
        // The provider rejects a scalar in a list of objects.
        _ => {}
    }
}

/// The expected type of a property, if the value has another and the property list implies one: names are strings, properties
/// with subproperties are objects or lists, tags are lists. Providers check the rest.
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

/// Whether a property with subproperties is a list: CloudFormation's lists have plural names, with these exceptions.
fn is_list(property: &Property) -> bool {
    match property.name {
        "ServerSideEncryptionConfiguration" => true,
        "BlockedEncryptionTypes" | "Artifacts" | "CloudWatchLogs" | "S3Logs" => false,
        name => name.ends_with('s'),
    }
}

/// The schema validator's name of a value's type.
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
