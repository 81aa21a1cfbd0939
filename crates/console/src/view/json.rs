//! Pretty-printed JSON with syntax colours.

use serde_json::{Map, Value};
use thumbctl_core::redaction::{HIDDEN, looks_secret, redact_line};

use super::Appearance;
use super::line::StyledRow;
use crate::theme::Role;

/// The maximum line length in columns.
const LONGEST: usize = 72;

/// A kind of JSON token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// An object key.
    Key,
    /// A string.
    Text,
    /// A number, `true`, `false` or `null`.
    Value,
    /// Punctuation, blanks and invalid text.
    Rest,
}

impl Token {
    fn role(self) -> Role {
        match self {
            Self::Key => Role::JsonKey,
            Self::Text => Role::JsonText,
            Self::Value => Role::JsonValue,
            Self::Rest => Role::Muted,
        }
    }
}

/// Splits a line into tokens, which concatenate to the line.
pub fn tokens(line: &str) -> Vec<(Token, &str)> {
    let mut tokens = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '"' => {
                let length = text_length(rest);
                let is_key = rest[length..].trim_start().starts_with(':');
                (if is_key { Token::Key } else { Token::Text }, length)
            }
            c if is_word(c) => (Token::Value, rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
            _ => (Token::Rest, rest.find(|c| c == '"' || is_word(c)).unwrap_or(rest.len())),
        };
        let (piece, after) = rest.split_at(length);
        tokens.push((token, piece));
        rest = after;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '+' | '.')
}

/// The length of a string with its quotes; an unterminated one extends to the end of the line.
fn text_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Formats a value as lines of at most `columns` columns, without splitting strings.
pub fn pretty(value: &Value, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    write(value, "", "", 0, columns.min(LONGEST), &mut lines);
    lines
}

fn write(value: &Value, before: &str, after: &str, depth: usize, columns: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let whole = format!("{indent}{before}{}{after}", compact(value));
    // The outermost object is always expanded.
    let is_document = depth == 0 && value.is_object();
    if !is_document && thumbctl_platform::text::width(&whole) <= columns {
        lines.push(whole);
        return;
    }
    match value {
        Value::Object(members) if !members.is_empty() => {
            lines.push(format!("{indent}{before}{{"));
            let last = members.len() - 1;
            for (index, (key, member)) in in_order(members).into_iter().enumerate() {
                let before = format!("{}: ", Value::from(key.as_str()));
                write(member, &before, if index < last { "," } else { "" }, depth + 1, columns, lines);
            }
            lines.push(format!("{indent}}}{after}"));
        }
        Value::Array(members) if !members.is_empty() => {
            lines.push(format!("{indent}{before}["));
            for (index, member) in members.iter().enumerate() {
                let after = if index + 1 < members.len() { "," } else { "" };
                write(member, "", after, depth + 1, columns, lines);
            }
            lines.push(format!("{indent}]{after}"));
        }
        _ => lines.push(whole),
    }
}

fn compact(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| format!("{}: {}", Value::from(key.as_str()), compact(value));
            format!("{{{}}}", in_order(members).into_iter().map(member).collect::<Vec<_>>().join(", "))
        }
        Value::Array(members) => format!("[{}]", members.iter().map(compact).collect::<Vec<_>>().join(", ")),
        plain => plain.to_string(),
    }
}

/// The members of an object, in the usual order of policies, then by name.
fn in_order(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    const POLICY: [&str; 9] =
        ["Version", "Id", "Sid", "Effect", "Principal", "Action", "Resource", "Condition", "Statement"];
    let rank = |key: &str| POLICY.iter().position(|known| *known == key).unwrap_or(POLICY.len());
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by(|(a, _), (b, _)| (rank(a), a).cmp(&(rank(b), b)));
    members
}

/// Masks credentials: all strings and numbers below a secret name, and name-value pairs.
fn masked(value: &Value, is_secret: bool) -> Value {
    match value {
        Value::Object(members) => {
            let member =
                |names: [&str; 4]| names.into_iter().find_map(|name| members.get(name)).and_then(Value::as_str);
            let is_named_secret = member(["name", "Name", "key", "Key"]).is_some_and(|name| looks_secret(name, ""));
            let masked_member = |(key, value): (&String, &Value)| {
                let is_value = is_named_secret && ["value", "Value", "values", "Values"].contains(&key.as_str());
                (key.clone(), masked(value, is_secret || is_value || looks_secret(key, "")))
            };
            Value::Object(members.iter().map(masked_member).collect())
        }
        Value::Array(members) => Value::Array(members.iter().map(|member| masked(member, is_secret)).collect()),
        Value::String(_) | Value::Number(_) if is_secret => Value::from(HIDDEN),
        Value::String(text) => Value::from(redact_line(text).into_owned()),
        plain => plain.clone(),
    }
}

/// Formats a value as rows of at most `columns` columns.
pub fn rows(value: &Value, columns: usize, appearance: Appearance) -> Vec<StyledRow> {
    let mut rows = Vec::new();
    // Masked before wrapping, since the name identifies a credential.
    for line in pretty(&masked(value, false), columns) {
        let line = super::clean(&line);
        let indent = line.len() - line.trim_start().len();
        let mut row = StyledRow::new(appearance);
        for (token, piece) in tokens(&line) {
            for (part, text) in
                thumbctl_platform::text::fold(piece, columns.saturating_sub(indent + 2).max(8)).iter().enumerate()
            {
                let is_too_long = row.width() > indent && row.width() + thumbctl_platform::text::width(text) > columns;
                if part > 0 || is_too_long {
                    rows.push(std::mem::replace(&mut row, StyledRow::new(appearance).space(indent + 2)));
                }
                row = row.styled(text.clone(), appearance.style(token.role()));
            }
        }
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_have_expected_kinds() {
        let line = r#"  "Sid": "a \"b\": c", "n": -1.5e3, "t": true}"#;
        let found: Vec<_> = tokens(line).into_iter().filter(|(token, _)| *token != Token::Rest).collect();
        assert_eq!(
            found,
            [
                (Token::Key, "\"Sid\""),
                (Token::Text, r#""a \"b\": c""#),
                (Token::Key, "\"n\""),
                (Token::Value, "-1.5e3"),
                (Token::Key, "\"t\""),
                (Token::Value, "true"),
            ]
        );
    }

    #[test]
    fn value_that_fits_stays_on_one_line() {
        let policy = json!({"Statement": [{"Action": ["s3:GetObject"], "Effect": "Allow"}], "Version": "2012-10-17"});
        let wide = [
            "{",
            r#"  "Version": "2012-10-17","#,
            r#"  "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"]}]"#,
            "}",
        ];
        assert_eq!(pretty(&policy, 80), wide);
        let narrow = [
            "{",
            r#"  "Version": "2012-10-17","#,
            r#"  "Statement": ["#,
            "    {",
            r#"      "Effect": "Allow","#,
            r#"      "Action": ["s3:GetObject"]"#,
            "    }",
            "  ]",
            "}",
        ];
        assert_eq!(pretty(&policy, 34), narrow);
        assert_eq!(pretty(&json!({}), 10), ["{}"]);
        assert_eq!(pretty(&json!([]), 1), ["[]"]);
    }

    /// The formatted value as text.
    fn drawn(value: &Value, columns: usize) -> String {
        let appearance = Appearance { theme: crate::theme::Theme::Dark, symbols: &crate::symbols::UNICODE };
        let lines = rows(value, columns, appearance).into_iter().map(|row| row.line(columns).to_string());
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn values_below_secret_names_are_masked() {
        let document = json!({
            "Passwords": ["Qfirst-of-a-list-that-is-too-long", "Qsecond-of-a-list-that-is-too-long", "Qthird"],
            "client_secret": {"current": "Qcurrent", "versions": [{"text": "Qold"}, 4711, true, null]},
            "Environment": [
                {"name": "DB_PASSWORD", "type": "PLAINTEXT", "value": "Qvalue-beside-its-name-on-another-line"},
                {"Key": "api-key", "Value": "Qvalue"},
            ],
            "Action": ["s3:GetObject"],
            "text": "AWS_SECRET_ACCESS_KEY=Qtext",
        });
        for columns in [20, 40, 72, 200] {
            let drawn = drawn(&document, columns);
            assert!(!drawn.contains('Q') && !drawn.contains("4711"), "{drawn}");
            for kept in ["Passwords", "client_secret", "current", "true", "null", "s3:GetObject", "DB_PASSWORD"] {
                assert!(drawn.contains(kept), "{kept} in {drawn}");
            }
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn pretty_value_parses_to_itself(value in values(), columns in 0usize..120) {
            let text = pretty(&value, columns).join("\n");
            prop_assert_eq!(serde_json::from_str::<Value>(&text).expect("it is JSON"), value);
        }

        #[test]
        fn tokens_concatenate_to_line(line in any::<String>()) {
            let pieces: String = tokens(&line).into_iter().map(|(_, piece)| piece).collect();
            prop_assert_eq!(pieces, line);
        }
    }
}
