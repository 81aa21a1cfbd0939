//! Text that came from outside, without anything that a terminal would obey or that makes it look like another text.

use std::iter::Peekable;
use std::str::Chars;

/// A value of somebody else's as it may be shown on one line: escape sequences are left out, tabs become spaces, other
/// control characters, line breaks and controls of the direction of writing become a sign that something was there.
///
/// Characters that only join others, as in emoji, stay: they take no column of their own.
pub fn clean(text: &str) -> String {
    let text = text.trim_end_matches(['\r', '\n']);
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            '\t' => cleaned.push_str("    "),
            c if is_unsafe(c) => cleaned.push(char::REPLACEMENT_CHARACTER),
            c => cleaned.push(c),
        }
    }
    cleaned
}

/// A line of a log, [cleaned](clean). A bare carriage return draws over the line, as progress bars do: what counts is what
/// comes last.
pub fn clean_line(line: &str) -> String {
    let line = line.trim_end_matches(['\r', '\n']);
    clean(line.rsplit('\r').next().unwrap_or(line))
}

/// Whether a character is one that a terminal obeys (a control character), or that breaks a line or changes the direction of
/// writing, by which a text can look like another.
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

fn skip_escape(rest: &mut Peekable<Chars<'_>>) {
    match rest.next() {
        // CSI: up to its final byte.
        Some('[') => while rest.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
        // OSC and other strings: up to BEL or ST.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = rest.next() {
                if c == '\u{7}' || (c == '\u{1b}' && rest.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        // Designations of character sets have one character more.
        Some('(' | ')' | '*' | '+' | '#') => {
            rest.next();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use thumbctl_hostile_text::any_text;

    use super::*;

    #[test]
    fn clean_removes_what_a_terminal_would_obey() {
        assert_eq!(clean("\u{1b}[32mok\u{1b}[0m\tdone\r\n"), "ok    done");
        assert_eq!(clean("\u{1b}]0;title\u{7}x\u{1b}]8;;http://a\u{1b}\\link"), "xlink");
        assert_eq!(clean("bell\u{7} \u{202e}evil"), "bell\u{fffd} \u{fffd}evil");
        assert_eq!(
            clean("one\ntwo\rthree\u{9b}2J\u{2028}\u{61c}"),
            "one\u{fffd}two\u{fffd}three\u{fffd}2J\u{fffd}\u{fffd}"
        );
        assert_eq!(clean("\u{1b}[31"), "");
        assert_eq!(clean("\u{1b}(Bplain"), "plain");
        assert_eq!(clean("👨\u{200d}👩\u{200d}👧"), "👨\u{200d}👩\u{200d}👧");
    }

    #[test]
    fn clean_line_shows_what_a_progress_bar_drew_last() {
        assert_eq!(clean_line("10%\r20%\r30%\r\n"), "30%");
    }

    proptest! {
        #[test]
        fn cleaned_text_has_no_unsafe_character(text in any_text()) {
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
