//! [`DetailsPage`]: a text of headings, paragraphs, labelled values and documents, for a width.

use ratatui::text::Line;
use serde_json::Value;
use thumbctl_core::redaction::looks_secret;
use thumbctl_platform::text;

use crate::theme::Role;
use crate::view::line::{StyledRow, wrapped};
use crate::view::{Appearance, clean, json};

/// The width of field labels, with a blank.
const LABEL: usize = 9;

/// The maximum width of table labels.
const WIDEST_LABEL: usize = 28;

/// A text for a width.
pub(super) struct DetailsPage {
    appearance: Appearance,
    columns: usize,
    lines: Vec<Line<'static>>,
}

impl DetailsPage {
    pub(super) fn new(appearance: Appearance, columns: usize) -> Self {
        Self { appearance, columns, lines: Vec::new() }
    }

    pub(super) fn appearance(&self) -> Appearance {
        self.appearance
    }

    pub(super) fn into_lines(self) -> Vec<Line<'static>> {
        self.lines
    }

    pub(super) fn row(&mut self, row: StyledRow) {
        self.lines.push(row.line(self.columns));
    }

    pub(super) fn blank(&mut self) {
        self.lines.push(Line::default());
    }

    /// Adds a heading, with a blank line before it.
    pub(super) fn heading(&mut self, words: &str) {
        if !self.lines.is_empty() {
            self.blank();
        }
        self.row(StyledRow::new(self.appearance).text(words, Role::Title));
    }

    /// Adds a wrapped paragraph.
    pub(super) fn paragraph(&mut self, words: &str, role: Role) {
        for line in wrapped(words, self.columns) {
            self.row(StyledRow::new(self.appearance).text(&line, role));
        }
    }

    /// Adds a literal line, folded at the width.
    pub(super) fn verbatim(&mut self, line: &str, role: Role) {
        for part in text::fold(&clean(line), self.columns) {
            self.row(StyledRow::new(self.appearance).text(&part, role));
        }
    }

    /// Adds a labelled value.
    pub(super) fn field(&mut self, label: &str, value: &str) {
        self.labelled(label, value, LABEL);
    }

    /// Adds a table of labelled values.
    pub(super) fn table(&mut self, entries: &[(String, String)]) {
        let widest = entries.iter().map(|(label, _)| text::width(&clean(label))).max().unwrap_or(0);
        let most = WIDEST_LABEL.min(self.columns / 2);
        for (label, value) in entries {
            // The label can identify a credential.
            let value = if looks_secret(label, value) { "hidden" } else { value };
            self.labelled(label, value, widest.min(most) + 2);
        }
    }

    fn labelled(&mut self, label: &str, value: &str, at: usize) {
        let appearance = self.appearance;
        let available = self.columns.saturating_sub(at);
        let mut lines = wrapped(value, available);
        if lines.is_empty() {
            lines.push(String::new());
        }
        for (number, part) in lines.iter().enumerate() {
            let label = if number == 0 { appearance.cut(&clean(label), at.saturating_sub(1)) } else { String::new() };
            self.row(StyledRow::new(appearance).text(&label, Role::Muted).to(at).text(part, Role::Text));
        }
    }

    /// Adds a JSON document with syntax colours.
    pub(super) fn json(&mut self, document: &Value) {
        for row in json::rows(document, self.columns, self.appearance) {
            self.row(row);
        }
    }
}
