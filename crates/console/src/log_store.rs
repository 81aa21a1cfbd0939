//! The lines of a log, outside the model: a bounded part in memory, the rest in an unnamed temporary file.
//!
//! A pane sends a [`LogCommand`] and receives a [`LogWindow`]. Search, filter and save run in slices of a few
//! milliseconds, in [`LogStore::work`].

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "long logs are kept in a file")]

pub mod ansi;
mod block;
pub mod fold;
mod lines;
mod protocol;
mod save;
mod scan;
pub mod search_pattern;
#[cfg(test)]
mod tests;
mod viewport;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use protocol::{DisplayLine, LogCommand, LogMove, LogReport, LogRow, LogWindow, SearchStatus, ViewportSize};

use self::lines::Lines;
use self::save::SaveTask;
use self::scan::{Buffers, Scan};
use self::search_pattern::SearchPattern;
use self::viewport::{ScrollPosition, Viewport};

/// The maximum duration of one slice of work.
const SLICE: Duration = Duration::from_millis(4);

/// The lines of a log and the scroll position.
#[derive(Debug)]
pub struct LogStore {
    lines: Lines,
    viewport_size: ViewportSize,
    position: ScrollPosition,
    saved_position: Option<ScrollPosition>,
    filter: Option<Scan>,
    search: Option<Scan>,
    /// The match to scroll to as soon as it is found.
    pending_match: Option<PendingMatch>,
    saving: Option<SaveTask>,
    /// The folder for saved logs; none: the working directory.
    folder: Option<PathBuf>,
    buffers: Buffers,
}

/// A match to scroll to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PendingMatch {
    /// The first match from this line on, else the first of all.
    From(usize),
    /// The last match before this line, else the last of all.
    Before(usize),
}

impl Default for LogStore {
    fn default() -> Self {
        Self::new()
    }
}

impl LogStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::with(Lines::new(block::TEXT, lines::BUDGET, lines::temporary_file), None)
    }

    fn with(lines: Lines, folder: Option<PathBuf>) -> Self {
        Self {
            lines,
            viewport_size: ViewportSize::default(),
            position: ScrollPosition::default(),
            saved_position: None,
            filter: None,
            search: None,
            pending_match: None,
            saving: None,
            folder,
            buffers: Buffers::default(),
        }
    }

    /// Executes a command of the pane and returns reports.
    pub fn run(&mut self, command: LogCommand) -> Vec<LogReport> {
        let mut reports = Vec::new();
        match command {
            LogCommand::Append(lines) => self.append(&lines),
            LogCommand::Clear => {
                self.lines.clear();
                self.position = ScrollPosition::default();
                self.saved_position = None;
                self.pending_match = None;
                reports.extend(self.saving.take().map(SaveTask::abort));
                for scan in [&mut self.filter, &mut self.search].into_iter().flatten() {
                    *scan = Scan::new(scan.pattern.clone());
                }
            }
            LogCommand::Show(size) => self.viewport_size = size,
            LogCommand::Move(to) => self.move_to(to),
            LogCommand::SavePosition => self.saved_position = Some(self.position),
            LogCommand::DropPosition => self.saved_position = None,
            LogCommand::RestorePosition => {
                self.pending_match = None;
                if let Some(position) = self.saved_position.take() {
                    self.position = position;
                }
            }
            LogCommand::Search(text) => self.search(&text),
            LogCommand::Filter(text) => {
                self.filter = SearchPattern::new(&text).map(Scan::new);
                // Only displayed lines count as matches.
                self.search = self.search.take().map(|search| Scan::new(search.pattern));
            }
            LogCommand::Save(name) if self.saving.is_none() => {
                let folder = self.folder.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_default();
                match SaveTask::begin(&folder, &name, &self.lines) {
                    Ok(saving) => self.saving = Some(saving),
                    Err(failure) => reports.push(LogReport::Failed(failure)),
                }
            }
            LogCommand::Save(_) => {}
        }
        // For small logs one slice is enough, so the first report is complete.
        self.scan_until(Instant::now() + SLICE);
        reports.extend(self.reports());
        reports
    }

    /// Continues pending searches, filters and saves for a few milliseconds and returns reports.
    pub fn work(&mut self) -> Vec<LogReport> {
        let until = Instant::now() + SLICE;
        let mut reports = Vec::new();
        self.scan_until(until);
        while let Some(saving) = &mut self.saving {
            if let Some(ended) = saving.step(&mut self.lines) {
                self.saving = None;
                reports.push(ended);
            }
            if Instant::now() >= until {
                break;
            }
        }
        reports.extend(self.reports());
        reports
    }

    /// Whether there is pending work.
    pub fn has_work(&self) -> bool {
        self.saving.is_some() || self.is_filtering() || self.is_searching()
    }

    fn is_filtering(&self) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.next < self.lines.end())
    }

    fn is_searching(&self) -> bool {
        self.search.as_ref().is_some_and(|search| search.next < self.lines.end())
    }

    fn append(&mut self, lines: &[DisplayLine]) {
        let first = self.lines.first();
        for line in lines {
            self.lines.push(line);
        }
        let now = self.lines.first();
        if now > first {
            for scan in [&mut self.filter, &mut self.search].into_iter().flatten() {
                scan.drop_before(now);
            }
        }
    }

    fn scan_until(&mut self, until: Instant) {
        let end = self.lines.end();
        while let Some(filter) = &mut self.filter
            && filter.next < end
        {
            filter.step(&mut self.lines, end, None, &mut self.buffers);
            if Instant::now() >= until {
                return self.go_to_match();
            }
        }
        let among = self.filter.as_ref().map(|filter| filter.hits.as_slice());
        while let Some(search) = &mut self.search
            && search.next < end
        {
            search.step(&mut self.lines, end, among, &mut self.buffers);
            if Instant::now() >= until {
                break;
            }
        }
        self.go_to_match();
    }

    fn viewport(&mut self) -> Viewport<'_> {
        Viewport { lines: &mut self.lines, filter: self.filter.as_ref(), viewport_size: self.viewport_size }
    }

    fn move_to(&mut self, to: LogMove) {
        let position = self.position;
        let current = self.current();
        self.pending_match = match to {
            LogMove::NextMatch => Some(PendingMatch::From(current.map_or(0, |line| line + 1))),
            LogMove::PreviousMatch => Some(PendingMatch::Before(current.unwrap_or(0))),
            _ => {
                self.position = self.viewport().moved(position, to);
                None
            }
        };
    }

    /// The number of the current line.
    fn current(&mut self) -> Option<usize> {
        let position = self.position;
        let mut viewport = self.viewport();
        viewport.resolve(position).map(|at| viewport.line_of(at))
    }

    fn search(&mut self, text: &str) {
        if let Some(position) = self.saved_position {
            self.position = position;
        }
        self.search = SearchPattern::new(text).map(Scan::new);
        let from = self.current().unwrap_or(0);
        self.pending_match = self.search.as_ref().map(|_| PendingMatch::From(from));
    }

    /// Scrolls to the pending match, once it is known.
    fn go_to_match(&mut self) {
        let Some(pending_match) = self.pending_match else { return };
        let Some(search) = &self.search else {
            self.pending_match = None;
            return;
        };
        let is_through = !self.is_searching();
        let found = match pending_match {
            PendingMatch::From(line) => {
                search.hits.get(search.before(line)).or(search.hits.first().filter(|_| is_through))
            }
            PendingMatch::Before(line) if search.next >= line || is_through => match search.before(line) {
                0 => search.hits.last().filter(|_| is_through),
                before => search.hits.get(before - 1),
            },
            PendingMatch::Before(_) => None,
        };
        if let Some(line) = found.map(|hit| *hit as usize) {
            let position = self.position;
            self.position = self.viewport().at_line(position, line);
            self.pending_match = None;
        } else if is_through {
            self.pending_match = None;
        }
    }

    fn reports(&mut self) -> Vec<LogReport> {
        let window = Box::new(self.window());
        let failure = self.lines.take_failure().map(LogReport::Failed);
        [LogReport::Updated(window)].into_iter().chain(failure).collect()
    }

    /// The current window.
    fn window(&mut self) -> LogWindow {
        let position = self.position;
        let mut window = LogWindow {
            total: self.lines.end(),
            lost: self.lines.first(),
            following: position.following,
            filtering: self.is_filtering(),
            ..LogWindow::default()
        };
        let mut viewport = self.viewport();
        window.passing = viewport.len();
        let mut current = None;
        if let Some(at) = viewport.resolve(position) {
            window.lines = viewport.visible(at.top);
            window.skip = at.top.skip;
            window.current = at.current - at.top.rank;
            window.position = at.current + 1;
            current = Some(viewport.line_of(at));
        }
        let searching = self.is_searching();
        window.search = self.search.as_ref().map(|search| {
            let at = current.map(|line| (line, search.before(line)));
            let at = at.filter(|(line, before)| search.hits.get(*before).is_some_and(|hit| *hit as usize == *line));
            SearchStatus { matches: search.hits.len(), at: at.map(|(_, before)| before + 1), searching }
        });
        window
    }
}
