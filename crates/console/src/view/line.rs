//! [`StyledRow`]: builds a styled line and tracks its width.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use thumbctl_platform::text;

use super::Appearance;
use crate::theme::Role;

/// A builder of a styled line.
#[derive(Clone, Debug)]
pub struct StyledRow {
    appearance: Appearance,
    spans: Vec<Span<'static>>,
    width: usize,
}

impl StyledRow {
    /// Creates an empty line.
    pub fn new(appearance: Appearance) -> Self {
        Self { appearance, spans: Vec::new(), width: 0 }
    }

    /// Adds a text, without control characters and credentials.
    #[must_use]
    pub fn text(self, text: &str, role: Role) -> Self {
        let style = self.appearance.style(role);
        self.styled(super::clean(text), style)
    }

    /// Adds a clean text in a style.
    #[must_use]
    pub fn styled(mut self, text: String, style: Style) -> Self {
        self.width += text::width(&text);
        self.spans.push(Span::styled(text, style));
        self
    }

    /// Adds blanks.
    #[must_use]
    pub fn space(self, columns: usize) -> Self {
        self.styled(" ".repeat(columns), Style::new())
    }

    /// Adds blanks up to a column.
    #[must_use]
    pub fn to(self, column: usize) -> Self {
        let missing = column.saturating_sub(self.width);
        if missing == 0 { self } else { self.space(missing) }
    }

    /// Appends another line.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.width += other.width;
        self.spans.extend(other.spans);
        self
    }

    /// The width in columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Truncates the line to a width, with an ellipsis.
    pub fn cut(self, columns: usize) -> Self {
        if self.width <= columns {
            return self;
        }
        let mut cut = Self::new(self.appearance);
        for span in self.spans {
            let left = columns.saturating_sub(cut.width);
            let width = text::width(&span.content);
            // A piece that ends at the edge is truncated too, since more follows.
            if width < left {
                cut = cut.styled(span.content.into_owned(), span.style);
                continue;
            }
            let mut content = span.content.into_owned();
            if width == left {
                content.push(' ');
            }
            return cut.styled(self.appearance.cut(&content, left), span.style);
        }
        cut
    }

    /// The line, truncated to a width.
    pub fn line(self, columns: usize) -> Line<'static> {
        Line::from(self.cut(columns).spans)
    }

    /// Combines a left- and a right-aligned line; the left one is truncated.
    pub fn spread(left: Self, right: Self, columns: usize) -> Line<'static> {
        let right = right.cut(columns);
        let available = columns.saturating_sub(right.width + usize::from(right.width > 0));
        let left = left.cut(available).to(columns.saturating_sub(right.width));
        left.then(right).line(columns)
    }
}

/// Wraps a text at words, and within too long words, keeping its line breaks.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let lines = super::clean_lines(text.lines()).into_iter().flat_map(|line| text::wrap(&line, columns));
    lines.flat_map(|line| text::fold(&line, columns)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenes;

    fn appearance() -> Appearance {
        Appearance::of(&scenes::fresh((80, 24)))
    }

    fn line_text(line: &Line<'_>) -> String {
        line.spans.iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn long_row_is_truncated() {
        let row = || {
            StyledRow::new(appearance()).text("one ", Role::Text).text("two", Role::Strong).text(" three", Role::Text)
        };
        assert_eq!(line_text(&row().line(20)), "one two three");
        assert_eq!(line_text(&row().line(13)), "one two three");
        assert_eq!(line_text(&row().line(9)), "one two …");
        assert_eq!(line_text(&row().line(7)), "one tw…");
        assert_eq!(line_text(&row().line(0)), "");
    }

    #[test]
    fn right_part_takes_precedence() {
        let left = || StyledRow::new(appearance()).text("a long beginning", Role::Text);
        let right = || StyledRow::new(appearance()).text("end", Role::Text);
        assert_eq!(line_text(&StyledRow::spread(left(), right(), 24)), "a long beginning     end");
        assert_eq!(line_text(&StyledRow::spread(left(), right(), 12)), "a long … end");
        assert_eq!(line_text(&StyledRow::spread(left(), right(), 2)), "e…");
    }

    #[test]
    fn wide_characters_count_as_two_columns() {
        let row = StyledRow::new(appearance()).text("日本語", Role::Text).text("!", Role::Text);
        assert_eq!(row.width(), 7);
        assert_eq!(line_text(&row.line(6)), "日本…");
    }

    #[test]
    fn long_word_is_broken() {
        assert_eq!(wrapped("an arn:aws:iam thing", 7), ["an", "arn:aws", ":iam", "thing"]);
        assert_eq!(wrapped("one\ntwo", 9), ["one", "two"]);
        assert!(wrapped("", 9).is_empty());
    }
}
