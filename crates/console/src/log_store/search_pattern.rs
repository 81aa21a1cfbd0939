//! [`SearchPattern`]: the text of a search or filter in a log.

use std::ops::Range;

use memchr::memmem::Finder;

/// A literal search text. It is case-sensitive only if it contains capitals.
#[derive(Clone, Debug)]
pub struct SearchPattern {
    text: String,
    is_folded: bool,
    finder: Finder<'static>,
}

impl PartialEq for SearchPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl SearchPattern {
    /// Creates a pattern; none for an empty text.
    pub fn new(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let is_folded = !text.chars().any(char::is_uppercase);
        let folded: String = if is_folded { text.chars().map(fold).collect() } else { text.to_owned() };
        let finder = Finder::new(&folded).into_owned();
        Some(Self { text: text.to_owned(), is_folded, finder })
    }

    /// The text as typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Calls `found` with the number of each line that contains the pattern, from 0. `buffer` holds the case-folded text.
    pub fn lines(&self, text: &[u8], buffer: &mut Vec<u8>, mut found: impl FnMut(usize)) {
        let text = if self.is_folded {
            fold_all(text, buffer);
            buffer.as_slice()
        } else {
            text
        };
        let (mut at, mut line) = (0, 0);
        while let Some(offset) = self.finder.find(&text[at..]) {
            let hit = at + offset;
            line += memchr::memchr_iter(b'\n', &text[at..hit]).count();
            found(line);
            let Some(end) = memchr::memchr(b'\n', &text[hit..]) else { break };
            at = hit + end + 1;
            line += 1;
        }
    }

    /// The matches in a line as byte ranges without overlap.
    pub fn ranges(&self, line: &str) -> Vec<Range<usize>> {
        let length = self.finder.needle().len();
        if !self.is_folded {
            return self.finder.find_iter(line.as_bytes()).map(|at| at..at + length).collect();
        }
        // Folding may change the length of a character: maps each folded byte to its original offset.
        let (mut folded, mut positions) = (String::with_capacity(line.len()), Vec::with_capacity(line.len() + 1));
        for (at, c) in line.char_indices() {
            folded.push(fold(c));
            positions.resize(folded.len(), at);
        }
        positions.push(line.len());
        self.finder.find_iter(folded.as_bytes()).map(|at| positions[at]..positions[at + length]).collect()
    }
}

/// The lower case of a character, if it is a single character.
fn fold(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn fold_all(text: &[u8], into: &mut Vec<u8>) {
    into.clear();
    match std::str::from_utf8(text) {
        Ok(letters) if !text.is_ascii() => {
            let mut bytes = [0; 4];
            for c in letters.chars() {
                into.extend_from_slice(fold(c).encode_utf8(&mut bytes).as_bytes());
            }
        }
        _ => {
            into.extend_from_slice(text);
            into.make_ascii_lowercase();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> SearchPattern {
        SearchPattern::new(text).expect("it is not empty")
    }

    fn lines(text: &str, all: &str) -> Vec<usize> {
        let mut found = Vec::new();
        pattern(text).lines(all.as_bytes(), &mut Vec::new(), |line| found.push(line));
        found
    }

    #[test]
    fn search_is_case_sensitive_only_with_capitals() {
        let log = "error: one\nok\nERROR: two\nan Error\n";
        assert_eq!(lines("error", log), [0, 2, 3]);
        assert_eq!(lines("Error", log), [3]);
        assert_eq!(lines("größe", "GRÖSSE\nGRÖßE\n"), [1]);
    }

    #[test]
    fn line_with_several_matches_is_reported_once() {
        assert_eq!(lines("aa", "aaaaaa\nb\naa aa\n"), [0, 2]);
        assert_eq!(lines("a\nb", "a\nb\n"), [0]);
        assert_eq!(SearchPattern::new(""), None);
    }

    #[test]
    fn match_ranges_are_byte_offsets_in_line() {
        assert_eq!(pattern("ab").ranges("ab-AB-abab"), [0..2, 3..5, 6..8, 8..10]);
        assert!(pattern("Ab").ranges("ab-Ab").into_iter().eq(std::iter::once(3..5)));
        // The Kelvin sign has three bytes, its small letter one.
        assert!(pattern("k").ranges("5 \u{212a}!").into_iter().eq(std::iter::once(2..5)));
    }

    proptest! {
        #[test]
        fn lines_and_ranges_agree(
            text in "[aAbBéÉK\u{212a}]{1,3}", all in proptest::collection::vec("[aAbBéÉkK\u{212a} ]{0,8}", 0..20)
        ) {
            let joined: String = all.iter().map(|line| format!("{line}\n")).collect();
            let pattern = pattern(&text);
            let expected: Vec<usize> = (0..all.len()).filter(|at| !pattern.ranges(&all[*at]).is_empty()).collect();
            prop_assert_eq!(lines(&text, &joined), expected);
            for line in &all {
                for range in pattern.ranges(line) {
                    prop_assert!(line.get(range).is_some());
                }
            }
        }
    }
}
