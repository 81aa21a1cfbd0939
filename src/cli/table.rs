//! A table with aligned columns that fits the terminal by shrinking some of them.

use thumbctl_platform::terminal::{TerminalText, terminal_text};
use thumbctl_platform::text;

use super::style::{Palette, Role};

/// The space between two columns.
const GAP: usize = 2;

/// The minimum width of a shrinking column.
const MIN_WIDTH: usize = 8;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    right: bool,
    shrinks: bool,
}

/// A cell of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    text: String,
    role: Role,
}

/// A table.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    total: Option<Vec<Cell>>,
}

impl Column {
    /// Creates a left-aligned column.
    pub(crate) fn text(title: &'static str) -> Self {
        Self { title, right: false, shrinks: false }
    }

    /// Creates a right-aligned column.
    pub(crate) fn figures(title: &'static str) -> Self {
        Self { title, right: true, shrinks: false }
    }

    /// Allows the column to shrink in a narrow terminal.
    pub(crate) fn shrinking(mut self) -> Self {
        self.shrinks = true;
        self
    }
}

impl Cell {
    /// Creates a cell. The text is cleaned before it is measured.
    pub(crate) fn new(role: Role, text: impl AsRef<str>) -> Self {
        Self { text: text::clean(text.as_ref()), role }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(Role::Plain, text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(Role::Plain, text)
    }
}

impl Table {
    /// Creates a table without rows.
    pub(crate) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new(), total: None }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Sets the row of totals, below a line.
    pub(crate) fn total(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.total = Some(cells.into_iter().collect());
    }

    /// Renders the table with an indent of two, at most `width` wide.
    pub(crate) fn render(&self, width: Option<usize>, palette: Palette) -> TerminalText {
        let widths = self.widths(width);
        let titles: Vec<Cell> = self.columns.iter().map(|column| Cell::new(Role::Muted, column.title)).collect();
        let mut out = TerminalText::default();
        if self.columns.iter().any(|column| !column.title.is_empty()) {
            self.line(&titles, &widths, palette, &mut out);
        }
        for row in &self.rows {
            self.line(row, &widths, palette, &mut out);
        }
        if let Some(total) = &self.total {
            let total_width = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
            out.push(terminal_text!("  {}\n", palette.paint(Role::Muted, &"─".repeat(total_width))));
            self.line(total, &widths, palette, &mut out);
        }
        out
    }

    fn widths(&self, available: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|column| text::width(column.title)).collect();
        for row in self.rows.iter().chain(&self.total) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(text::width(&cell.text));
            }
        }
        let Some(available) = available else { return widths };
        let required = |widths: &[usize]| 2 + widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        while required(&widths) > available {
            let shrinkable = |index: &usize| self.columns[*index].shrinks && widths[*index] > MIN_WIDTH;
            let Some(widest) = (0..widths.len()).filter(shrinkable).max_by_key(|&index| widths[index]) else { break };
            widths[widest] -= 1;
        }
        widths
    }

    fn line(&self, cells: &[Cell], widths: &[usize], palette: Palette, out: &mut TerminalText) {
        let mut line = TerminalText::from("  ");
        let last = cells.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
        for (index, (cell, &width)) in cells.iter().zip(widths).enumerate().take(last + 1) {
            let cut = text::cut(&cell.text, width);
            let space = width.saturating_sub(text::width(&cut));
            let painted = palette.paint(cell.role, &cut);
            if self.columns[index].right {
                line.push_spaces(space);
                line.push(painted);
            } else {
                line.push(painted);
                if index < last {
                    line.push_spaces(space);
                }
            }
            if index < last {
                line.push_spaces(GAP);
            }
        }
        out.push(line.trim_end());
        out.push("\n");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use thumbctl_hostile_text::any_text;

    use super::*;

    fn sample() -> Table {
        let mut table = Table::new([Column::text("kind"), Column::text("name").shrinking(), Column::figures("time")]);
        table.row(["ECR repository".into(), "thumbnails-0a1b2c3d".into(), "0.41 s".into()]);
        table.row(["Build role".into(), "x".into(), "12.3 s".into()]);
        table
    }

    #[test]
    fn columns_are_aligned() {
        let mut table = sample();
        table.total(["total".into(), "".into(), "12.7 s".into()]);
        let expected = "  kind            name                   time
  ECR repository  thumbnails-0a1b2c3d  0.41 s
  Build role      x                    12.3 s
  ───────────────────────────────────────────
  total                                12.7 s
";
        assert_eq!(table.render(None, Palette::new(false)).as_str(), expected);
    }

    #[test]
    fn shrinking_column_is_cut_to_width() {
        let table = sample().render(Some(36), Palette::new(false));
        let table = table.as_str();
        assert!(table.lines().all(|line| text::width(line) <= 36), "{table}");
        assert!(table.contains("thumbnail…"), "{table}");
    }

    #[test]
    fn colours_keep_columns_aligned() {
        let mut table = Table::new([Column::text("a"), Column::text("b")]);
        table.row([Cell::new(Role::Good, "x"), "y".into()]);
        let painted = table.render(None, Palette::new(true));
        assert!(painted.as_str().contains("\u{1b}[32mx\u{1b}[0m  y"), "{painted:?}");
    }

    #[test]
    fn name_with_tabs_fits_narrow_terminal() {
        for width in 0..=200 {
            let mut table = Table::new([Column::text("image").shrinking(), Column::figures("time")]);
            table.row(["\t\t\t\tlonger-than-the-column.png".into(), "1 ms".into()]);
            let rendered = table.render(Some(width), Palette::new(false));
            assert_eq!(rendered.as_str().lines().count(), 2, "{rendered:?}");
        }
    }

    proptest! {
        #[test]
        fn lines_of_any_table_fit_without_control_characters(
            rows in prop::collection::vec(prop::collection::vec(any_text(), 4), 0..5),
            total in prop::option::of(prop::collection::vec(any_text(), 4)),
            width in 0usize..=200,
        ) {
            let columns = [Column::text("a").shrinking(), Column::figures("b").shrinking(), Column::text("").shrinking()];
            let mut table = Table::new(columns.into_iter().chain([Column::figures("d").shrinking()]));
            for row in &rows {
                table.row(row.iter().map(|cell| Cell::new(Role::Plain, cell)));
            }
            if let Some(total) = &total {
                table.total(total.iter().map(|cell| Cell::new(Role::Strong, cell)));
            }
            let rendered = table.render(Some(width), Palette::new(false));
            let lines: Vec<&str> = rendered.as_str().lines().collect();
            prop_assert_eq!(lines.len(), 1 + rows.len() + 2 * usize::from(total.is_some()));
            // The width at which all columns have their minimum.
            let min_width = 2 + 4 * MIN_WIDTH + 3 * GAP;
            for line in lines {
                prop_assert!(!line.contains(text::is_unsafe), "{:?}", line);
                prop_assert!(text::width(line) <= width.max(min_width), "{:?}", line);
            }
        }
    }
}
