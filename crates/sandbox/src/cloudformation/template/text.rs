//! A template's text: JSON, or YAML with the short forms of functions, which are written out.
//!
//! Read from the parser's events with a stack of our own: a text that is nested without end, or that grows without end by
//! its aliases, is refused and takes neither stack nor memory.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};
use yaml_rust2::parser::{Event, Parser, Tag};
use yaml_rust2::scanner::{Marker, TScalarStyle};

use super::TemplateError;

/// How deep a document may be, and of how many parts.
const DEEPEST: usize = 100;
const LARGEST: usize = 200_000;

/// The functions that have a short form; `Ref` and `Condition` have one without `Fn::`.
const SHORT: [&str; 20] = [
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

/// Reads a template's text. What begins with a brace is JSON.
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
    let mut reader = Reader::default();
    loop {
        let (event, at) = parser.next_token().map_err(|error| malformed(*error.marker()))?;
        match event {
            Event::StreamEnd | Event::DocumentEnd => return Ok(reader.root.unwrap_or(Value::Null)),
            Event::Scalar(text, style, anchor, tag) => {
                let value = match &tag {
                    // A key is what is written: a condition may be called `Yes`.
                    _ if reader.awaits_key() => Value::String(text),
                    Some(tag) if tag.handle == "tag:yaml.org,2002:" && tag.suffix != "str" => plain(text),
                    None if style == TScalarStyle::Plain => plain(text),
                    _ => Value::String(text),
                };
                reader.put(value, tag.as_ref(), anchor, at)?;
            }
            Event::Alias(anchor) => {
                let value = reader.anchors.get(&anchor).cloned().ok_or_else(|| malformed(at))?;
                reader.put(value, None, 0, at)?;
            }
            Event::SequenceStart(anchor, tag) => reader.open(Value::Array(Vec::new()), anchor, tag, at)?,
            Event::MappingStart(anchor, tag) => reader.open(Value::Object(Map::new()), anchor, tag, at)?,
            Event::SequenceEnd | Event::MappingEnd => reader.close(at)?,
            Event::Nothing | Event::StreamStart | Event::DocumentStart => {}
        }
    }
}

fn malformed(at: Marker) -> TemplateError {
    TemplateError(format!("Template format error: YAML not well-formed. (line {}, column {})", at.line(), at.col() + 1))
}

/// A scalar without quotes. A date is text, and a number is one only if it would be written the same way again: an
/// account's leading zeros and a version's trailing ones must not be lost.
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

/// Writes a short form out.
fn tagged(value: Value, tag: Option<&Tag>, at: Marker) -> Result<Value, TemplateError> {
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
        _ if SHORT.contains(&name) => (format!("Fn::{name}"), value),
        _ => return Err(malformed(at)),
    };
    Ok(Value::Object(Map::from_iter([(name, value)])))
}

#[derive(Default)]
struct Reader {
    root: Option<Value>,
    open: Vec<Open>,
    anchors: HashMap<usize, Value>,
    parts: usize,
}

/// A list or mapping that has not come to its end.
struct Open {
    value: Value,
    anchor: usize,
    tag: Option<Tag>,
    /// The key whose value comes next.
    key: Option<String>,
}

impl Reader {
    fn open(&mut self, value: Value, anchor: usize, tag: Option<Tag>, at: Marker) -> Result<(), TemplateError> {
        if self.open.len() >= DEEPEST {
            return Err(malformed(at));
        }
        self.open.push(Open { value, anchor, tag, key: None });
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { value: Value::Object(_), key: None, .. }))
    }

    fn close(&mut self, at: Marker) -> Result<(), TemplateError> {
        match self.open.pop() {
            Some(open) => self.put(open.value, open.tag.as_ref(), open.anchor, at),
            None => Ok(()),
        }
    }

    fn put(&mut self, value: Value, tag: Option<&Tag>, anchor: usize, at: Marker) -> Result<(), TemplateError> {
        // An alias counts as all that it brings.
        self.parts += size(&value);
        if self.parts > LARGEST {
            return Err(malformed(at));
        }
        if self.awaits_key() {
            let key = match value {
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return Err(malformed(at)),
            };
            if let Some(open) = self.open.last_mut() {
                open.key = Some(key);
            }
            return Ok(());
        }
        let value = tagged(value, tag, at)?;
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
            _ => return Err(malformed(at)),
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
