//! The lines of a log: cursor, time, text in its own colours, matches.

use std::ops::Range;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::{Color, Style};
use ratatui::widgets::Paragraph;
use thumbctl_core::event::LogSource;
use thumbctl_core::resource::ResourceKind;
use thumbctl_platform::text;

use crate::log_store::LogRow;
use crate::log_store::fold;
use crate::model::Model;
use crate::pane::log::state::LogState;
use crate::theme::{Role, Theme};
use crate::view::{Appearance, clean};

/// Draws the lines of a log.
struct LineRenderer<'a> {
    area: Rect,
    gutter: usize,
    pane: &'a LogState,
    theme: Theme,
    appearance: Appearance,
    /// Whether the current line is marked, which needs the focus.
    marks: bool,
}

/// Draws the lines.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    model: &Model,
    pane: &LogState,
    has_keys: bool,
    appearance: Appearance,
) {
    let area = area.intersection(frame.area());
    if area.is_empty() {
        return;
    }
    if pane.window().lines.is_empty() {
        draw_nothing(frame, area, model, pane, appearance);
        return;
    }
    let gutter = LogState::gutter(usize::from(area.width));
    let renderer = LineRenderer { area, gutter, pane, theme: model.theme, appearance, marks: has_keys };
    let window = pane.window();
    let mut y = area.top();
    for (index, row) in window.lines.iter().enumerate() {
        let skip = if index == 0 { window.skip } else { 0 };
        let used = renderer.line(frame.buffer_mut(), y, row, skip, index == window.current);
        y = y.saturating_add(used);
        if y >= area.bottom() {
            break;
        }
    }
}

/// Draws the reason for an empty log.
fn draw_nothing(frame: &mut Frame<'_>, area: Rect, model: &Model, pane: &LogState, appearance: Appearance) {
    let window = pane.window();
    let words = match pane.filter() {
        Some(_) if window.filtering => "Filtering the log".to_owned(),
        Some(filter) if window.total > 0 => {
            let pattern = text::cut(&clean(filter.text()), usize::from(area.width).saturating_sub(26).max(8));
            format!("No line contains \"{pattern}\".")
        }
        _ if window.total > 0 => String::new(),
        _ => match pane.source {
            LogSource::Build => "No build log yet.".to_owned(),
            LogSource::Function if !model.deployment.is_ready(ResourceKind::Function) => {
                "The function is not deployed yet.".to_owned()
            }
            LogSource::Stack => "No stack events yet.".to_owned(),
            LogSource::Terraform => "No Terraform output yet.".to_owned(),
            LogSource::Function => "The function log is empty.".to_owned(),
        },
    };
    let words = text::cut(&words, usize::from(area.width));
    let middle = Rect { y: area.y + area.height / 3, height: 1, ..area };
    frame
        .render_widget(Paragraph::new(words).style(appearance.style(Role::Muted)).alignment(Alignment::Center), middle);
}

impl LineRenderer<'_> {
    /// Draws a line from a row on; returns the number of rows.
    fn line(&self, buffer: &mut Buffer, y: u16, row: &LogRow, skip: usize, is_current: bool) -> u16 {
        let line = row.styled.text.as_str();
        let columns = usize::from(self.area.width).saturating_sub(self.gutter);
        let base = self.base(is_current);
        let segments = self.segments(row, is_current, base);
        if !self.pane.wraps() {
            self.head(buffer, y, row, is_current, base, true);
            self.sideways(buffer, y, line, &segments, columns, base);
            return 1;
        }
        let rows = fold::breaks(line, columns);
        let mut used = 0;
        for (index, range) in rows.into_iter().enumerate().skip(skip) {
            let at = y.saturating_add(used);
            if at >= self.area.bottom() {
                break;
            }
            self.head(buffer, at, row, is_current, base, index == 0);
            self.piece(buffer, (self.text_left(), at), line, range, &segments);
            used += 1;
        }
        used
    }

    fn text_left(&self) -> u16 {
        self.area.x.saturating_add(u16::try_from(self.gutter).unwrap_or(u16::MAX))
    }

    /// The base style of a line. While following, the current line is not highlighted, since it changes constantly.
    fn base(&self, is_current: bool) -> Style {
        let is_raised = is_current && self.marks && !self.pane.window().following;
        match self.theme {
            Theme::Dark | Theme::Light if is_raised => self.appearance.style(Role::SelectedElsewhere),
            _ => self.appearance.style(Role::Text),
        }
    }

    /// Draws the gutter: cursor and time.
    fn head(&self, buffer: &mut Buffer, y: u16, row: &LogRow, is_current: bool, base: Style, is_first: bool) {
        let line = Rect { y, height: 1, ..self.area };
        buffer.set_style(line, base);
        if is_current && self.marks {
            let style = base.patch(self.appearance.style(Role::Key));
            buffer.set_stringn(self.area.x, y, self.appearance.symbols.cursor, usize::from(self.area.width), style);
        }
        if self.gutter > 2 && is_first && !row.is_continued {
            let time = row.timestamp.map(|time| time.format("%H:%M:%S").to_string()).unwrap_or_default();
            let style = base.patch(self.appearance.style(Role::Muted));
            buffer.set_stringn(self.area.x.saturating_add(1), y, time, 8, style);
        }
    }

    /// Draws the visible part of an unwrapped line, with ellipses.
    fn sideways(
        &self,
        buffer: &mut Buffer,
        y: u16,
        line: &str,
        segments: &[(Range<usize>, Style)],
        columns: usize,
        base: Style,
    ) {
        let left = self.pane.left();
        let more = self.appearance.symbols.ellipsis;
        let has_right = text::width(line) > left + columns;
        let has_left = left > 0 && !line.is_empty();
        let from = left + usize::from(has_left);
        let to = (left + columns).saturating_sub(usize::from(has_right));
        let (range, first) = between(line, from, to);
        let muted = base.patch(self.appearance.style(Role::Muted));
        let x = |column: usize| self.text_left().saturating_add(u16::try_from(column).unwrap_or(u16::MAX));
        if has_left && columns > 0 {
            buffer.set_stringn(x(0), y, more, 1, muted);
        }
        self.piece(buffer, (x(first.saturating_sub(left)), y), line, range, segments);
        if has_right && columns > 0 {
            buffer.set_stringn(x(columns - 1), y, more, 1, muted);
        }
    }

    /// Draws a part of a line, by segments.
    fn piece(
        &self,
        buffer: &mut Buffer,
        (mut x, y): (u16, u16),
        line: &str,
        range: Range<usize>,
        segments: &[(Range<usize>, Style)],
    ) {
        for (segment, style) in segments {
            let part = segment.start.max(range.start)..segment.end.min(range.end);
            if part.is_empty() || x >= self.area.right() {
                continue;
            }
            let available = usize::from(self.area.right() - x);
            // A match may start inside a grapheme cluster, which is then split.
            (x, _) = buffer.set_stringn(x, y, &line[part], available, *style);
        }
    }

    /// The segments of a line with equal style.
    fn segments(&self, row: &LogRow, is_current: bool, base: Style) -> Vec<(Range<usize>, Style)> {
        let line = row.styled.text.as_str();
        let matches = self.pane.search().map(|pattern| pattern.ranges(line)).unwrap_or_default();
        let is_found = is_current && self.pane.window().search.is_some_and(|found| found.at.is_some());
        let found = self.appearance.style(if is_found { Role::CurrentMatch } else { Role::Match });
        let ranges = &row.styled.ranges;
        let mut cuts: Vec<usize> = vec![0, line.len()];
        cuts.extend(ranges.iter().flat_map(|range| [range.start, range.end]));
        cuts.extend(matches.iter().flat_map(|range| [range.start, range.end]));
        cuts.sort_unstable();
        cuts.dedup();
        let (mut range, mut hit) = (0, 0);
        let mut segments = Vec::with_capacity(cuts.len());
        for pair in cuts.windows(2) {
            let &[start, end] = pair else { continue };
            while ranges.get(range).is_some_and(|range| range.end <= start) {
                range += 1;
            }
            while matches.get(hit).is_some_and(|range| range.end <= start) {
                hit += 1;
            }
            let mut style = base;
            if let Some(range) = ranges.get(range).filter(|range| range.start <= start) {
                style = style.patch(self.own(range.style));
            }
            if matches.get(hit).is_some_and(|range| range.start <= start) {
                style = base.patch(found);
            }
            segments.push((start..end, style));
        }
        segments
    }

    /// A style of the log, adapted to the theme: without colours in the plain theme, and without text in the background
    /// colour.
    fn own(&self, mut style: Style) -> Style {
        let is_background = |colour: Color| match self.theme {
            Theme::Dark | Theme::HighContrast => matches!(colour, Color::Indexed(0 | 16) | Color::Rgb(0, 0, 0)),
            Theme::Light => matches!(colour, Color::Indexed(15 | 231) | Color::Rgb(255, 255, 255)),
            Theme::Plain => true,
        };
        if self.theme == Theme::Plain {
            style.bg = None;
        }
        if style.bg.is_none() {
            style.fg = style.fg.filter(|colour| !is_background(*colour));
        }
        if self.theme == Theme::Plain {
            style.fg = None;
        }
        style
    }
}

/// The part of a line between two columns, and its first column.
fn between(line: &str, from: usize, to: usize) -> (Range<usize>, usize) {
    if line.is_ascii() {
        let first = from.min(line.len());
        return (first..to.min(line.len()).max(first), from);
    }
    let mut column = 0;
    let mut first = None;
    let mut end = line.len();
    for (at, _, width) in fold::cells(line) {
        if column + width > to {
            end = at;
            break;
        }
        if first.is_none() && column >= from {
            first = Some((at, column));
        }
        column += width;
    }
    let (start, column) = first.unwrap_or((end, from));
    (start.min(end)..end, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_character_on_edge_is_omitted() {
        let cut = |line: &'static str, from, to| {
            let (range, column) = between(line, from, to);
            (&line[range], column)
        };
        assert_eq!(cut("abcdef", 2, 4), ("cd", 2));
        assert_eq!(cut("abc", 5, 9), ("", 5));
        assert_eq!(cut("日本語x", 0, 3), ("日", 0));
        assert_eq!(cut("日本語x", 1, 7), ("本語x", 2));
        assert_eq!(cut("日本語", 9, 12), ("", 9));
    }
}
