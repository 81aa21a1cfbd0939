//! Parses a template: JSON, or YAML with short forms of functions, which are expanded.
//!
//! Builds the document from parser events with an explicit stack: deep nesting and expanding aliases are rejected before
//! they exhaust stack or memory.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};
use yaml_rust2::parser::{Event, Parser, Tag};
use yaml_rust2::scanner::{Marker, TScalarStyle};

use super::TemplateError;

/// The maximum nesting depth and number of values of a document.
const MAX_DEPTH: usize = 100;
const MAX_VALUES: usize = 200_000;

/// The functions with a short form; `Ref` and `Condition` have one without `Fn::`.
const SHORT_FORMS: [&str; 20] = [
    "And",
    "Base64",
    "Cidr",
    "Equals",
    "FindInMap",
    "ForEach",
    "GetAtt",
    "GetAZs",
    "GetStackOutput",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
];

/// Parses a template; a text that begins with a brace is JSON.
pub(super) fn read(text: &str) -> Result<Value, TemplateError> {
    if !text.trim_start().starts_with('{') {
        return yaml(text);
    }
    serde_json::from_str(text).map_err(|cause| {
        let (line, column) = (cause.line(), cause.column());
        TemplateError::format(format!("JSON not well-formed. (line {line}, column {column})"))
    })
}

fn yaml(text: &str) -> Result<Value, TemplateError> {
    let mut parser = Parser::new_from_str(text);
    let mut builder = DocumentBuilder::default();
    loop {
        let (event, position) = parser.next_token().map_err(|error| malformed(*error.marker()))?;
        match event {
            Event::StreamEnd | Event::DocumentEnd => return Ok(builder.root.unwrap_or(Value::Null)),
            Event::Scalar(text, style, anchor, tag) => {
                let value = match &tag {
                    // Keys are not converted: a condition may have the name `Yes`.
                    _ if builder.expects_key() => Value::String(text),
                    Some(tag) if tag.handle == "tag:yaml.org,2002:" && tag.suffix != "str" => plain(text),
                    None if style == TScalarStyle::Plain => plain(text),
                    _ => Value::String(text),
                };
                builder.put(value, tag.as_ref(), anchor, position)?;
            }
            Event::Alias(anchor) => {
                let value = builder.anchors.get(&anchor).cloned().ok_or_else(|| malformed(position))?;
                builder.put(value, None, 0, position)?;
            }
            Event::SequenceStart(anchor, tag) => builder.open(Value::Array(Vec::new()), anchor, tag, position)?,
            Event::MappingStart(anchor, tag) => builder.open(Value::Object(Map::new()), anchor, tag, position)?,
            Event::SequenceEnd | Event::MappingEnd => builder.close(position)?,
            Event::Nothing | Event::StreamStart | Event::DocumentStart => {}
        }
    }
}

fn malformed(position: Marker) -> TemplateError {
    TemplateError(format!(
        "Template format error: YAML not well-formed. (line {}, column {})",
        position.line(),
        position.col() + 1
    ))
}

/// Converts an unquoted scalar. Dates stay strings, and so do numbers that would be formatted otherwise, to keep the leading
/// zeros of an account ID and the trailing zeros of a version.
fn plain(text: String) -> Value {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Value::Bool(false),
        _ => {}
    }
    let number = text.parse::<i64>().map(Number::from).ok();
    let number = number.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64));
    match number {
        Some(number) if number.to_string() == text => Value::Number(number),
        _ => Value::String(text),
    }
}

/// Expands a short form.
fn expand_short_form(value: Value, tag: Option<&Tag>, position: Marker) -> Result<Value, TemplateError> {
    let Some(tag) = tag.filter(|tag| tag.handle != "tag:yaml.org,2002:") else {
        return Ok(value);
    };
    let name = tag.suffix.trim_start_matches('!');
    let (name, value) = match name {
        "Ref" | "Condition" => (name.to_owned(), value),
        "GetAtt" => match &value {
            Value::String(text) => match text.split_once('.') {
                Some((resource, attribute)) => ("Fn::GetAtt".to_owned(), serde_json::json!([resource, attribute])),
                None => ("Fn::GetAtt".to_owned(), value),
            },
            _ => ("Fn::GetAtt".to_owned(), value),
        },
        _ if SHORT_FORMS.contains(&name) => (format!("Fn::{name}"), value),
        _ => return Err(malformed(position)),
    };
    Ok(Value::Object(Map::from_iter([(name, value)])))
}

#[derive(Default)]
struct DocumentBuilder {
    root: Option<Value>,
    open: Vec<OpenCollection>,
    anchors: HashMap<usize, Value>,
    values: usize,
}

/// A list or mapping that is still being read.
struct OpenCollection {
    value: Value,
    anchor: usize,
    tag: Option<Tag>,
    /// The key of the next value.
    key: Option<String>,
}

impl DocumentBuilder {
    fn open(&mut self, value: Value, anchor: usize, tag: Option<Tag>, position: Marker) -> Result<(), TemplateError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(malformed(position));
        }
        self.open.push(OpenCollection { value, anchor, tag, key: None });
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(OpenCollection { value: Value::Object(_), key: None, .. }))
    }

    fn close(&mut self, position: Marker) -> Result<(), TemplateError> {
        match self.open.pop() {
            Some(open) => self.put(open.value, open.tag.as_ref(), open.anchor, position),
            None => Ok(()),
        }
    }

    fn put(&mut self, value: Value, tag: Option<&Tag>, anchor: usize, position: Marker) -> Result<(), TemplateError> {
        // An alias counts with all values that it expands to.
        self.values += size(&value);
        if self.values > MAX_VALUES {
            return Err(malformed(position));
        }
        if self.expects_key() {
            let key = match value {
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return Err(malformed(position)),
            };
            if let Some(open) = self.open.last_mut() {
                open.key = Some(key);
            }
            return Ok(());
        }
        let value = expand_short_form(value, tag, position)?;
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(value);
            return Ok(());
        };
        match (&mut open.value, open.key.take()) {
            (Value::Array(items), _) => items.push(value),
            (Value::Object(entries), Some(key)) => {
                entries.insert(key, value);
            }
            _ => return Err(malformed(position)),
        }
        Ok(())
    }
}

fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(entries) => entries.values().map(size).sum::<usize>(),
        _ => 0,
    }
}
