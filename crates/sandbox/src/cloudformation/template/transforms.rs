//! Macros: where a template calls them, and in which order.

use serde_json::{Map, Value};

use super::{TemplateError, sections};

/// A call of a macro.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TransformCall {
    /// What the macro's answer takes the place of: a JSON pointer, empty for the whole template.
    pub pointer: String,
    /// The macro's name.
    pub name: String,
    /// Its parameters, as they stand in the template.
    pub parameters: Value,
    /// What it works on: what stands beside the call, or the whole template without its `Transform`.
    pub fragment: Value,
}

/// The names of all macros that a template calls, each once, its own `Transform` first.
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

/// The call that comes first: the deepest; of the equally deep ones the first in the text.
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

/// Puts a macro's answer in the place of its call.
pub(super) fn replace(document: &mut Value, pointer: &str, fragment: Value) -> Result<(), TemplateError> {
    if !pointer.is_empty() {
        let target = document
            .pointer_mut(pointer)
            .ok_or_else(|| TemplateError::format(format!("there is nothing at {pointer}")))?;
        *target = fragment;
        return Ok(());
    }
    let left: Vec<Value> = match document.get("Transform") {
        Some(Value::Array(calls)) => calls.iter().skip(1).cloned().collect(),
        _ => Vec::new(),
    };
    sections::check_root(&fragment)?;
    *document = fragment;
    if let Some(sections) = document.as_object_mut() {
        // Only those that are still to come: a macro does not get to call itself without end.
        sections.shift_remove("Transform");
        if !left.is_empty() {
            sections.insert("Transform".to_owned(), Value::Array(left));
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
    let none = || Value::Object(Map::new());
    match call {
        Value::String(name) => (name.clone(), none()),
        call => {
            let name = call["Name"].as_str().unwrap_or_default().to_owned();
            (name, call.get("Parameters").cloned().unwrap_or_else(none))
        }
    }
}
