//! Parameter declarations and their values.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{TemplateError, section};

/// A declared parameter.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ParameterDeclaration {
    /// The name.
    pub name: String,
    /// `String`, `Number`, `List<Number>`, `CommaDelimitedList`.
    pub kind: String,
    /// The default value.
    pub default: Option<String>,
    /// Whether the value is masked in output.
    pub no_echo: bool,
    /// The description in the template.
    pub description: Option<String>,
    /// The allowed values; any value if empty.
    pub allowed_values: Vec<String>,
    /// The regular expression that the whole value must match.
    pub allowed_pattern: Option<String>,
    /// The error message for a value that violates a constraint.
    pub constraint_description: Option<String>,
    /// Minimum and maximum length, in characters.
    pub length: (Option<usize>, Option<usize>),
    /// Minimum and maximum value.
    pub range: (Option<f64>, Option<f64>),
}

/// The supported parameter types.
pub(super) const KINDS: [&str; 5] = ["String", "Number", "List<Number>", "CommaDelimitedList", "List<String>"];

/// The parameters of a template, in template order.
pub(super) fn declarations(document: &Value) -> Vec<ParameterDeclaration> {
    section(document, "Parameters").map(|(name, declared)| declaration(name, declared)).collect()
}

fn declaration(name: &str, declared: &Value) -> ParameterDeclaration {
    let text = |member: &str| declared.get(member).and_then(text_of);
    let length = |member: &str| text(member).and_then(|text| text.parse().ok());
    let bound = |member: &str| text(member).and_then(|text| text.parse().ok());
    ParameterDeclaration {
        name: name.to_owned(),
        kind: text("Type").unwrap_or_default(),
        default: text("Default"),
        no_echo: text("NoEcho").is_some_and(|no_echo| no_echo.eq_ignore_ascii_case("true")),
        description: text("Description"),
        allowed_values: declared["AllowedValues"].as_array().into_iter().flatten().filter_map(text_of).collect(),
        allowed_pattern: text("AllowedPattern"),
        constraint_description: text("ConstraintDescription"),
        length: (length("MinLength"), length("MaxLength")),
        range: (bound("MinValue"), bound("MaxValue")),
    }
}

/// Converts a scalar to a string.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// The values of all parameters. Numbers stay strings, as `Ref` returns them; a list is a list of strings.
pub(super) fn values(
    declared: &[ParameterDeclaration],
    supplied: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Value>, TemplateError> {
    let unknown: Vec<_> =
        supplied.keys().filter(|name| !declared.iter().any(|parameter| parameter.name == **name)).cloned().collect();
    if !unknown.is_empty() {
        return Err(TemplateError(format!("Parameters: [{}] do not exist in the template", unknown.join(", "))));
    }
    let missing: Vec<_> = declared
        .iter()
        .filter(|parameter| parameter.default.is_none() && !supplied.contains_key(&parameter.name))
        .map(|parameter| parameter.name.as_str())
        .collect();
    if !missing.is_empty() {
        return Err(TemplateError(format!("Parameters: [{}] must have values", missing.join(", "))));
    }
    let mut values = BTreeMap::new();
    for parameter in declared {
        let text = supplied.get(&parameter.name).or(parameter.default.as_ref()).cloned().unwrap_or_default();
        values.insert(parameter.name.clone(), parameter.value(&text)?);
    }
    Ok(values)
}

impl ParameterDeclaration {
    fn value(&self, text: &str) -> Result<Value, TemplateError> {
        match self.kind.as_str() {
            "CommaDelimitedList" | "List<String>" | "List<Number>" => {
                let items = text.split(',').map(str::trim).filter(|_| !text.is_empty());
                let items: Vec<_> = items.map(str::to_owned).collect();
                items.iter().try_for_each(|item| self.check(item))?;
                Ok(Value::from(items))
            }
            _ => {
                self.check(text)?;
                Ok(Value::from(text))
            }
        }
    }

    fn check(&self, text: &str) -> Result<(), TemplateError> {
        let name = &self.name;
        let violation = |what: String| {
            Err(TemplateError(match &self.constraint_description {
                Some(description) => format!("Parameter '{name}' failed to satisfy constraint: {description}"),
                None => format!("Parameter '{name}' {what}"),
            }))
        };
        if matches!(self.kind.as_str(), "Number" | "List<Number>") {
            let Some(number) = text.parse::<f64>().ok().filter(|number| number.is_finite()) else {
                // The type is no constraint, so `ConstraintDescription` does not apply.
                return Err(TemplateError(format!("Parameter '{name}' must be a number")));
            };
            if let (Some(least), _) = self.range
                && number < least
            {
                return violation(format!("must be a number not less than {least}"));
            }
            if let (_, Some(most)) = self.range
                && number > most
            {
                return violation(format!("must be a number not greater than {most}"));
            }
        }
        let length = text.chars().count();
        if let (Some(least), _) = self.length
            && length < least
        {
            return violation(format!("must contain at least {least} characters"));
        }
        if let (_, Some(most)) = self.length
            && length > most
        {
            return violation(format!("must contain at most {most} characters"));
        }
        if let Some(pattern) = &self.allowed_pattern {
            // The whole value must match, as with Java's `matches`.
            let whole = regex_lite::Regex::new(&format!("^(?:{pattern})$")).map_err(|_| {
                TemplateError::format(format!(
                    "Parameter '{name}' has an AllowedPattern that is no valid regular expression"
                ))
            })?;
            if !whole.is_match(text) {
                return violation(format!("must match pattern {pattern}"));
            }
        }
        if !self.allowed_values.is_empty() && !self.allowed_values.iter().any(|allowed| allowed == text) {
            return violation("must be one of AllowedValues".to_owned());
        }
        Ok(())
    }
}
