//! Long lines, broken at the edge: where, and into how many rows. The same for the store, which counts rows, and the view.

use std::ops::Range;

use ratatui::style::Style;
use ratatui::text::Span;

use crate::text;

/// How many rows a line takes in so many columns.
pub fn rows(line: &str, columns: usize) -> usize {
    let columns = columns.max(1);
    if line.is_ascii() { line.len().div_ceil(columns).max(1) } else { breaks(line, columns).len() }
}

/// The rows of a line in so many columns, as ranges of bytes. What is drawn in one cell is not torn apart.
pub fn breaks(line: &str, columns: usize) -> Vec<Range<usize>> {
    let columns = columns.max(1);
    let mut rows = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (at, _, width) in cells(line) {
        if used + width > columns && at > start {
            rows.push(start..at);
            (start, used) = (at, 0);
        }
        used += width;
    }
    rows.push(start..line.len());
    rows
}

/// What is drawn together, as the terminal's buffer takes it: where it begins, the text, how many columns it takes.
pub fn cells(line: &str) -> Vec<(usize, &str, usize)> {
    if line.is_ascii() {
        return (0..line.len()).map(|at| (at, &line[at..=at], 1)).collect();
    }
    let span = Span::raw(line);
    let lengths: Vec<usize> = span.styled_graphemes(Style::new()).map(|cell| cell.symbol.len()).collect();
    let mut at = 0;
    let cell = |length: usize| {
        let symbol = &line[at..at + length];
        let begins = at;
        at += length;
        (begins, symbol, text::width(symbol))
    };
    lengths.into_iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn broken(line: &str, columns: usize) -> Vec<&str> {
        breaks(line, columns).into_iter().map(|row| &line[row]).collect()
    }

    #[test]
    fn a_line_breaks_at_the_edge_and_keeps_every_character() {
        assert_eq!(broken("one  two", 4), ["one ", " two"]);
        assert_eq!(broken("日本語", 4), ["日本", "語"]);
        assert_eq!(broken("日本語", 1), ["日", "本", "語"]);
        assert_eq!(broken("e\u{301}e\u{301}", 1), ["e\u{301}", "e\u{301}"]);
        assert_eq!(broken("", 4), [""]);
        assert_eq!(broken("ab", 0), ["a", "b"]);
    }

    proptest! {
        #[test]
        fn rows_are_counted_as_they_are_broken(line in "[a日é\u{301}❤\u{fe0f} ]{0,40}", columns in 0usize..12) {
            let broken = broken(&line, columns);
            prop_assert_eq!(rows(&line, columns), broken.len());
            prop_assert_eq!(broken.concat(), line);
        }
    }
}
