//! Reading and checking request parameters.

use std::collections::BTreeMap;

use awsim_core::AwsError;
use serde_json::Value;

use super::template::TemplateError;
use crate::unsupported_fields;

/// The longest template in a request, in bytes.
const LONGEST: usize = 51_200;

pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("ValidationError", message)
}

pub(super) fn template_error(error: TemplateError) -> AwsError {
    invalid(error.to_string())
}

/// Rejects unsupported members by name. Booleans are strings in this protocol.
pub(super) fn reject_unsupported(input: &Value, members: &[&str]) -> Result<(), AwsError> {
    let relevant: Vec<&str> =
        members.iter().copied().filter(|member| input[*member].as_str() != Some("false")).collect();
    match unsupported_fields::first_set(input, &relevant) {
        Some(member) => Err(invalid(format!("The sandbox's CloudFormation does not support {member}."))),
        None => Ok(()),
    }
}

/// The template in a request.
pub(super) fn template_body(input: &Value) -> Result<Option<&str>, AwsError> {
    if text(input, "TemplateURL").is_some() {
        return Err(invalid("The sandbox's CloudFormation takes templates by TemplateBody only, not by TemplateURL."));
    }
    match text(input, "TemplateBody") {
        Some(body) if body.len() > LONGEST => Err(invalid(format!(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length \
             less than or equal to {LONGEST}"
        ))),
        body => Ok(body),
    }
}

/// Checks that a name consists of letters, digits and hyphens and begins with a letter.
pub(super) fn legal(name: &str, member: &str) -> Result<(), AwsError> {
    let legal = name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if legal {
        return Ok(());
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
    )))
}

/// An enum member.
pub(super) fn word<'a>(input: &'a Value, member: &str, words: &[&str]) -> Result<Option<&'a str>, AwsError> {
    match text(input, member) {
        Some(given) if !words.contains(&given) => Err(invalid(format!(
            "1 validation error detected: Value '{given}' at '{}{}' failed to satisfy constraint: Member must satisfy enum \
             value set: [{}]",
            member[..1].to_lowercase(),
            &member[1..],
            words.join(", ")
        ))),
        given => Ok(given),
    }
}

pub(super) fn text<'a>(input: &'a Value, member: &str) -> Option<&'a str> {
    input[member].as_str().filter(|text| !text.is_empty())
}

pub(super) fn needed<'a>(input: &'a Value, member: &str) -> Result<&'a str, AwsError> {
    text(input, member).ok_or_else(|| {
        invalid(format!(
            "1 validation error detected: Value null at '{}{}' failed to satisfy constraint: Member must not be null",
            member[..1].to_lowercase(),
            &member[1..]
        ))
    })
}

pub(super) fn is_true(input: &Value, member: &str) -> bool {
    input[member].as_str() == Some("true")
}

pub(super) fn list(input: &Value, member: &str) -> Vec<String> {
    let items = input[member].as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

pub(super) fn tags(input: &Value) -> Result<Vec<(String, String)>, AwsError> {
    let items = input["Tags"].as_array().into_iter().flatten();
    let tags: Vec<(String, String)> =
        items.filter_map(|tag| Some((text(tag, "Key")?.to_owned(), tag["Value"].as_str()?.to_owned()))).collect();
    if tags.iter().any(|(key, _)| key.to_lowercase().starts_with("aws:")) {
        return Err(invalid("aws: prefixed tag key names are not allowed for external use."));
    }
    if tags.len() > 50 {
        return Err(invalid("Tag count exceeds the limit of 50."));
    }
    Ok(tags)
}

/// The parameters; those with `UsePreviousValue` keep their previous values.
pub(super) fn parameters(
    input: &Value,
    before: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, AwsError> {
    let mut supplied = BTreeMap::new();
    for item in input["Parameters"].as_array().into_iter().flatten() {
        let key = needed(item, "ParameterKey")?;
        if is_true(item, "UsePreviousValue") {
            supplied.extend(before.get(key).map(|value| (key.to_owned(), value.clone())));
        } else {
            let value = item["ParameterValue"].as_str().unwrap_or_default();
            supplied.insert(key.to_owned(), value.to_owned());
        }
    }
    Ok(supplied)
}
