//! JSON as people read it: broken into lines where it is long, and told apart by what each piece is. Pure.

use serde_json::{Map, Value};
use thumbctl_core::secret::{HIDDEN, looks_secret, redact_line};

use super::Appearance;
use super::line::StyledRow;
use crate::theme::Role;

/// The longest that is kept on one line, in columns, however wide the room is.
const LONGEST: usize = 72;

/// What a piece of JSON is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The name of an object's member.
    Key,
    /// A text.
    Text,
    /// A number, `true`, `false` or `null`.
    Value,
    /// Brackets, commas, colons, blanks; and whatever is no JSON.
    Rest,
}

impl Token {
    fn role(self) -> Role {
        match self {
            Self::Key => Role::JsonKey,
            Self::Text => Role::JsonText,
            Self::Value => Role::JsonValue,
            Self::Rest => Role::Quiet,
        }
    }
}

/// The pieces of a line of JSON. Together they are the line, whatever it is.
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

/// How long a text is that begins with a quotation mark, with both of them; one that does not end goes to the line's end.
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

/// A value as lines of at most so many columns, as far as its texts can be kept whole: what fits on a line stays on one.
pub fn pretty(value: &Value, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    write(value, "", "", 0, columns.min(LONGEST), &mut lines);
    lines
}

fn write(value: &Value, before: &str, after: &str, depth: usize, columns: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let whole = format!("{indent}{before}{}{after}", compact(value));
    // The outermost is always opened: there it is where a document begins and ends.
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

/// An object's members in the order in which policies are written, and by name where there is no such order.
fn in_order(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    const POLICY: [&str; 9] =
        ["Version", "Id", "Sid", "Effect", "Principal", "Action", "Resource", "Condition", "Statement"];
    let rank = |key: &str| POLICY.iter().position(|known| *known == key).unwrap_or(POLICY.len());
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by(|(a, _), (b, _)| (rank(a), a).cmp(&(rank(b), b)));
    members
}

/// A value without what looks like a credential: all texts and numbers below a name that credentials have, however deep,
/// and also where name and value are members beside each other.
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

/// A value as rows to be drawn, each in at most so many columns.
pub fn rows(value: &Value, columns: usize, look: Appearance) -> Vec<StyledRow> {
    let mut rows = Vec::new();
    // Masked before it is broken into lines: what gives a credential away is the name before it.
    for line in pretty(&masked(value, false), columns) {
        let line = super::clean(&line);
        let indent = line.len() - line.trim_start().len();
        let mut row = StyledRow::new(look);
        for (token, piece) in tokens(&line) {
            for (part, text) in
                thumbctl_platform::text::fold(piece, columns.saturating_sub(indent + 2).max(8)).iter().enumerate()
            {
                let is_too_long = row.width() > indent && row.width() + thumbctl_platform::text::width(text) > columns;
                if part > 0 || is_too_long {
                    rows.push(std::mem::replace(&mut row, StyledRow::new(look).space(indent + 2)));
                }
                row = row.styled(text.clone(), look.style(token.role()));
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
    fn every_piece_is_what_it_is() {
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
    fn what_fits_on_a_line_stays_on_one() {
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

    /// A value as it is drawn.
    fn drawn(value: &Value, columns: usize) -> String {
        let look = Appearance { theme: crate::theme::Theme::Dark, symbols: &crate::symbols::UNICODE };
        let lines = rows(value, columns, look).into_iter().map(|row| row.line(columns).to_string());
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_below_a_name_that_credentials_have_is_masked_however_it_is_broken() {
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
        fn a_value_is_the_same_however_it_is_broken(value in values(), columns in 0usize..120) {
            let text = pretty(&value, columns).join("\n");
            prop_assert_eq!(serde_json::from_str::<Value>(&text).expect("it is JSON"), value);
        }

        #[test]
        fn the_pieces_of_any_line_are_the_line(line in any::<String>()) {
            let pieces: String = tokens(&line).into_iter().map(|(_, piece)| piece).collect();
            prop_assert_eq!(pieces, line);
        }
    }
}
