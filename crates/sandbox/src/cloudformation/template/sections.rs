//! Validation of the sections of a template and their members.

use serde_json::Value;

use super::{TemplateError, parameters, section};

/// The supported sections.
const SECTIONS: [&str; 9] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Transform",
];
/// Sections of AWS that the sandbox does not support.
const UNSUPPORTED_SECTIONS: [&str; 2] = ["Hooks", "Rules"];
const RESOURCE_MEMBERS: [&str; 7] =
    ["Condition", "DeletionPolicy", "DependsOn", "Metadata", "Properties", "Type", "UpdateReplacePolicy"];
const UNSUPPORTED_RESOURCE_MEMBERS: [&str; 2] = ["CreationPolicy", "UpdatePolicy"];
const PARAMETER_MEMBERS: [&str; 11] = [
    "AllowedPattern",
    "AllowedValues",
    "ConstraintDescription",
    "Default",
    "Description",
    "MaxLength",
    "MaxValue",
    "MinLength",
    "MinValue",
    "NoEcho",
    "Type",
];
const OUTPUT_MEMBERS: [&str; 4] = ["Condition", "Description", "Export", "Value"];

/// The maximum number of entries of each section.
const LIMITS: [(&str, &str, usize); 4] = [
    ("Mappings", "mappings", 200),
    ("Outputs", "outputs", 200),
    ("Parameters", "parameters", 200),
    ("Resources", "resources", 500),
];

/// Checks the rules that also apply before macros are expanded.
pub(super) fn check_root(document: &Value) -> Result<(), TemplateError> {
    let Some(sections) = document.as_object() else {
        return Err(TemplateError::format("unsupported structure."));
    };
    let unknown: Vec<_> = sections
        .keys()
        .filter(|name| !SECTIONS.contains(&name.as_str()) && !UNSUPPORTED_SECTIONS.contains(&name.as_str()))
        .filter(|name| *name != "Fn::Transform")
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return Err(TemplateError(format!("Invalid template property or properties [{}]", unknown.join(", "))));
    }
    if let Some(name) = UNSUPPORTED_SECTIONS.iter().find(|name| sections.contains_key(**name)) {
        return Err(TemplateError::format(format!("the sandbox does not support the section {name}")));
    }
    if let Some(version) = sections.get("AWSTemplateFormatVersion")
        && version.as_str() != Some("2010-09-09")
    {
        return Err(TemplateError::format(format!(
            "{} is not a supported value for AWSTemplateFormatVersion.",
            plain(version)
        )));
    }
    match sections.get("Description") {
        None => {}
        Some(Value::String(text)) if text.len() > 1024 => {
            return Err(TemplateError::format("'Description' length is greater than 1024."));
        }
        Some(Value::String(_)) => {}
        Some(_) => return Err(TemplateError::format("Description must be a string.")),
    }
    if let Some(pointer) = null_within(document, String::new()) {
        return Err(TemplateError::format(format!("[{pointer}] 'null' values are not allowed in templates")));
    }
    for name in ["Conditions", "Mappings", "Outputs", "Parameters", "Resources"] {
        if sections.get(name).is_some_and(|section| !section.is_object()) {
            return Err(TemplateError::format(format!("{name} must be an object.")));
        }
    }
    for (name, plural, most) in LIMITS {
        let count = section(document, name).count();
        if count > most {
            return Err(TemplateError::format(format!(
                "Number of {plural}, {count}, is greater than maximum allowed, {most}"
            )));
        }
    }
    check_parameters(document)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn null_within(value: &Value, pointer: String) -> Option<String> {
    match value {
        Value::Null => Some(pointer),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| null_within(item, format!("{pointer}/{index}")))
        }
        Value::Object(entries) => {
            entries.iter().find_map(|(name, value)| null_within(value, format!("{pointer}/{name}")))
        }
        _ => None,
    }
}

fn check_parameters(document: &Value) -> Result<(), TemplateError> {
    for (name, declared) in section(document, "Parameters") {
        if !is_alphanumeric(name) {
            return Err(TemplateError::format(format!("Parameter name {name} is non alphanumeric.")));
        }
        let Some(members) = declared.as_object() else {
            return Err(TemplateError::format("Any Parameters member must be an object."));
        };
        if members.contains_key("Fn::Transform") {
            continue;
        }
        if let Some(member) = members.keys().find(|member| !PARAMETER_MEMBERS.contains(&member.as_str())) {
            return Err(TemplateError(format!("Invalid template parameter property '{member}'")));
        }
        let Some(kind) = members.get("Type").and_then(Value::as_str) else {
            return Err(TemplateError::format("Every Parameters object must contain a Type member."));
        };
        if kind.starts_with("AWS::") || kind.starts_with("List<AWS::") {
            return Err(TemplateError::format(format!("the sandbox does not have parameters of type {kind}")));
        }
        if !parameters::KINDS.contains(&kind) {
            return Err(TemplateError::format(format!("Unrecognized parameter type: {kind}")));
        }
        if members.get("AllowedValues").is_some_and(|values| !values.is_array()) {
            return Err(TemplateError::format("Every AllowedValues member must be a list."));
        }
        if let Some(default) = members.get("Default")
            && parameters::text_of(default).is_none()
        {
            return Err(TemplateError::format("Every Default member must be a string."));
        }
        for bound in ["MinLength", "MaxLength", "MinValue", "MaxValue"] {
            let is_number = |value: &Value| parameters::text_of(value).is_some_and(|text| text.parse::<f64>().is_ok());
            if members.get(bound).is_some_and(|value| !is_number(value)) {
                return Err(TemplateError::format(format!("Every {bound} member must be a number.")));
            }
        }
    }
    Ok(())
}

/// Checks the sections of a template whose macros are expanded.
pub(super) fn check(document: &Value) -> Result<(), TemplateError> {
    check_root(document)?;
    if section(document, "Resources").next().is_none() {
        return Err(TemplateError::format("At least one Resources member must be defined."));
    }
    for (name, resource) in section(document, "Resources") {
        check_resource(name, resource)?;
    }
    for (name, map) in section(document, "Mappings") {
        if !is_alphanumeric(name) {
            return Err(TemplateError::format(format!("Mappings name '{name}' is non alphanumeric.")));
        }
        let Some(keys) = map.as_object() else {
            return Err(TemplateError::format("Every Mappings member must be a map"));
        };
        for attributes in keys.values() {
            let Some(attributes) = attributes.as_object() else {
                return Err(TemplateError::format("Every Mappings member must be a map"));
            };
            if attributes.values().any(Value::is_object) {
                return Err(TemplateError::format("Every Mappings attribute must be a String or a List."));
            }
        }
    }
    for (name, output) in section(document, "Outputs") {
        if !is_alphanumeric(name) {
            return Err(TemplateError::format(format!("Output name {name} is non alphanumeric.")));
        }
        let Some(members) = output.as_object() else {
            return Err(TemplateError::format("Any Outputs member must be an object."));
        };
        if let Some(member) = members.keys().find(|member| !OUTPUT_MEMBERS.contains(&member.as_str())) {
            return Err(TemplateError(format!("Invalid template output property '{member}'")));
        }
        if !members.contains_key("Value") {
            return Err(TemplateError::format("Every Outputs member must contain a Value object"));
        }
        if members.get("Export").is_some_and(|export| export.get("Name").is_none()) {
            return Err(TemplateError::format(format!(
                "Output {name} is malformed. The Export field must have a Name."
            )));
        }
    }
    Ok(())
}

fn check_resource(name: &str, resource: &Value) -> Result<(), TemplateError> {
    if !is_alphanumeric(name) {
        return Err(TemplateError::format(format!("Resource name {name} is non alphanumeric.")));
    }
    let Some(members) = resource.as_object() else {
        return Err(TemplateError::format("Any Resources member must be an object."));
    };
    if let Some(member) = members.keys().find(|member| UNSUPPORTED_RESOURCE_MEMBERS.contains(&member.as_str())) {
        return Err(TemplateError(format!("the sandbox does not support the resource property '{member}'")));
    }
    if let Some(member) = members.keys().find(|member| !RESOURCE_MEMBERS.contains(&member.as_str())) {
        return Err(TemplateError(format!("Invalid template resource property '{member}'")));
    }
    if members.get("Type").and_then(Value::as_str).is_none() {
        return Err(TemplateError::format(format!(
            "[/Resources/{name}] Every Resources object must contain a Type member."
        )));
    }
    if members.get("Properties").is_some_and(|properties| !properties.is_object()) {
        return Err(TemplateError::format(format!("[/Resources/{name}/Properties] Properties must be an object.")));
    }
    if members.get("Condition").is_some_and(|condition| !condition.is_string()) {
        return Err(TemplateError::format("Every Condition member must be a string."));
    }
    let is_list_of_names = |value: &Value| match value {
        Value::String(_) => true,
        Value::Array(names) => names.iter().all(Value::is_string),
        _ => false,
    };
    if members.get("DependsOn").is_some_and(|names| !is_list_of_names(names)) {
        return Err(TemplateError::format("DependsOn must be a string or list of strings."));
    }
    for member in ["DeletionPolicy", "UpdateReplacePolicy"] {
        match members.get(member).and_then(Value::as_str) {
            None | Some("Delete" | "Retain") => {}
            Some("RetainExceptOnCreate") if member == "DeletionPolicy" => {}
            Some("Snapshot") => {
                let type_name = members["Type"].as_str().unwrap_or_default();
                return Err(TemplateError::error(format!(
                    "resource type {type_name} does not support deletion policy Snapshot"
                )));
            }
            Some(other) => return Err(TemplateError::format(format!("Unrecognized {member} {other}"))),
        }
    }
    Ok(())
}

fn is_alphanumeric(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric())
}
