//! Parses a template: JSON, or YAML with short forms of functions, which are expanded.

use serde_json::{Map, Number, Value};
use yaml_rust2::parser::Tag;

use super::TemplateError;
use crate::yaml::{self, Position, YamlContent, YamlLimits, YamlNode};

const LIMITS: YamlLimits = YamlLimits { depth: 100, nodes: 200_000 };

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
    let document = yaml::read(text, LIMITS).map_err(|error| malformed(error.at))?;
    document.map_or(Ok(Value::Null), value)
}

/// Converts a node, with its short form expanded.
fn value(node: YamlNode) -> Result<Value, TemplateError> {
    let YamlNode { at, tag, content } = node;
    let core = tag.as_ref().filter(|tag| tag.handle == "tag:yaml.org,2002:");
    let value = match (content, core) {
        (YamlContent::Null, _) => Value::Null,
        (YamlContent::Plain(text) | YamlContent::Quoted(text), Some(tag)) if tag.suffix != "str" => plain(text),
        (YamlContent::Plain(text), None) if tag.is_none() => plain(text),
        (YamlContent::Plain(text) | YamlContent::Quoted(text), _) => Value::String(text),
        (YamlContent::List(items), _) => items.into_iter().map(value).collect::<Result<_, _>>()?,
        (YamlContent::Map(entries), _) => {
            let entry = |(key, item): (YamlNode, YamlNode)| {
                let name = key.text().ok_or_else(|| malformed(key.at))?.to_owned();
                Ok((name, value(item)?))
            };
            Value::Object(entries.into_iter().map(entry).collect::<Result<_, TemplateError>>()?)
        }
    };
    match tag {
        Some(tag) if tag.handle != "tag:yaml.org,2002:" => expand_short_form(value, &tag, at),
        _ => Ok(value),
    }
}

fn malformed(at: Position) -> TemplateError {
    TemplateError(format!("Template format error: YAML not well-formed. (line {}, column {})", at.line, at.column))
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
fn expand_short_form(value: Value, tag: &Tag, at: Position) -> Result<Value, TemplateError> {
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
        _ => return Err(malformed(at)),
    };
    Ok(Value::Object(Map::from_iter([(name, value)])))
}
