//! Resolution of references and evaluation of intrinsic functions.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::functions::{self, Piece};
use super::{ResourceValues, TemplateError};

/// The values of the pseudo parameters of a stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pseudo {
    /// `AWS::AccountId`.
    pub account: String,
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::StackName`.
    pub stack_name: String,
    /// `AWS::StackId`.
    pub stack_id: String,
    /// `AWS::NotificationARNs`.
    pub notification_arns: Vec<String>,
}

/// The names of all pseudo parameters.
pub(super) const PSEUDO: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// A template with the values of its parameters and conditions.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) document: Value,
    pub(super) parameters: BTreeMap<String, Value>,
    pub(super) pseudo: Pseudo,
    pub(super) conditions: BTreeMap<String, bool>,
}

/// No resource exists yet.
pub(super) struct NoResources;

impl ResourceValues for NoResources {
    fn reference(&self, _: &str) -> Option<String> {
        None
    }

    fn attribute(&self, _: &str, _: &str) -> Option<Value> {
        None
    }
}

impl Scope {
    /// Resolves a value; `None` is `AWS::NoValue`.
    pub(super) fn resolve(&self, value: &Value, values: &dyn ResourceValues) -> Result<Option<Value>, TemplateError> {
        if let Some((name, argument)) = functions::of(value) {
            return self.call(name, argument, values);
        }
        Ok(Some(match value {
            Value::Array(items) => Value::Array(self.list(items, values)?),
            Value::Object(entries) => {
                let mut resolved = Map::new();
                for (name, value) in entries {
                    if let Some(value) = self.resolve(value, values)? {
                        resolved.insert(name.clone(), value);
                    }
                }
                Value::Object(resolved)
            }
            plain => plain.clone(),
        }))
    }

    /// Replaces `Fn::If`, also nested, by the selected branch.
    pub(super) fn select_branch<'a>(&self, value: &'a Value) -> &'a Value {
        let mut value = value;
        while let Some(("Fn::If", Value::Array(items))) = functions::of(value) {
            let [Value::String(condition), yes, no] = items.as_slice() else {
                break;
            };
            value = if self.conditions.get(condition).copied().unwrap_or_default() { yes } else { no };
        }
        value
    }

    fn list(&self, items: &[Value], values: &dyn ResourceValues) -> Result<Vec<Value>, TemplateError> {
        let resolved = items.iter().map(|item| self.resolve(item, values));
        resolved.filter_map(Result::transpose).collect()
    }

    fn call(&self, name: &str, argument: &Value, values: &dyn ResourceValues) -> Result<Option<Value>, TemplateError> {
        let bad = || functions::bad_argument(name);
        let items = || argument.as_array().ok_or_else(bad);
        Ok(Some(match name {
            "Ref" => return self.reference(argument.as_str().ok_or_else(bad)?, values),
            "Fn::GetAtt" => {
                let (resource, attribute) = functions::get_att(argument)?;
                let attribute = self.text(&attribute, values)?.ok_or_else(bad)?;
                self.attribute(resource, &attribute, values)?
            }
            "Fn::If" => {
                let [Value::String(condition), yes, no] = items()?.as_slice() else {
                    return Err(bad());
                };
                let condition_holds = self.conditions.get(condition).ok_or_else(|| undefined_condition(condition))?;
                return self.resolve(if *condition_holds { yes } else { no }, values);
            }
            "Fn::Sub" => Value::String(self.sub(argument, values)?),
            "Fn::Join" => {
                let [delimiter, list] = items()?.as_slice() else {
                    return Err(bad());
                };
                let delimiter = self.text(delimiter, values)?.ok_or_else(bad)?;
                let Some(Value::Array(list)) = self.resolve(list, values)? else {
                    return Err(bad());
                };
                let texts: Option<Vec<String>> = list.iter().map(scalar).collect();
                Value::String(texts.ok_or_else(bad)?.join(&delimiter))
            }
            "Fn::Split" => {
                let [delimiter, source] = items()?.as_slice() else {
                    return Err(bad());
                };
                let delimiter = self.text(delimiter, values)?.filter(|text| !text.is_empty()).ok_or_else(bad)?;
                let source = self.text(source, values)?.ok_or_else(bad)?;
                source.split(&delimiter).map(Value::from).collect()
            }
            "Fn::Select" => {
                let [index, list] = items()?.as_slice() else {
                    return Err(bad());
                };
                let index = self.text(index, values)?.ok_or_else(bad)?;
                let number: usize = index.parse().map_err(|_| bad())?;
                let Some(Value::Array(list)) = self.resolve(list, values)? else {
                    return Err(bad());
                };
                list.get(number).cloned().ok_or_else(|| {
                    TemplateError::error(format!("Fn::Select cannot select nonexistent value at index {index}"))
                })?
            }
            "Fn::FindInMap" => {
                let [map, key, attribute] = items()?.as_slice() else {
                    return Err(bad());
                };
                let mut path = Vec::new();
                for part in [map, key, attribute] {
                    path.push(self.text(part, values)?.ok_or_else(bad)?);
                }
                let map = self.document["Mappings"].get(&path[0]).ok_or_else(|| {
                    TemplateError::error(format!(
                        "Mapping named '{}' is not present in the 'Mappings' section of template.",
                        path[0]
                    ))
                })?;
                let found = map.get(&path[1]).and_then(|map| map.get(&path[2]));
                found
                    .cloned()
                    .ok_or_else(|| TemplateError::error(format!("Unable to get mapping for {}", path.join("::"))))?
            }
            "Fn::Base64" => Value::String(STANDARD.encode(self.text(argument, values)?.ok_or_else(bad)?)),
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" => {
                return Err(TemplateError::error(format!("{name} cannot be partially collapsed")));
            }
            _ => return Err(TemplateError::error(format!("Encountered unsupported function: {name}"))),
        }))
    }

    /// Resolves a value to a string; `None` for a list or an object.
    pub(super) fn text(&self, value: &Value, values: &dyn ResourceValues) -> Result<Option<String>, TemplateError> {
        Ok(self.resolve(value, values)?.as_ref().and_then(scalar))
    }

    fn sub(&self, argument: &Value, values: &dyn ResourceValues) -> Result<String, TemplateError> {
        let (text, variables) = functions::sub(argument)?;
        let mut result = String::new();
        for piece in functions::pieces(text)? {
            match piece {
                Piece::Text(text) => result.push_str(&text),
                Piece::Variable(name) => {
                    let value = if let Some(own) = variables.and_then(|variables| variables.get(&name)) {
                        self.resolve(own, values)?
                    } else if let Some((resource, attribute)) = name.split_once('.') {
                        Some(self.attribute(resource, attribute, values)?)
                    } else {
                        self.reference(&name, values)?
                    };
                    let value = value
                        .as_ref()
                        .and_then(scalar)
                        .ok_or_else(|| TemplateError::error("Fn::Sub expression does not resolve to a string"))?;
                    result.push_str(&value);
                }
            }
        }
        Ok(result)
    }

    fn reference(&self, name: &str, values: &dyn ResourceValues) -> Result<Option<Value>, TemplateError> {
        let pseudo = &self.pseudo;
        Ok(Some(match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::AccountId" => Value::from(pseudo.account.as_str()),
            "AWS::Region" => Value::from(pseudo.region.as_str()),
            "AWS::StackName" => Value::from(pseudo.stack_name.as_str()),
            "AWS::StackId" => Value::from(pseudo.stack_id.as_str()),
            "AWS::NotificationARNs" => Value::from(pseudo.notification_arns.clone()),
            "AWS::Partition" => Value::from(partition(&pseudo.region).0),
            "AWS::URLSuffix" => Value::from(partition(&pseudo.region).1),
            _ => match self.parameters.get(name) {
                Some(value) => value.clone(),
                None => values.reference(name).map(Value::String).ok_or_else(|| {
                    TemplateError::format(format!(
                        "Unresolved resource dependencies [{name}] in the Resources block of the template"
                    ))
                })?,
            },
        }))
    }

    fn attribute(&self, resource: &str, attribute: &str, values: &dyn ResourceValues) -> Result<Value, TemplateError> {
        values.attribute(resource, attribute).ok_or_else(|| {
            TemplateError::error(format!(
                "resource {resource} does not support attribute type {attribute} in Fn::GetAtt"
            ))
        })
    }
}

pub(super) fn undefined_condition(name: &str) -> TemplateError {
    TemplateError::error(format!("unresolved condition dependency {name} in Fn::If"))
}

fn partition(region: &str) -> (&'static str, &'static str) {
    if region.starts_with("cn-") {
        ("aws-cn", "amazonaws.com.cn")
    } else if region.starts_with("us-gov-") {
        ("aws-us-gov", "amazonaws.com")
    } else {
        ("aws", "amazonaws.com")
    }
}

/// Converts a scalar to a string; `None` for other values.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
