//! Intrinsic functions: the supported ones, and the shapes of their arguments.

use serde_json::Value;

use super::TemplateError;

/// The supported functions, in the order of CloudFormation's error message.
const SUPPORTED: [&str; 14] = [
    "Fn::And",
    "Fn::Base64",
    "Fn::Equals",
    "Fn::FindInMap",
    "Fn::GetAtt",
    "Fn::If",
    "Fn::Join",
    "Fn::Not",
    "Fn::Or",
    "Fn::Select",
    "Fn::Split",
    "Fn::Sub",
    "Fn::Transform",
    "Condition",
];

/// The functions of AWS that the sandbox does not support.
const UNSUPPORTED: [&str; 7] = [
    "Fn::Cidr",
    "Fn::ForEach",
    "Fn::GetAZs",
    "Fn::GetStackOutput",
    "Fn::ImportValue",
    "Fn::Length",
    "Fn::ToJsonString",
];

/// The function call in a value: its name and argument.
pub(super) fn of(value: &Value) -> Option<(&str, &Value)> {
    let entries = value.as_object().filter(|entries| entries.len() == 1)?;
    let (name, argument) = entries.iter().next()?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name.as_str(), argument))
}

/// A part of a `Fn::Sub` string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Variable(String),
}

/// Splits a `Fn::Sub` string into parts; `${!Name}` is the literal `${Name}`.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        literal.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            literal.push_str("${");
            rest = after;
            continue;
        };
        if let Some(escaped) = name.strip_prefix('!') {
            literal.push_str(&format!("${{{escaped}}}"));
        } else {
            let name = name.trim();
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.:".contains(c)) {
                return Err(TemplateError::error(
                    "variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, \
                     and colons",
                ));
            }
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
            pieces.push(Piece::Variable(name.to_owned()));
        }
        rest = after;
    }
    literal.push_str(rest);
    pieces.push(Piece::Text(literal));
    Ok(pieces)
}

/// The variable map of a `Fn::Sub`.
type Variables = serde_json::Map<String, Value>;

/// The string of a `Fn::Sub` and its variable map.
pub(super) fn sub(argument: &Value) -> Result<(&str, Option<&Variables>), TemplateError> {
    match argument {
        Value::String(text) => Ok((text, None)),
        Value::Array(items) => match items.as_slice() {
            [Value::String(text), Value::Object(variables)] => Ok((text, Some(variables))),
            [Value::String(text)] => Ok((text, None)),
            _ => Err(bad_argument("Fn::Sub")),
        },
        _ => Err(bad_argument("Fn::Sub")),
    }
}

/// The resource and the attribute of a `Fn::GetAtt`; the attribute may be a `Ref`.
pub(super) fn get_att(argument: &Value) -> Result<(&str, Value), TemplateError> {
    match argument {
        Value::String(text) => match text.split_once('.') {
            Some((resource, attribute)) if !resource.is_empty() && !attribute.is_empty() => {
                Ok((resource, Value::from(attribute)))
            }
            _ => Err(bad_argument("Fn::GetAtt")),
        },
        Value::Array(items) => match items.as_slice() {
            [Value::String(resource), attribute @ Value::String(name)] if !resource.is_empty() && !name.is_empty() => {
                Ok((resource, attribute.clone()))
            }
            [Value::String(resource), attribute] if of(attribute).is_some_and(|(name, _)| name == "Ref") => {
                Ok((resource, attribute.clone()))
            }
            // `!GetAtt [A, Outputs, B]` means `A.Outputs.B`.
            [Value::String(resource), rest @ ..] if rest.len() > 1 && rest.iter().all(Value::is_string) => {
                let names: Vec<_> = rest.iter().filter_map(Value::as_str).collect();
                Ok((resource, Value::from(names.join("."))))
            }
            _ => Err(bad_argument("Fn::GetAtt")),
        },
        _ => Err(bad_argument("Fn::GetAtt")),
    }
}

/// CloudFormation's error for invalid arguments of a function.
pub(super) fn bad_argument(function: &str) -> TemplateError {
    TemplateError::error(match function {
        "Ref" => "every Ref object must have a single String value.",
        "Fn::GetAtt" => {
            "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"
        }
        "Fn::Sub" => {
            "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first \
             argument, and an optional second argument to specify a mapping of values to replace in the string"
        }
        "Fn::Join" => {
            "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined \
             or a function that returns a list of strings (such as Fn::GetAZs) to be joined."
        }
        "Fn::Split" => {
            "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a \
             function that returns a string to be split."
        }
        "Fn::Select" => {
            "every Fn::Select object requires two parameters, the index of the object to retrieve and the list of objects \
             to select from."
        }
        "Fn::FindInMap" => {
            "every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return \
             value"
        }
        "Fn::Base64" => "every Fn::Base64 object must have a String-typed value.",
        "Fn::Equals" => "every Fn::Equals object requires a list of 2 string parameters.",
        "Fn::Not" => "every Fn::Not object requires one boolean parameter.",
        "Fn::And" => "every Fn::And object requires a list of at least 2 and at most 10 boolean parameters.",
        "Fn::Or" => "every Fn::Or object requires a list of at least 2 and at most 10 boolean parameters.",
        "Fn::If" => {
            "every Fn::If object requires three parameters, the condition, the value if it is true and the value if it is \
             false."
        }
        _ => "a function's arguments are not what it expects",
    })
}

/// Checks all functions in conditions, resources and outputs.
pub(super) fn check(document: &Value) -> Result<(), TemplateError> {
    for section in ["Conditions", "Resources", "Outputs"] {
        if let Some(content) = document.get(section) {
            check_value(content)?;
        }
    }
    Ok(())
}

fn check_value(value: &Value) -> Result<(), TemplateError> {
    match value {
        Value::Array(items) => items.iter().try_for_each(check_value),
        Value::Object(entries) => {
            for (name, argument) in entries {
                if name.starts_with("Fn::") || (name == "Ref" && entries.len() == 1) {
                    check_function(name, argument, entries.len())?;
                }
                check_value(argument)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_function(name: &str, argument: &Value, siblings: usize) -> Result<(), TemplateError> {
    if UNSUPPORTED.iter().any(|other| name == *other || name.starts_with(&format!("{other}::"))) {
        return Err(TemplateError::error(format!("the sandbox does not have the function {name}")));
    }
    if name != "Ref" && !SUPPORTED.contains(&name) || siblings != 1 && name != "Fn::Transform" {
        let supported: Vec<_> = SUPPORTED.into_iter().filter(|name| *name != "Fn::Transform").collect();
        return Err(TemplateError::error(format!(
            "Encountered unsupported function: {name} Supported functions are: [{}]",
            supported.join(", ")
        )));
    }
    let items = argument.as_array();
    let has_length = |least: usize, most: usize| items.is_some_and(|items| (least..=most).contains(&items.len()));
    let fits = match name {
        "Ref" => argument.is_string(),
        "Fn::GetAtt" => return get_att(argument).map(drop),
        "Fn::Sub" => return sub(argument).and_then(|(text, _)| pieces(text)).map(drop),
        "Fn::Join" | "Fn::Split" => {
            has_length(2, 2)
                && argument[0].is_string()
                && (name == "Fn::Split" || argument[1].is_array() || of(&argument[1]).is_some())
        }
        "Fn::Select" | "Fn::Equals" => has_length(2, 2),
        "Fn::FindInMap" => {
            if has_length(4, 4) {
                // The default value requires the transform AWS::LanguageExtensions.
                return Err(TemplateError::error("the sandbox does not have Fn::FindInMap with a default value"));
            }
            has_length(3, 3)
        }
        "Fn::If" => has_length(3, 3) && argument[0].is_string(),
        "Fn::And" | "Fn::Or" => has_length(2, 10),
        "Fn::Not" => has_length(1, 1),
        "Fn::Base64" => argument.is_string() || of(argument).is_some(),
        _ => true,
    };
    if fits { Ok(()) } else { Err(bad_argument(name)) }
}
