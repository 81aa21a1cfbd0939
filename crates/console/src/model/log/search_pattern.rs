//! [`SearchPattern`]: what is searched for in a log.

use std::ops::Range;

use memchr::memmem::Finder;

/// What is searched for: a text as it stands. Capitals matter only when it has some.
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
    /// A needle; nothing cannot be searched for.
    pub fn new(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let is_folded = !text.chars().any(char::is_uppercase);
        let folded: String = if is_folded { text.chars().map(fold).collect() } else { text.to_owned() };
        let finder = Finder::new(&folded).into_owned();
        Some(Self { text: text.to_owned(), is_folded, finder })
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Tells which of the lines in a text contain it; the lines count from 0 and end with line feeds. The buffer is for
    /// the text with its capitals folded.
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

    /// Where it is in a line: ranges of bytes that do not overlap.
    pub fn ranges(&self, line: &str) -> Vec<Range<usize>> {
        let length = self.finder.needle().len();
        if !self.is_folded {
            return self.finder.find_iter(line.as_bytes()).map(|at| at..at + length).collect();
        }
        // Folding may change how many bytes a character has: each folded byte knows where its character stands.
        let (mut folded, mut positions) = (String::with_capacity(line.len()), Vec::with_capacity(line.len() + 1));
        for (at, c) in line.char_indices() {
            folded.push(fold(c));
            positions.resize(folded.len(), at);
        }
        positions.push(line.len());
        self.finder.find_iter(folded.as_bytes()).map(|at| positions[at]..positions[at + length]).collect()
    }
}

/// A character without its capital, where that is one character again.
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
    fn capitals_matter_only_when_some_are_typed() {
        let log = "error: one\nok\nERROR: two\nan Error\n";
        assert_eq!(lines("error", log), [0, 2, 3]);
        assert_eq!(lines("Error", log), [3]);
        assert_eq!(lines("größe", "GRÖSSE\nGRÖßE\n"), [1]);
    }

    #[test]
    fn a_line_with_many_matches_is_told_once() {
        assert_eq!(lines("aa", "aaaaaa\nb\naa aa\n"), [0, 2]);
        assert_eq!(lines("a\nb", "a\nb\n"), [0]);
        assert_eq!(SearchPattern::new(""), None);
    }

    #[test]
    fn a_match_is_found_where_it_stands_in_the_line() {
        assert_eq!(pattern("ab").ranges("ab-AB-abab"), [0..2, 3..5, 6..8, 8..10]);
        assert!(pattern("Ab").ranges("ab-Ab").into_iter().eq(std::iter::once(3..5)));
        // The Kelvin sign has three bytes, its small letter one.
        assert!(pattern("k").ranges("5 \u{212a}!").into_iter().eq(std::iter::once(2..5)));
    }

    proptest! {
        #[test]
        fn a_line_is_told_exactly_when_it_has_a_range(
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
