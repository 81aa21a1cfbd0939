//! [`StyledRow`]: a line that is put together piece by piece, and knows how many columns it takes.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use thumbctl_platform::text;

use super::Appearance;
use crate::theme::Role;

/// A line that is put together piece by piece.
#[derive(Clone, Debug)]
pub struct StyledRow {
    look: Appearance,
    spans: Vec<Span<'static>>,
    width: usize,
}

impl StyledRow {
    /// An empty line.
    pub fn new(look: Appearance) -> Self {
        Self { look, spans: Vec::new(), width: 0 }
    }

    /// Adds a text; what a terminal would obey and what looks like a credential is taken out of it.
    #[must_use]
    pub fn text(self, text: &str, role: Role) -> Self {
        let style = self.look.style(role);
        self.styled(super::clean(text), style)
    }

    /// Adds a text that is clean already, in a style of its own.
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

    /// Adds blanks up to a column, if it is not there yet.
    #[must_use]
    pub fn to(self, column: usize) -> Self {
        let missing = column.saturating_sub(self.width);
        if missing == 0 { self } else { self.space(missing) }
    }

    /// Adds another line's pieces.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.width += other.width;
        self.spans.extend(other.spans);
        self
    }

    /// How many columns it takes.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The line in at most so many columns, with the sign for it where something was cut off.
    pub fn cut(self, columns: usize) -> Self {
        if self.width <= columns {
            return self;
        }
        let mut cut = Self::new(self.look);
        for span in self.spans {
            let left = columns.saturating_sub(cut.width);
            let width = text::width(&span.content);
            // A piece that ends at the edge is cut as well: more follows it.
            if width < left {
                cut = cut.styled(span.content.into_owned(), span.style);
                continue;
            }
            let mut content = span.content.into_owned();
            if width == left {
                content.push(' ');
            }
            return cut.styled(self.look.cut(&content, left), span.style);
        }
        cut
    }

    /// The line, cut to so many columns, to be drawn.
    pub fn line(self, columns: usize) -> Line<'static> {
        Line::from(self.cut(columns).spans)
    }

    /// One line at the left and one at the right end; the left one is cut where they do not fit.
    pub fn spread(left: Self, right: Self, columns: usize) -> Line<'static> {
        let right = right.cut(columns);
        let room = columns.saturating_sub(right.width + usize::from(right.width > 0));
        let left = left.cut(room).to(columns.saturating_sub(right.width));
        left.then(right).line(columns)
    }
}

/// A text broken between words, and within those that are too long, into lines of at most so many columns. Its own line
/// breaks stay.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let lines = super::clean_lines(text.lines()).into_iter().flat_map(|line| text::wrap(&line, columns));
    lines.flat_map(|line| text::fold(&line, columns)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenes;

    fn look() -> Appearance {
        Appearance::of(&scenes::fresh((80, 24)))
    }

    fn line_text(line: &Line<'_>) -> String {
        line.spans.iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn a_row_that_is_too_long_is_cut_at_its_end() {
        let row =
            || StyledRow::new(look()).text("one ", Role::Text).text("two", Role::Strong).text(" three", Role::Text);
        assert_eq!(line_text(&row().line(20)), "one two three");
        assert_eq!(line_text(&row().line(13)), "one two three");
        assert_eq!(line_text(&row().line(9)), "one two …");
        assert_eq!(line_text(&row().line(7)), "one tw…");
        assert_eq!(line_text(&row().line(0)), "");
    }

    #[test]
    fn what_stands_at_the_right_end_is_never_cut_for_what_stands_at_the_left() {
        let left = || StyledRow::new(look()).text("a long beginning", Role::Text);
        let right = || StyledRow::new(look()).text("end", Role::Text);
        assert_eq!(line_text(&StyledRow::spread(left(), right(), 24)), "a long beginning     end");
        assert_eq!(line_text(&StyledRow::spread(left(), right(), 12)), "a long … end");
        assert_eq!(line_text(&StyledRow::spread(left(), right(), 2)), "e…");
    }

    #[test]
    fn wide_characters_are_counted_in_columns() {
        let row = StyledRow::new(look()).text("日本語", Role::Text).text("!", Role::Text);
        assert_eq!(row.width(), 7);
        assert_eq!(line_text(&row.line(6)), "日本…");
    }

    #[test]
    fn a_word_that_is_too_long_is_broken() {
        assert_eq!(wrapped("an arn:aws:iam thing", 7), ["an", "arn:aws", ":iam", "thing"]);
        assert_eq!(wrapped("one\ntwo", 9), ["one", "two"]);
        assert!(wrapped("", 9).is_empty());
    }
}
