//! Conversion of properties for the services: names, strings, numbers and tags.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::call::Failure;
use super::{Created, HandlerContext};
use crate::unsupported_fields;

/// Rejects an unsupported property by name.
pub(super) fn reject_unsupported(kind: &str, properties: &Value, unsupported: &[&str]) -> Result<(), Failure> {
    match unsupported_fields::first_set(properties, unsupported) {
        Some(name) => Err(Failure::unsupported(format!("The sandbox does not have the property {name} of {kind}."))),
        None => Ok(()),
    }
}

/// A property as a string: CloudFormation converts numbers and booleans.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// A property as a number, if it is one.
pub(super) fn number(value: &Value) -> Value {
    match value.as_str().and_then(|text| text.trim().parse::<i64>().ok()) {
        Some(number) => number.into(),
        None => value.clone(),
    }
}

/// A property as a boolean.
pub(super) fn truth(value: &Value) -> Value {
    match value.as_str() {
        Some("true" | "True") => true.into(),
        Some("false" | "False") => false.into(),
        _ => value.clone(),
    }
}

/// A policy document as a string.
pub(super) fn document(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The strings of a list.
pub(super) fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(text).collect()
}

/// Copies existing members.
pub(super) fn take(from: &Value, members: &[&str]) -> Map<String, Value> {
    members
        .iter()
        .filter(|name| !from[**name].is_null())
        .map(|name| ((*name).to_owned(), from[*name].clone()))
        .collect()
}

/// Converts the members' names to lower camel case, recursively.
pub(super) fn lower_camel(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(lower_camel).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let mut letters = name.chars();
                let first = letters.next().map(|first| first.to_ascii_lowercase());
                (first.into_iter().chain(letters).collect::<String>(), lower_camel(value))
            })
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// The stack's tags and the template's, which take precedence.
pub(super) fn tags(context: &HandlerContext<'_>, own: &Value) -> BTreeMap<String, String> {
    joined(context.tags, own)
}

fn joined(tags: &[(String, String)], own: &Value) -> BTreeMap<String, String> {
    let mut tags: BTreeMap<String, String> = tags.iter().cloned().collect();
    for tag in own.as_array().into_iter().flatten() {
        if let Some(key) = text(&tag["Key"]) {
            tags.insert(key, text(&tag["Value"]).unwrap_or_default());
        }
    }
    tags
}

/// Tags as a list of pairs.
pub(super) fn pairs(tags: &BTreeMap<String, String>, key: &str, value: &str) -> Value {
    tags.iter().map(|(name, text)| json!({ key: name, value: text })).collect()
}

/// The keys of removed tags.
pub(super) fn removed_tag_keys(context: &HandlerContext<'_>, before: &Value, after: &Value) -> Vec<String> {
    let kept = tags(context, after);
    joined(context.former_tags, before).into_keys().filter(|key| !kept.contains_key(key)).collect()
}

/// The name in the template, or a generated one of the stack, the resource and a random part.
pub(super) fn name(context: &HandlerContext<'_>, given: &Value, longest: usize) -> String {
    if let Some(name) = text(given) {
        return name;
    }
    let chance = context.chance;
    let mut start = format!("{}-{}", context.stack_name, context.logical_id);
    start.truncate(longest.saturating_sub(chance.len() + 1));
    format!("{start}-{chance}")
}

/// A created resource.
pub(super) fn created<const N: usize>(physical_id: impl Into<String>, attributes: [(&str, Value); N]) -> Created {
    Created {
        physical_id: physical_id.into(),
        reference: None,
        attributes: attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}

/// Treats a missing resource as deleted.
pub(super) fn unless_missing<T>(answer: Result<T, Failure>) -> Result<(), Failure> {
    match answer {
        Err(failure) if !failure.is_missing() => Err(failure),
        _ => Ok(()),
    }
}
