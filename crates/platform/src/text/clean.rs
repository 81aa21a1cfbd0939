//! Cleans external text of control and bidirectional characters.

use std::iter::Peekable;
use std::str::Chars;

/// Cleans an external value for display on one line: removes escape sequences, expands tabs, and replaces other control
/// characters, line breaks and bidirectional characters with U+FFFD.
///
/// Joiners, as in emoji, are kept, since they have no width.
pub fn clean(text: &str) -> String {
    let text = text.trim_end_matches(['\r', '\n']);
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => drop(skip_escape(c, &mut rest)),
            '\t' => cleaned.push_str("    "),
            c if is_unsafe(c) => cleaned.push(char::REPLACEMENT_CHARACTER),
            c => cleaned.push(c),
        }
    }
    cleaned
}

/// Cleans a log line as [`clean`]. After a bare carriage return, as in progress bars, only the last part is kept.
pub fn clean_line(line: &str) -> String {
    let line = line.trim_end_matches(['\r', '\n']);
    clean(line.rsplit('\r').next().unwrap_or(line))
}

/// Whether a character is a control character, a line separator or a bidirectional character, which can disguise text.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// Skips an escape sequence after its first character: escape or a C1 control. Returns the parameters of a complete
/// control sequence that sets the style (SGR). An incomplete sequence ends before the first character that is not part
/// of it; a string ends at BEL, ST or the end of the text.
pub fn skip_escape(first: char, rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let opened = rest.next_if(|c| first == '\u{1b}' && matches!(c, '[' | ']' | 'P' | 'X' | '^' | '_'));
    match (first, opened) {
        ('\u{9b}', _) | (_, Some('[')) => {
            let mut parameters = String::new();
            while let Some(c) = rest.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)) {
                parameters.push(c);
            }
            let last = rest.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
            (last == Some('m')).then_some(parameters)
        }
        // Any number of intermediate characters, then a final one.
        ('\u{1b}', None) => {
            while rest.next_if(|c| ('\u{20}'..='\u{2f}').contains(c)).is_some() {}
            rest.next_if(|c| ('\u{30}'..='\u{7e}').contains(c));
            None
        }
        _ => {
            while let Some(c) = rest.next() {
                if matches!(c, '\u{7}' | '\u{9c}') || (c == '\u{1b}' && rest.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use thumbctl_hostile_text::any_text;

    use super::*;

    #[test]
    fn clean_removes_control_sequences() {
        assert_eq!(clean("\u{1b}[32mok\u{1b}[0m\tdone\r\n"), "ok    done");
        assert_eq!(clean("\u{1b}]0;title\u{7}x\u{1b}]8;;http://a\u{1b}\\link"), "xlink");
        assert_eq!(clean("bell\u{7} \u{202e}evil"), "bell\u{fffd} \u{fffd}evil");
        assert_eq!(
            clean("one\ntwo\rthree\u{9b}2J\u{2028}\u{61c}"),
            "one\u{fffd}two\u{fffd}three\u{fffd}2J\u{fffd}\u{fffd}"
        );
        assert_eq!(clean("\u{1b}[31"), "");
        assert_eq!(clean("\u{1b}[3\u{e9}x"), "\u{e9}x", "an incomplete sequence ends before the text");
        assert_eq!(clean("\u{1b}(Bplain"), "plain");
        assert_eq!(clean("👨\u{200d}👩\u{200d}👧"), "👨\u{200d}👩\u{200d}👧");
    }

    #[test]
    fn clean_line_keeps_last_part_of_progress_bar() {
        assert_eq!(clean_line("10%\r20%\r30%\r\n"), "30%");
    }

    proptest! {
        #[test]
        fn cleaned_text_has_no_unsafe_characters(text in any_text()) {
            for cleaned in [clean(&text), clean_line(&text)] {
                prop_assert!(!cleaned.contains(is_unsafe), "{:?}", cleaned);
                prop_assert_eq!(clean(&cleaned), cleaned);
            }
        }

        #[test]
        fn safe_text_is_not_changed(text in any_text()) {
            let safe: String = text.chars().filter(|c| !is_unsafe(*c)).collect();
            prop_assert_eq!(clean(&safe), safe);
        }
    }
}
