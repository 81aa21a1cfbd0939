//! Where in the log we are, and how that changes: by lines, rows and pages, with long lines broken or not.
//!
//! A *rank* is a line's place among those that pass the filter. Where we are is kept by line numbers instead: so it stays
//! when the filter changes, and lines that the filter hides for a while are found again.

use super::exchange::{Frame, Move, Row};
use super::lines::Lines;
use super::scan::Scan;
use crate::model::log::fold;

/// Where we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The line that the frame begins with.
    top: usize,
    /// How many of its rows are above the frame.
    skip: usize,
    /// The current line.
    pub(super) current: usize,
    /// Whether we are at the last line, whichever that is.
    pub(super) following: bool,
}

impl Default for Place {
    fn default() -> Self {
        Self { top: 0, skip: 0, current: 0, following: true }
    }
}

/// A row: one of those that a line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) rank: usize,
    pub(super) skip: usize,
}

/// Where we are, by ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) top: Spot,
    pub(super) current: usize,
    pub(super) following: bool,
}

/// The lines as they are seen: those that pass the filter, in a frame.
pub(super) struct Sight<'a> {
    pub(super) lines: &'a mut Lines,
    pub(super) filter: Option<&'a Scan>,
    pub(super) frame: Frame,
}

const BEGIN: Spot = Spot { rank: 0, skip: 0 };

impl Sight<'_> {
    /// How many lines pass.
    pub(super) fn len(&self) -> usize {
        self.filter.map_or(self.lines.end() - self.lines.first(), |filter| filter.hits.len())
    }

    /// The number of the line of a rank.
    fn line(&self, rank: usize) -> usize {
        match self.filter {
            Some(filter) => filter.hits[rank] as usize,
            None => self.lines.first() + rank,
        }
    }

    /// The rank of a line, or of the first one behind it that passes, or of the last one.
    fn rank(&self, line: usize) -> usize {
        let rank = match self.filter {
            Some(filter) => filter.before(line),
            None => line.saturating_sub(self.lines.first()),
        };
        rank.min(self.len().saturating_sub(1))
    }

    /// How many rows the line of a rank takes.
    fn rows(&mut self, rank: usize) -> usize {
        if !self.frame.wrap {
            return 1;
        }
        let line = self.line(rank);
        fold::rows(self.lines.text(line), self.frame.columns)
    }

    fn height(&self) -> usize {
        self.frame.rows.max(1)
    }

    fn forward(&mut self, mut spot: Spot, mut by: usize) -> Spot {
        let last = self.len().saturating_sub(1);
        loop {
            let rows = self.rows(spot.rank);
            if spot.skip + by < rows {
                spot.skip += by;
                return spot;
            }
            if spot.rank == last {
                spot.skip = rows - 1;
                return spot;
            }
            by -= rows - spot.skip;
            spot = Spot { rank: spot.rank + 1, skip: 0 };
        }
    }

    fn back(&mut self, mut spot: Spot, mut by: usize) -> Spot {
        loop {
            if by <= spot.skip {
                spot.skip -= by;
                return spot;
            }
            if spot.rank == 0 {
                return BEGIN;
            }
            by -= spot.skip + 1;
            spot.rank -= 1;
            spot.skip = self.rows(spot.rank) - 1;
        }
    }

    /// Where the frame begins when it ends with the last row.
    fn end(&mut self) -> Spot {
        let rank = self.len() - 1;
        let skip = self.rows(rank) - 1;
        let by = self.height() - 1;
        self.back(Spot { rank, skip }, by)
    }

    /// The last row in a frame that begins at a spot.
    fn bottom(&mut self, top: Spot) -> Spot {
        let by = self.height() - 1;
        self.forward(top, by)
    }

    /// Where a frame begins in which a line ends; if it is longer than the frame, in which it begins.
    fn ending_with(&mut self, rank: usize) -> Spot {
        let skip = self.rows(rank) - 1;
        let by = self.height() - 1;
        self.back(Spot { rank, skip }, by).min(Spot { rank, skip: 0 })
    }

    /// Where we are among the lines that pass now; none if none do.
    pub(super) fn resolve(&mut self, place: Place) -> Option<Resolved> {
        if self.len() == 0 {
            return None;
        }
        let end = self.end();
        if place.following {
            return Some(Resolved { top: end, current: self.len() - 1, following: true });
        }
        let current = self.rank(place.current);
        let rank = self.rank(place.top);
        let skip = if self.line(rank) == place.top { place.skip.min(self.rows(rank) - 1) } else { 0 };
        let mut top = Spot { rank, skip }.min(end);
        if current < top.rank {
            top = Spot { rank: current, skip: 0 };
        } else if current > self.bottom(top).rank {
            top = self.ending_with(current);
        }
        Some(Resolved { top, current, following: false })
    }

    /// The number of the current line.
    pub(super) fn line_of(&self, at: Resolved) -> usize {
        self.line(at.current)
    }

    fn place(&self, at: Resolved) -> Place {
        Place {
            top: self.line(at.top.rank),
            skip: at.top.skip,
            current: self.line(at.current),
            following: at.following,
        }
    }

    /// Where we are after a move that is none to a match.
    pub(super) fn moved(&mut self, place: Place, to: Move) -> Place {
        let Some(mut at) = self.resolve(place) else {
            return Place { following: to == Move::Bottom || place.following, ..place };
        };
        let before = at;
        match to {
            Move::Up => self.up(&mut at),
            Move::Down => self.down(&mut at),
            Move::PageUp => self.page_up(&mut at),
            Move::PageDown => self.scroll(&mut at, true, (self.height() - 1).max(1)),
            Move::Top => at = Resolved { top: BEGIN, current: 0, following: false },
            Move::Bottom => return Place { following: true, ..place },
            Move::Scroll(by) => self.scroll(&mut at, by > 0, by.unsigned_abs() as usize),
            Move::Line(line) => {
                at.current = self.rank(line);
                self.reveal(&mut at);
                at.following = at.current + 1 == self.len() && at.top == self.end();
            }
            Move::NextMatch | Move::PreviousMatch => {}
        }
        // Who could not move up is still at the end.
        if at == (Resolved { following: at.following, ..before }) && before.following {
            at.following = true;
        }
        self.place(at)
    }

    fn up(&mut self, at: &mut Resolved) {
        at.following = false;
        if at.current == at.top.rank && at.top.skip > 0 {
            at.top.skip -= 1;
        } else if at.current > 0 {
            at.current -= 1;
            self.reveal(at);
        }
    }

    fn down(&mut self, at: &mut Resolved) {
        let bottom = self.bottom(at.top);
        if at.current == bottom.rank && bottom.skip + 1 < self.rows(at.current) {
            at.top = self.forward(at.top, 1);
        } else if at.current + 1 < self.len() {
            at.current += 1;
            self.reveal(at);
        }
        at.following = at.current + 1 == self.len() && at.top >= self.end();
    }

    /// Brings the whole current line into the frame, or as much of it as there is room for: coming from above its
    /// beginning, coming from below its end.
    fn reveal(&mut self, at: &mut Resolved) {
        let begins = Spot { rank: at.current, skip: 0 };
        let ends = self.ending_with(at.current);
        if at.top < ends {
            at.top = ends;
        } else if at.top > begins {
            let skip = self.rows(at.current).saturating_sub(self.height());
            at.top = Spot { rank: at.current, skip };
        }
    }

    fn page_up(&mut self, at: &mut Resolved) {
        if at.top == BEGIN {
            *at = Resolved { top: BEGIN, current: 0, following: false };
        } else {
            self.scroll(at, false, (self.height() - 1).max(1));
        }
    }

    fn scroll(&mut self, at: &mut Resolved, down: bool, by: usize) {
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
            *at = Resolved { top: end, current: self.len() - 1, following: true };
        } else {
            at.current = at.current.max(at.top.rank);
        }
    }

    /// Where we are when a line was gone to: in the upper part of the frame, unless it can be seen as it is.
    pub(super) fn at_line(&mut self, place: Place, line: usize) -> Place {
        let Some(mut at) = self.resolve(place) else { return place };
        at.current = self.rank(line);
        at.following = false;
        let bottom = self.bottom(at.top);
        let begins = Spot { rank: at.current, skip: 0 };
        let ends = Spot { rank: at.current, skip: self.rows(at.current) - 1 };
        if begins < at.top || ends > bottom {
            let by = self.height() / 3;
            let end = self.end();
            at.top = self.back(begins, by).min(end);
        }
        self.place(at)
    }

    /// The lines in the frame.
    pub(super) fn visible(&mut self, top: Spot) -> Vec<Row> {
        let mut lines = Vec::new();
        let mut room = self.frame.rows + top.skip;
        for rank in top.rank..self.len() {
            if room == 0 || self.frame.rows == 0 {
                break;
            }
            let line = self.line(rank);
            let row = self.lines.row(line);
            room = room.saturating_sub(if self.frame.wrap {
                fold::rows(&row.painted.text, self.frame.columns)
            } else {
                1
            });
            lines.push(row);
        }
        lines
    }
}
