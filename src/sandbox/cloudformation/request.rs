//! What requests say.

use std::collections::BTreeMap;

use awsim_core::AwsError;
use serde_json::Value;

pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("ValidationError", message)
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

pub(super) fn tags(input: &Value) -> Vec<(String, String)> {
    let items = input["Tags"].as_array().into_iter().flatten();
    items.filter_map(|tag| Some((tag["Key"].as_str()?.to_owned(), tag["Value"].as_str()?.to_owned()))).collect()
}

/// The parameters, those with `UsePreviousValue` from before.
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
