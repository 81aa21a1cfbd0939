//! Measures, cuts, pads and wraps text in terminal columns.
//!
//! Widths are those of ratatui, per grapheme cluster, so that emoji sequences and accented letters are never split. A control
//! character counts as one column, so that cutting and measuring agree.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The width of a text in columns.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.graphemes(true).map(cluster_width).sum() }
}

/// The width of a grapheme cluster, independent of its context, so that the widths of parts add up.
fn cluster_width(cluster: &str) -> usize {
    if cluster.is_ascii() {
        return cluster.len();
    }
    // Terminals draw the sound marks of halfwidth katakana in a column of their own.
    let sound_marks = cluster.chars().filter(|c| matches!(c, '\u{ff9e}' | '\u{ff9f}')).count();
    cluster.width() + sound_marks
}

/// The longest start of a text with at most this width.
pub fn beginning(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (start, cluster) in text.grapheme_indices(true) {
        used += cluster_width(cluster);
        if used > columns {
            return &text[..start];
        }
    }
    text
}

/// The longest end of a text with at most this width.
pub fn end(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (start, cluster) in text.grapheme_indices(true).rev() {
        used += cluster_width(cluster);
        if used > columns {
            return &text[start + cluster.len()..];
        }
    }
    text
}

/// Cuts a text to at most this width, with an ellipsis.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    format!("{}…", beginning(text, columns - 1))
}

/// The spaces that pad a text to this width; none if it is wider.
pub fn padding(text: &str, columns: usize) -> String {
    " ".repeat(columns.saturating_sub(width(text)))
}

/// Pads or cuts a text to this width.
pub fn fit(text: &str, columns: usize) -> String {
    let cut = cut(text, columns);
    let padding = padding(&cut, columns);
    cut + &padding
}

/// Wraps a text between words into lines of at most this width; a longer word has its own line.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Breaks a text into lines of at most this width, at least two, keeping every character.
pub fn fold(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    let mut put = |piece: &str, columns_needed: usize| {
        if used + columns_needed > columns.max(1) && used > 0 {
            lines.push(String::new());
            used = 0;
        }
        lines.last_mut().expect("there is always a line").push_str(piece);
        used += columns_needed;
    };
    for cluster in text.graphemes(true) {
        match cluster_width(cluster) {
            needed if needed <= columns.max(2) => put(cluster, needed),
            // Clusters can be arbitrarily long, so they are broken too.
            _ => {
                let mut rest = cluster;
                while !rest.is_empty() {
                    let piece = narrow_part(rest, columns.max(2));
                    put(piece, width(piece));
                    rest = &rest[piece.len()..];
                }
            }
        }
    }
    lines
}

/// The longest start of a cluster with at most this width, at least one character.
fn narrow_part(cluster: &str, columns: usize) -> &str {
    let ends = cluster.char_indices().map(|(at, c)| at + c.len_utf8());
    let mut part = "";
    for end in ends {
        if width(&cluster[..end]) > columns && !part.is_empty() {
            break;
        }
        part = &cluster[..end];
    }
    part
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use thumbctl_hostile_text::any_text;

    use super::*;

    #[test]
    fn cut_counts_columns() {
        assert_eq!(cut("thumbnails", 10), "thumbnails");
        assert_eq!(cut("thumbnails", 6), "thumb…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("x", 0), "");
        assert_eq!(fit("ab", 4), "ab  ");
        assert_eq!(width(&fit("日本語", 4)), 4);
    }

    #[test]
    fn control_characters_have_same_width_when_cut_and_measured() {
        let name = "\t\t\t\t.png";
        assert_eq!(width(name), 8);
        assert_eq!(cut(name, 6), "\t\t\t\t.…");
        assert_eq!(padding(name, 6), "");
        assert_eq!(width(&fit("\u{85}\u{85}\u{9b}", 2)), 2);
    }

    #[test]
    fn clusters_are_not_split() {
        let family = "👨\u{200d}👩\u{200d}👧";
        assert_eq!(width(family), 2);
        assert_eq!(cut(&format!("{family}{family}!"), 4), format!("{family}…"));
        assert_eq!(beginning("e\u{301}e\u{301}", 1), "e\u{301}");
        assert_eq!(end("e\u{301}e\u{301}", 1), "e\u{301}");
    }

    #[test]
    fn fold_keeps_every_character() {
        assert_eq!(fold("one  two", 4), ["one ", " two"]);
        assert_eq!(fold("日本語", 4), ["日本", "語"]);
        assert_eq!(fold("", 4), [""]);
    }

    #[test]
    fn wrap_keeps_words_whole() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("a longer-word b", 3), ["a", "longer-word", "b"]);
        assert!(wrap("", 7).is_empty());
    }

    proptest! {
        #[test]
        fn cut_and_fit_agree_with_width(text in any_text(), columns in 0usize..=200) {
            let cut = cut(&text, columns);
            prop_assert!(width(&cut) <= columns, "{:?} takes {}", cut, width(&cut));
            if width(&text) <= columns {
                prop_assert_eq!(&cut, &text);
            }
            prop_assert_eq!(width(&fit(&text, columns)), columns);
            prop_assert!(width(&text) + padding(&text, columns).len() >= columns);
        }

        #[test]
        fn beginning_and_end_are_the_longest_that_fit(text in any_text(), columns in 0usize..=200) {
            let (beginning, end) = (beginning(&text, columns), end(&text, columns));
            prop_assert!(text.starts_with(beginning) && width(beginning) <= columns);
            prop_assert!(text.ends_with(end) && width(end) <= columns);
            prop_assert_eq!(beginning.len() == text.len(), width(&text) <= columns);
            prop_assert_eq!(end.len() == text.len(), width(&text) <= columns);
        }

        #[test]
        fn fold_keeps_every_character_of_any_text(text in any_text(), columns in 0usize..=200) {
            let lines = fold(&text, columns);
            prop_assert_eq!(lines.concat(), text);
            for line in lines {
                prop_assert!(width(&line) <= columns.max(2), "{:?} takes {}", line, width(&line));
            }
        }

        #[test]
        fn wrap_keeps_every_word_of_any_text(text in any_text(), columns in 0usize..=200) {
            let lines = wrap(&text, columns);
            let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
            prop_assert_eq!(words, text.split_whitespace().collect::<Vec<_>>());
            for line in lines {
                prop_assert!(width(&line) <= columns || !line.contains(' '), "{:?} takes {}", line, width(&line));
            }
        }
    }
}
