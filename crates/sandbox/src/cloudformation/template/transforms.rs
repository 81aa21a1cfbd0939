//! Macro calls in a template and their order.

use serde_json::{Map, Value};

use super::{TemplateError, sections};

/// A macro call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TransformCall {
    /// The JSON pointer to the value that the result replaces; empty for the whole template.
    pub pointer: String,
    /// The macro name.
    pub name: String,
    /// The parameters, unresolved.
    pub parameters: Value,
    /// The macro's input: the siblings of the call, or the whole template without its `Transform`.
    pub fragment: Value,
}

/// The names of all macros in a template, without duplicates, its own `Transform` first.
pub(super) fn names(document: &Value) -> Vec<String> {
    let mut names: Vec<String> = top_level(document).into_iter().map(|(name, _)| name).collect();
    collect(document, &mut names);
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Object(entries) => {
            for (name, value) in entries {
                if name == "Fn::Transform" {
                    names.push(name_and_parameters(value).0);
                }
                collect(value, names);
            }
        }
        _ => {}
    }
}

/// The next call: the deepest, and the first in the text among equals.
pub(super) fn next(document: &Value) -> Option<TransformCall> {
    let mut deepest: Option<(usize, TransformCall)> = None;
    search(document, &mut String::new(), 0, &mut deepest);
    if let Some((_, call)) = deepest {
        return Some(call);
    }
    let (name, parameters) = top_level(document).into_iter().next()?;
    let mut fragment = document.clone();
    if let Some(sections) = fragment.as_object_mut() {
        sections.shift_remove("Transform");
    }
    Some(TransformCall { pointer: String::new(), name, parameters, fragment })
}

fn search(value: &Value, pointer: &mut String, depth: usize, deepest: &mut Option<(usize, TransformCall)>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                step(item, &index.to_string(), pointer, depth, deepest);
            }
        }
        Value::Object(entries) => {
            if let Some(call) = entries.get("Fn::Transform")
                && deepest.as_ref().is_none_or(|(found, _)| depth > *found)
            {
                let (name, parameters) = name_and_parameters(call);
                let mut fragment = entries.clone();
                fragment.shift_remove("Fn::Transform");
                let fragment = Value::Object(fragment);
                *deepest = Some((depth, TransformCall { pointer: pointer.clone(), name, parameters, fragment }));
            }
            for (name, entry) in entries {
                step(entry, &name.replace('~', "~0").replace('/', "~1"), pointer, depth, deepest);
            }
        }
        _ => {}
    }
}

fn step(value: &Value, name: &str, pointer: &mut String, depth: usize, deepest: &mut Option<(usize, TransformCall)>) {
    let before = pointer.len();
    pointer.push('/');
    pointer.push_str(name);
    search(value, pointer, depth + 1, deepest);
    pointer.truncate(before);
}

/// Replaces a macro call by its result.
pub(super) fn replace(document: &mut Value, pointer: &str, fragment: Value) -> Result<(), TemplateError> {
    if !pointer.is_empty() {
        let target =
            document.pointer_mut(pointer).ok_or_else(|| TemplateError::format(format!("no value at {pointer}")))?;
        *target = fragment;
        return Ok(());
    }
    let remaining: Vec<Value> = match document.get("Transform") {
        Some(Value::Array(calls)) => calls.iter().skip(1).cloned().collect(),
        _ => Vec::new(),
    };
    sections::check_root(&fragment)?;
    *document = fragment;
    if let Some(sections) = document.as_object_mut() {
        // Only the remaining calls: a macro must not call itself endlessly.
        sections.shift_remove("Transform");
        if !remaining.is_empty() {
            sections.insert("Transform".to_owned(), Value::Array(remaining));
        }
    }
    Ok(())
}

fn top_level(document: &Value) -> Vec<(String, Value)> {
    match document.get("Transform") {
        Some(Value::Array(calls)) => calls.iter().map(name_and_parameters).collect(),
        Some(call) => vec![name_and_parameters(call)],
        None => Vec::new(),
    }
}

fn name_and_parameters(call: &Value) -> (String, Value) {
    let no_parameters = || Value::Object(Map::new());
    match call {
        Value::String(name) => (name.clone(), no_parameters()),
        call => {
            let name = call["Name"].as_str().unwrap_or_default().to_owned();
            (name, call.get("Parameters").cloned().unwrap_or_else(no_parameters))
        }
    }
}
