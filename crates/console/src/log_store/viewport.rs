//! [`Viewport`]: scrolling by lines, rows and pages, with long lines wrapped or not.
//!
//! A *rank* is the index of a line among those that match the filter. Positions are stored as line numbers, so that they
//! survive a change of the filter.

use super::lines::Lines;
use super::protocol::{LogMove, LogRow, ViewportSize};
use super::scan::Scan;
use crate::log_store::fold;

/// The scroll position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScrollPosition {
    /// The first visible line.
    top: usize,
    /// The number of its rows above the viewport.
    skip: usize,
    /// The current line.
    pub(super) current: usize,
    /// Whether new lines are followed.
    pub(super) following: bool,
}

impl Default for ScrollPosition {
    fn default() -> Self {
        Self { top: 0, skip: 0, current: 0, following: true }
    }
}

/// A row of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowPosition {
    pub(super) rank: usize,
    pub(super) skip: usize,
}

/// The scroll position by ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ResolvedPosition {
    pub(super) top: RowPosition,
    pub(super) current: usize,
    pub(super) following: bool,
}

/// The filtered lines in a viewport.
pub(super) struct Viewport<'a> {
    pub(super) lines: &'a mut Lines,
    pub(super) filter: Option<&'a Scan>,
    pub(super) viewport_size: ViewportSize,
}

const FIRST_ROW: RowPosition = RowPosition { rank: 0, skip: 0 };

impl Viewport<'_> {
    /// The number of filtered lines.
    pub(super) fn len(&self) -> usize {
        self.filter.map_or(self.lines.end() - self.lines.first(), |filter| filter.hits.len())
    }

    /// The line number of a rank.
    fn line(&self, rank: usize) -> usize {
        match self.filter {
            Some(filter) => filter.hits[rank] as usize,
            None => self.lines.first() + rank,
        }
    }

    /// The rank of a line, else of the next filtered line, else of the last.
    fn rank(&self, line: usize) -> usize {
        let rank = match self.filter {
            Some(filter) => filter.before(line),
            None => line.saturating_sub(self.lines.first()),
        };
        rank.min(self.len().saturating_sub(1))
    }

    /// The number of rows of a line, by rank.
    fn rows(&mut self, rank: usize) -> usize {
        if !self.viewport_size.wrap {
            return 1;
        }
        let line = self.line(rank);
        fold::rows(self.lines.text(line), self.viewport_size.columns)
    }

    fn height(&self) -> usize {
        self.viewport_size.rows.max(1)
    }

    fn forward(&mut self, mut row: RowPosition, mut by: usize) -> RowPosition {
        let last = self.len().saturating_sub(1);
        loop {
            let rows = self.rows(row.rank);
            if row.skip + by < rows {
                row.skip += by;
                return row;
            }
            if row.rank == last {
                row.skip = rows - 1;
                return row;
            }
            by -= rows - row.skip;
            row = RowPosition { rank: row.rank + 1, skip: 0 };
        }
    }

    fn back(&mut self, mut row: RowPosition, mut by: usize) -> RowPosition {
        loop {
            if by <= row.skip {
                row.skip -= by;
                return row;
            }
            if row.rank == 0 {
                return FIRST_ROW;
            }
            by -= row.skip + 1;
            row.rank -= 1;
            row.skip = self.rows(row.rank) - 1;
        }
    }

    /// The first row of the viewport at the end of the log.
    fn end(&mut self) -> RowPosition {
        let rank = self.len() - 1;
        let skip = self.rows(rank) - 1;
        let by = self.height() - 1;
        self.back(RowPosition { rank, skip }, by)
    }

    /// The last visible row for a first row.
    fn bottom(&mut self, top: RowPosition) -> RowPosition {
        let by = self.height() - 1;
        self.forward(top, by)
    }

    /// The first row of a viewport that ends with a line; the line's first row if it does not fit.
    fn ending_with(&mut self, rank: usize) -> RowPosition {
        let skip = self.rows(rank) - 1;
        let by = self.height() - 1;
        self.back(RowPosition { rank, skip }, by).min(RowPosition { rank, skip: 0 })
    }

    /// The position among filtered lines; none if there are none.
    pub(super) fn resolve(&mut self, position: ScrollPosition) -> Option<ResolvedPosition> {
        if self.len() == 0 {
            return None;
        }
        let end = self.end();
        if position.following {
            return Some(ResolvedPosition { top: end, current: self.len() - 1, following: true });
        }
        let current = self.rank(position.current);
        let rank = self.rank(position.top);
        let skip = if self.line(rank) == position.top { position.skip.min(self.rows(rank) - 1) } else { 0 };
        let mut top = RowPosition { rank, skip }.min(end);
        if current < top.rank {
            top = RowPosition { rank: current, skip: 0 };
        } else if current > self.bottom(top).rank {
            top = self.ending_with(current);
        }
        Some(ResolvedPosition { top, current, following: false })
    }

    /// The number of the current line.
    pub(super) fn line_of(&self, at: ResolvedPosition) -> usize {
        self.line(at.current)
    }

    fn position(&self, at: ResolvedPosition) -> ScrollPosition {
        ScrollPosition {
            top: self.line(at.top.rank),
            skip: at.top.skip,
            current: self.line(at.current),
            following: at.following,
        }
    }

    /// The position after a scroll command, except to matches.
    pub(super) fn moved(&mut self, position: ScrollPosition, to: LogMove) -> ScrollPosition {
        let Some(mut at) = self.resolve(position) else {
            return ScrollPosition { following: to == LogMove::Bottom || position.following, ..position };
        };
        let before = at;
        match to {
            LogMove::Up => self.up(&mut at),
            LogMove::Down => self.down(&mut at),
            LogMove::PageUp => self.page_up(&mut at),
            LogMove::PageDown => self.scroll(&mut at, true, (self.height() - 1).max(1)),
            LogMove::Top => at = ResolvedPosition { top: FIRST_ROW, current: 0, following: false },
            LogMove::Bottom => return ScrollPosition { following: true, ..position },
            LogMove::Scroll(by) => self.scroll(&mut at, by > 0, by.unsigned_abs() as usize),
            LogMove::Line(line) => {
                at.current = self.rank(line);
                self.reveal(&mut at);
                at.following = at.current + 1 == self.len() && at.top == self.end();
            }
            LogMove::NextMatch | LogMove::PreviousMatch => {}
        }
        // A move without effect keeps following.
        if at == (ResolvedPosition { following: at.following, ..before }) && before.following {
            at.following = true;
        }
        self.position(at)
    }

    fn up(&mut self, at: &mut ResolvedPosition) {
        at.following = false;
        if at.current == at.top.rank && at.top.skip > 0 {
            at.top.skip -= 1;
        } else if at.current > 0 {
            at.current -= 1;
            self.reveal(at);
        }
    }

    fn down(&mut self, at: &mut ResolvedPosition) {
        let bottom = self.bottom(at.top);
        if at.current == bottom.rank && bottom.skip + 1 < self.rows(at.current) {
            at.top = self.forward(at.top, 1);
        } else if at.current + 1 < self.len() {
            at.current += 1;
            self.reveal(at);
        }
        at.following = at.current + 1 == self.len() && at.top >= self.end();
    }

    /// Scrolls so that the current line is visible; if it does not fit, its start or end, by scroll direction.
    fn reveal(&mut self, at: &mut ResolvedPosition) {
        let first_row = RowPosition { rank: at.current, skip: 0 };
        let last_row = self.ending_with(at.current);
        if at.top < last_row {
            at.top = last_row;
        } else if at.top > first_row {
            let skip = self.rows(at.current).saturating_sub(self.height());
            at.top = RowPosition { rank: at.current, skip };
        }
    }

    fn page_up(&mut self, at: &mut ResolvedPosition) {
        if at.top == FIRST_ROW {
            *at = ResolvedPosition { top: FIRST_ROW, current: 0, following: false };
        } else {
            self.scroll(at, false, (self.height() - 1).max(1));
        }
    }

    fn scroll(&mut self, at: &mut ResolvedPosition, down: bool, by: usize) {
        if !down {
            let top = self.back(at.top, by);
            at.following &= top == at.top;
            at.top = top;
            at.current = at.current.min(self.bottom(top).rank);
            return;
        }
        let end = self.end();
        at.top = self.forward(at.top, by).min(end);
        if at.top == end {
            *at = ResolvedPosition { top: end, current: self.len() - 1, following: true };
        } else {
            at.current = at.current.max(at.top.rank);
        }
    }

    /// The position after a jump to a line: in the upper third, unless already visible.
    pub(super) fn at_line(&mut self, position: ScrollPosition, line: usize) -> ScrollPosition {
        let Some(mut at) = self.resolve(position) else { return position };
        at.current = self.rank(line);
        at.following = false;
        let bottom = self.bottom(at.top);
        let first_row = RowPosition { rank: at.current, skip: 0 };
        let last_row = RowPosition { rank: at.current, skip: self.rows(at.current) - 1 };
        if first_row < at.top || last_row > bottom {
            let by = self.height() / 3;
            let end = self.end();
            at.top = self.back(first_row, by).min(end);
        }
        self.position(at)
    }

    /// The visible lines.
    pub(super) fn visible(&mut self, top: RowPosition) -> Vec<LogRow> {
        let mut lines = Vec::new();
        let mut available = self.viewport_size.rows + top.skip;
        for rank in top.rank..self.len() {
            if available == 0 || self.viewport_size.rows == 0 {
                break;
            }
            let line = self.line(rank);
            let row = self.lines.row(line);
            available = available.saturating_sub(if self.viewport_size.wrap {
                fold::rows(&row.styled.text, self.viewport_size.columns)
            } else {
                1
            });
            lines.push(row);
        }
        lines
    }
}
