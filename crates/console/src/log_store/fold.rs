//! Wraps long lines at the edge; shared by store and view.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use thumbctl_platform::text;

/// The number of rows of a line at a width.
pub fn rows(line: &str, columns: usize) -> usize {
    let columns = columns.max(1);
    if line.is_ascii() { line.len().div_ceil(columns).max(1) } else { breaks(line, columns).len() }
}

/// The rows of a line at a width, as byte ranges. Grapheme clusters are not split.
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

/// The grapheme clusters of a line: byte offset, text, width in columns.
pub fn cells(line: &str) -> Vec<(usize, &str, usize)> {
    if line.is_ascii() {
        return (0..line.len()).map(|at| (at, &line[at..=at], 1)).collect();
    }
    line.grapheme_indices(true).map(|(at, symbol)| (at, symbol, text::width(symbol))).collect()
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "credentials play no part here")]
mod tests {
    use proptest::prelude::*;
    use thumbctl_hostile_text::any_text;

    use super::*;

    fn broken(line: &str, columns: usize) -> Vec<&str> {
        breaks(line, columns).into_iter().map(|row| &line[row]).collect()
    }

    #[test]
    fn line_breaks_at_edge_and_keeps_all_characters() {
        assert_eq!(broken("one  two", 4), ["one ", " two"]);
        assert_eq!(broken("日本語", 4), ["日本", "語"]);
        assert_eq!(broken("日本語", 1), ["日", "本", "語"]);
        assert_eq!(broken("e\u{301}e\u{301}", 1), ["e\u{301}", "e\u{301}"]);
        assert_eq!(broken("", 4), [""]);
        assert_eq!(broken("ab", 0), ["a", "b"]);
    }

    proptest! {
        #[test]
        fn cells_concatenate_to_line(line in any_text(), columns in 0usize..=200) {
            prop_assert_eq!(cells(&line).into_iter().map(|(_, cell, _)| cell).collect::<String>(), line.as_str());
            prop_assert_eq!(broken(&line, columns).concat(), line);
        }

        #[test]
        fn cells_match_ratatui(line in any_text()) {
            let line = thumbctl_platform::text::clean(&line);
            let drawn = ratatui::text::Span::raw(line.as_str());
            let drawn: Vec<String> =
                drawn.styled_graphemes(ratatui::style::Style::new()).map(|cell| cell.symbol.to_owned()).collect();
            prop_assert_eq!(cells(&line).into_iter().map(|(_, cell, _)| cell.to_owned()).collect::<Vec<_>>(), drawn);
            let spans = ratatui::text::Line::raw(line.as_str());
            let area = ratatui::layout::Rect::new(0, 0, 1000, 1);
            let mut buffer = ratatui::buffer::Buffer::empty(area);
            let (end, _) = buffer.set_line(0, 0, &spans, 1000);
            prop_assert_eq!(usize::from(end), text::width(&line));
        }

        #[test]
        fn row_count_matches_breaks(line in "[a日é\u{301}❤\u{fe0f} ]{0,40}", columns in 0usize..12) {
            let broken = broken(&line, columns);
            prop_assert_eq!(rows(&line, columns), broken.len());
            prop_assert_eq!(broken.concat(), line);
        }
    }
}
