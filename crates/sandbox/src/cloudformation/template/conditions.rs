//! Conditions: which hold for the parameters that are given.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scope::{Nothing, Scope};
use super::{TemplateError, functions, section};

/// Whether each condition of the template holds.
pub(super) fn evaluate(scope: &Scope) -> Result<BTreeMap<String, bool>, TemplateError> {
    let mut found = BTreeMap::new();
    for (name, _) in section(&scope.document, "Conditions") {
        named(name, scope, &mut found, &mut Vec::new())?;
    }
    Ok(found)
}

fn named(
    name: &str,
    scope: &Scope,
    found: &mut BTreeMap<String, bool>,
    asking: &mut Vec<String>,
) -> Result<bool, TemplateError> {
    if let Some(holds) = found.get(name) {
        return Ok(*holds);
    }
    let expression = scope.document["Conditions"].get(name).ok_or_else(|| {
        TemplateError::format(format!("Unresolved condition dependency {name} in the Conditions block of the template"))
    })?;
    if asking.iter().any(|asked| asked == name) {
        return Err(TemplateError::format(format!(
            "Found circular condition dependency between [{}]",
            asking.join(", ")
        )));
    }
    asking.push(name.to_owned());
    let holds = holds(expression, scope, found, asking)?;
    asking.pop();
    found.insert(name.to_owned(), holds);
    Ok(holds)
}

fn holds(
    expression: &Value,
    scope: &Scope,
    found: &mut BTreeMap<String, bool>,
    asking: &mut Vec<String>,
) -> Result<bool, TemplateError> {
    if let Some(name) = condition_of(expression) {
        return named(name, scope, found, asking);
    }
    let Some((function, argument)) = functions::of(expression) else {
        return Err(not_boolean());
    };
    let items = argument.as_array().ok_or_else(|| functions::bad_argument(function))?;
    match (function, items.as_slice()) {
        ("Fn::Equals", [left, right]) => {
            let mut sides = Vec::new();
            for side in [left, right] {
                let value = scope.resolve(side, &Nothing)?;
                // A number and the same number as text are equal: all parameters are text.
                sides.push(value.map(|value| match value {
                    Value::Bool(_) | Value::Number(_) => Value::String(value.to_string()),
                    value => value,
                }));
            }
            Ok(sides[0] == sides[1])
        }
        ("Fn::Not", [inner]) => Ok(!holds(inner, scope, found, asking)?),
        ("Fn::And" | "Fn::Or", inner) => {
            let all = inner.iter().map(|inner| holds(inner, scope, found, asking)).collect::<Result<Vec<_>, _>>()?;
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
