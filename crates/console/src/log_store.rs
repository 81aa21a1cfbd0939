//! The lines of a log: a bounded part in memory, the rest in a file without a name. Outside the model.
//!
//! A pane says what it wants to see ([`LogCommand`]) and is shown that ([`Window`]), with figures about the rest. Nothing
//! here takes long: searching, filtering and saving go on piece by piece in [`LogStore::work`].

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "long logs are kept in a file")]

mod block;
mod exchange;
mod lines;
mod look;
mod save;
mod scan;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use exchange::{Found, Frame, LogCommand, LogLine, LogReport, Move, Row, Window};

use self::lines::Lines;
use self::look::{Place, Sight};
use self::save::Saving;
use self::scan::{Buffers, Scan};
use crate::model::log::needle::Needle;

/// How long it may be worked on one piece.
const SLICE: Duration = Duration::from_millis(4);

/// The lines of a log, and where in them we are.
#[derive(Debug)]
pub struct LogStore {
    lines: Lines,
    frame: Frame,
    place: Place,
    remembered: Option<Place>,
    filter: Option<Scan>,
    search: Option<Scan>,
    /// The match that is to be gone to as soon as it is found.
    goal: Option<Goal>,
    saving: Option<Saving>,
    /// Where logs are saved; none: in the working directory.
    folder: Option<PathBuf>,
    buffers: Buffers,
}

/// A match that is to be gone to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// The first one from this line on, else the first of all.
    From(usize),
    /// The last one before this line, else the last of all.
    Before(usize),
}

impl Default for LogStore {
    fn default() -> Self {
        Self::new()
    }
}

impl LogStore {
    /// A store without lines.
    pub fn new() -> Self {
        Self::with(Lines::new(block::TEXT, lines::BUDGET, lines::temporary_file), None)
    }

    fn with(lines: Lines, folder: Option<PathBuf>) -> Self {
        Self {
            lines,
            frame: Frame::default(),
            place: Place::default(),
            remembered: None,
            filter: None,
            search: None,
            goal: None,
            saving: None,
            folder,
            buffers: Buffers::default(),
        }
    }

    /// Does what a pane wants; answers what the pane must hear.
    pub fn run(&mut self, command: LogCommand) -> Vec<LogReport> {
        let mut reports = Vec::new();
        match command {
            LogCommand::Append(lines) => self.append(&lines),
            LogCommand::Clear => {
                self.lines.clear();
                self.place = Place::default();
                self.remembered = None;
                self.goal = None;
                reports.extend(self.saving.take().map(Saving::give_up));
                for scan in [&mut self.filter, &mut self.search].into_iter().flatten() {
                    *scan = Scan::new(scan.needle.clone());
                }
            }
            LogCommand::Show(frame) => self.frame = frame,
            LogCommand::Move(to) => self.go(to),
            LogCommand::Remember => self.remembered = Some(self.place),
            LogCommand::Forget => self.remembered = None,
            LogCommand::Return => {
                self.goal = None;
                if let Some(place) = self.remembered.take() {
                    self.place = place;
                }
            }
            LogCommand::Search(text) => self.search(&text),
            LogCommand::Filter(text) => {
                self.filter = Needle::new(&text).map(Scan::new);
                // Matches are counted among the lines that are shown.
                self.search = self.search.take().map(|search| Scan::new(search.needle));
            }
            LogCommand::Save(name) if self.saving.is_none() => {
                let folder = self.folder.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_default();
                match Saving::begin(&folder, &name, &self.lines) {
                    Ok(saving) => self.saving = Some(saving),
                    Err(failure) => reports.push(LogReport::Failed(failure)),
                }
            }
            LogCommand::Save(_) => {}
        }
        // Small logs need no more than this: then the answer is whole at once.
        self.scan_until(Instant::now() + SLICE);
        reports.extend(self.reports());
        reports
    }

    /// Goes on with a search, a filter or a save that is not through, for a few milliseconds; answers what the pane must
    /// hear.
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

    /// Whether there is something to go on with.
    pub fn has_work(&self) -> bool {
        self.saving.is_some() || self.is_filtering() || self.is_searching()
    }

    fn is_filtering(&self) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.next < self.lines.end())
    }

    fn is_searching(&self) -> bool {
        self.search.as_ref().is_some_and(|search| search.next < self.lines.end())
    }

    fn append(&mut self, lines: &[LogLine]) {
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
                return self.reach();
            }
        }
        let those = self.filter.as_ref().map(|filter| filter.hits.as_slice());
        while let Some(search) = &mut self.search
            && search.next < end
        {
            search.step(&mut self.lines, end, those, &mut self.buffers);
            if Instant::now() >= until {
                break;
            }
        }
        self.reach();
    }

    fn sight(&mut self) -> Sight<'_> {
        Sight { lines: &mut self.lines, filter: self.filter.as_ref(), frame: self.frame }
    }

    fn go(&mut self, to: Move) {
        let place = self.place;
        let current = self.current();
        self.goal = match to {
            Move::NextMatch => Some(Goal::From(current.map_or(0, |line| line + 1))),
            Move::PreviousMatch => Some(Goal::Before(current.unwrap_or(0))),
            _ => {
                self.place = self.sight().moved(place, to);
                None
            }
        };
    }

    /// The number of the current line.
    fn current(&mut self) -> Option<usize> {
        let place = self.place;
        let mut sight = self.sight();
        sight.resolve(place).map(|at| sight.line_of(at))
    }

    fn search(&mut self, text: &str) {
        if let Some(place) = self.remembered {
            self.place = place;
        }
        self.search = Needle::new(text).map(Scan::new);
        let from = self.current().unwrap_or(0);
        self.goal = self.search.as_ref().map(|_| Goal::From(from));
    }

    /// Goes to the match that is wanted, if it can be told which one that is.
    fn reach(&mut self) {
        let Some(goal) = self.goal else { return };
        let Some(search) = &self.search else {
            self.goal = None;
            return;
        };
        let is_through = !self.is_searching();
        let found = match goal {
            Goal::From(line) => search.hits.get(search.before(line)).or(search.hits.first().filter(|_| is_through)),
            Goal::Before(line) if search.next >= line || is_through => match search.before(line) {
                0 => search.hits.last().filter(|_| is_through),
                before => search.hits.get(before - 1),
            },
            Goal::Before(_) => None,
        };
        if let Some(line) = found.map(|hit| *hit as usize) {
            let place = self.place;
            self.place = self.sight().at_line(place, line);
            self.goal = None;
        } else if is_through {
            self.goal = None;
        }
    }

    fn reports(&mut self) -> Vec<LogReport> {
        let window = Box::new(self.window());
        let trouble = self.lines.take_trouble().map(LogReport::Failed);
        [LogReport::Seen(window)].into_iter().chain(trouble).collect()
    }

    /// What is to be seen now.
    fn window(&mut self) -> Window {
        let place = self.place;
        let mut window = Window {
            total: self.lines.end(),
            lost: self.lines.first(),
            following: place.following,
            filtering: self.is_filtering(),
            ..Window::default()
        };
        let mut sight = self.sight();
        window.passing = sight.len();
        let mut current = None;
        if let Some(at) = sight.resolve(place) {
            window.lines = sight.visible(at.top);
            window.skip = at.top.skip;
            window.current = at.current - at.top.rank;
            window.position = at.current + 1;
            current = Some(sight.line_of(at));
        }
        let searching = self.is_searching();
        window.search = self.search.as_ref().map(|search| {
            let at = current.map(|line| (line, search.before(line)));
            let at = at.filter(|(line, before)| search.hits.get(*before).is_some_and(|hit| *hit as usize == *line));
            Found { matches: search.hits.len(), at: at.map(|(_, before)| before + 1), searching }
        });
        window
    }
}

/// Does what panes want of their stores, in tests: as the runner does it, until all is quiet. One model at a time: where
/// its panes have heard nothing yet, the stores begin anew.
#[cfg(test)]
pub(crate) fn answer(model: &mut super::model::Model, effects: Vec<super::message::Effect>) {
    use std::cell::RefCell;

    use thumbctl_core::event::LogSource;

    use super::message::{Effect, Message};
    use super::update::update;

    thread_local! {
        static STORES: RefCell<[LogStore; 2]> = RefCell::default();
    }
    const SOURCES: [LogSource; 2] = [LogSource::Build, LogSource::Function];
    STORES.with_borrow_mut(|stores| {
        if SOURCES.iter().all(|source| !model.log_mut(*source).has_heard()) {
            *stores = Default::default();
        }
        let shown = SOURCES.map(|source| Effect::Log(source, model.log_mut(source).show()));
        let mut effects: std::collections::VecDeque<Effect> = shown.into_iter().chain(effects).collect();
        while let Some(effect) = effects.pop_front() {
            let Effect::Log(source, command) = effect else { continue };
            let store = &mut stores[usize::from(source == LogSource::Function)];
            let mut reports = store.run(command);
            while store.has_work() {
                reports.extend(store.work());
            }
            for report in reports {
                effects.extend(update(model, Message::Log(source, report)));
            }
        }
    });
}
