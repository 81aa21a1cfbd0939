//! JSON output, with control characters escaped.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::TerminalText;
use crate::text::is_unsafe;

/// Formats a value as one line of JSON. All control and bidirectional characters are escaped, even where JSON does not
/// require it; a parser gets the original value.
///
/// # Errors
/// When the value cannot be serialized.
pub fn json_line(value: &impl Serialize) -> serde_json::Result<TerminalText> {
    let mut line = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut line, Escaping))?;
    line.push(b'\n');
    Ok(TerminalText::json(String::from_utf8(line).expect("JSON is UTF-8")))
}

/// Compact JSON without unescaped control characters.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_unsafe) {
            let (before, from) = rest.split_at(at);
            CompactFormatter.write_string_fragment(writer, before)?;
            let mut after = from.chars();
            for c in after.by_ref().take(1) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = after.as_str();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use thumbctl_hostile_text::any_text;

    use super::*;

    #[test]
    fn json_escapes_control_characters() {
        let line = json_line(&json!({ "a\u{9b}": "\u{1b}[2J\u{7f}\u{202e}é\"日" })).expect("it is JSON");
        assert_eq!(line.as_str(), "{\"a\\u009b\":\"\\u001b[2J\\u007f\\u202eé\\\"日\"}\n");
    }

    proptest! {
        #[test]
        fn escaped_json_has_the_same_value(key in any_text(), text in any_text(), number in any::<i64>()) {
            let value = json!({ (key): [text, number, null, { "text": true }] });
            let line = json_line(&value).expect("it is JSON");
            prop_assert_eq!(serde_json::from_str::<Value>(line.as_str()).expect("it can be parsed"), value);
            prop_assert!(!line.as_str().trim_end_matches('\n').contains(is_unsafe), "{:?}", line);
        }
    }
}
