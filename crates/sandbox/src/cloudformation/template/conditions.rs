//! Evaluation of conditions.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scope::{NoResources, Scope};
use super::{TemplateError, functions, section};

/// Evaluates each condition of the template.
pub(super) fn evaluate(scope: &Scope) -> Result<BTreeMap<String, bool>, TemplateError> {
    let mut results = BTreeMap::new();
    for (name, _) in section(&scope.document, "Conditions") {
        evaluate_named(name, scope, &mut results, &mut Vec::new())?;
    }
    Ok(results)
}

fn evaluate_named(
    name: &str,
    scope: &Scope,
    results: &mut BTreeMap<String, bool>,
    pending: &mut Vec<String>,
) -> Result<bool, TemplateError> {
    if let Some(holds) = results.get(name) {
        return Ok(*holds);
    }
    let expression = scope.document["Conditions"].get(name).ok_or_else(|| {
        TemplateError::format(format!("Unresolved condition dependency {name} in the Conditions block of the template"))
    })?;
    if pending.iter().any(|other| other == name) {
        return Err(TemplateError::format(format!(
            "Found circular condition dependency between [{}]",
            pending.join(", ")
        )));
    }
    pending.push(name.to_owned());
    let holds = evaluate_expression(expression, scope, results, pending)?;
    pending.pop();
    results.insert(name.to_owned(), holds);
    Ok(holds)
}

fn evaluate_expression(
    expression: &Value,
    scope: &Scope,
    results: &mut BTreeMap<String, bool>,
    pending: &mut Vec<String>,
) -> Result<bool, TemplateError> {
    if let Some(name) = condition_of(expression) {
        return evaluate_named(name, scope, results, pending);
    }
    let Some((function, argument)) = functions::of(expression) else {
        return Err(not_boolean());
    };
    let items = argument.as_array().ok_or_else(|| functions::bad_argument(function))?;
    match (function, items.as_slice()) {
        ("Fn::Equals", [left, right]) => {
            let mut sides = Vec::new();
            for side in [left, right] {
                let value = scope.resolve(side, &NoResources)?;
                // Parameters are strings, so a number equals its string.
                sides.push(value.map(|value| match value {
                    Value::Bool(_) | Value::Number(_) => Value::String(value.to_string()),
                    value => value,
                }));
            }
            Ok(sides[0] == sides[1])
        }
        ("Fn::Not", [inner]) => Ok(!evaluate_expression(inner, scope, results, pending)?),
        ("Fn::And" | "Fn::Or", inner) => {
            let all = inner
                .iter()
                .map(|inner| evaluate_expression(inner, scope, results, pending))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(if function == "Fn::And" { all.into_iter().all(|one| one) } else { all.into_iter().any(|one| one) })
        }
        _ => Err(not_boolean()),
    }
}

/// The name in `{"Condition": name}`.
pub(super) fn condition_of(value: &Value) -> Option<&str> {
    let entries = value.as_object().filter(|entries| entries.len() == 1)?;
    entries.get("Condition")?.as_str()
}

fn not_boolean() -> TemplateError {
    TemplateError::format("Conditions can only be boolean operations on parameters and other conditions")
}
