//! [`JournalFollower`]: reads a deployment's journals from their beginning and goes on as they grow, whoever writes them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use super::{DeploymentJournal, JournalError, io_error, parse};
use crate::event::{Event, EventKind, RunId};

/// Reads a deployment's journals as they grow.
#[derive(Debug)]
pub struct JournalFollower {
    journal: DeploymentJournal,
    /// Runs that are still to be read, oldest first. The folder is listed again only once they have been: listing it for
    /// every reading would take time in proportion to the square of the number of runs.
    unread: VecDeque<RunId>,
    /// Runs that may still grow.
    open: BTreeMap<RunId, RunJournalReader>,
    /// Runs that have been read to their last event, or cannot be read.
    closed: BTreeSet<RunId>,
}

/// How far one run's journal has been read. The file is open only while it is read: the journal of a run whose process died
/// may be followed for ever.
#[derive(Debug)]
pub struct RunJournalReader {
    path: PathBuf,
    /// Up to where whole lines have been read; a line that is being written is read again.
    offset: u64,
    lines: usize,
}

impl JournalFollower {
    pub(super) fn new(journal: DeploymentJournal) -> Self {
        Self { journal, unread: VecDeque::new(), open: BTreeMap::new(), closed: BTreeSet::new() }
    }

    /// The events that have come since the last reading, in order, at most so many; empty when there are none. A journal
    /// that cannot be read is told once, and read past from then on.
    ///
    /// # Errors
    /// When a journal cannot be read, is damaged, or is a newer program's.
    pub fn next(&mut self, most: usize) -> Result<Vec<Event>, JournalError> {
        let mut events = Vec::new();
        let mut is_listed = false;
        while events.len() < most {
            let Some(run) = self.unread.pop_front() else {
                if is_listed {
                    break;
                }
                is_listed = true;
                let runs = self.journal.runs()?;
                self.unread.extend(runs.into_iter().filter(|run| !self.closed.contains(run)));
                continue;
            };
            if let Err(error) = self.read(&run, most, &mut events) {
                self.open.remove(&run);
                self.closed.insert(run);
                if events.is_empty() {
                    return Err(error);
                }
                // What was read before it is whole; the error shows again to whoever reads that journal by itself.
                break;
            }
            if events.len() >= most && !self.closed.contains(&run) {
                // There may be more of it.
                self.unread.push_front(run);
            }
        }
        Ok(events)
    }

    /// Whether a run was read that has no end yet: it is under way, or its process died.
    pub fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    fn read(&mut self, run: &RunId, most: usize, events: &mut Vec<Event>) -> Result<(), JournalError> {
        let reading = self.open.entry(run.clone()).or_insert_with(|| RunJournalReader::new(self.journal.path_of(run)));
        let ended = reading.read(most, events)?;
        if ended {
            self.open.remove(run);
            self.closed.insert(run.clone());
        }
        Ok(())
    }
}

impl RunJournalReader {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, offset: 0, lines: 0 }
    }

    /// Up to where whole lines have been read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads on until there are so many events, or no more; answers whether the run's last event was read.
    ///
    /// # Errors
    /// When the journal cannot be read, is damaged, or is a newer program's.
    pub fn read(&mut self, most: usize, events: &mut Vec<Event>) -> Result<bool, JournalError> {
        let length = fs::metadata(&self.path).map_err(io_error("read", &self.path))?.len();
        if length == self.offset {
            return Ok(false);
        }
        let mut file = File::open(&self.path).map_err(io_error("read", &self.path))?;
        file.seek(SeekFrom::Start(self.offset)).map_err(io_error("read", &self.path))?;
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        while events.len() < most {
            line.clear();
            file.read_until(b'\n', &mut line).map_err(io_error("read", &self.path))?;
            if !line.ends_with(b"\n") {
                // It is being written, or will be cut off again.
                return Ok(false);
            }
            self.offset += line.len() as u64;
            self.lines += 1;
            let event = parse(&self.path, self.lines, &line)?;
            let ended = matches!(event.kind, EventKind::RunFinished { .. });
            events.push(event);
            if ended {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use super::*;
    use crate::event::{Action, Outcome, VERSION};
    use crate::journal::JournalStore;
    use crate::names::DeploymentName;

    fn journal(dir: &Path) -> DeploymentJournal {
        JournalStore::new(dir).deployment(&DeploymentName::new("demo").expect("a legal name"))
    }

    fn event(run: &RunId, seq: u64) -> Event {
        let kind = match seq {
            9 => EventKind::RunFinished { outcome: Outcome::Succeeded, seconds: 1.0 },
            _ => EventKind::StepStarted { step: "repository".into() },
        };
        Event { v: VERSION, run: run.clone(), seq, at: chrono::DateTime::UNIX_EPOCH, kind }
    }

    #[test]
    fn what_is_written_is_read_once_and_in_order() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let journal = journal(dir.path());
        let mut follower = journal.follow();
        assert_eq!(follower.next(100).expect("nothing is there"), []);
        let mut first = journal.begin(Action::Deploy).expect("a run begins");
        let all: Vec<Event> = (0..10).map(|seq| event(first.id(), seq)).collect();
        let mut heard = Vec::new();
        for event in &all {
            first.append(event).expect("there is room");
            heard.extend(follower.next(1).expect("it can be read"));
        }
        let mut second = journal.begin(Action::Destroy).expect("a run begins");
        second.append(&event(second.id(), 0).clone()).expect("there is room");
        heard.extend(follower.next(100).expect("it can be read"));
        assert_eq!(heard.len(), 11);
        assert_eq!(heard[..10], all);
        assert_eq!(follower.next(100).expect("it can be read"), []);
    }

    #[test]
    fn a_line_that_is_being_written_is_waited_for() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let journal = journal(dir.path());
        let run = journal.begin(Action::Deploy).expect("a run begins");
        let mut line = serde_json::to_vec(&event(run.id(), 0)).expect("an event is JSON");
        line.push(b'\n');
        let mut follower = journal.follow();
        for byte in &line {
            assert_eq!(follower.next(100).expect("half a line is no error"), []);
            (&*run.file()).write_all(std::slice::from_ref(byte)).expect("there is room");
        }
        assert_eq!(follower.next(100).expect("it can be read"), [event(run.id(), 0)]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_run_without_an_end_keeps_no_file_open() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let journal = journal(dir.path());
        let mut follower = journal.follow();
        for _ in 0..2 {
            let mut run = journal.begin(Action::Deploy).expect("a run begins");
            run.append(&event(run.id(), 0).clone()).expect("there is room");
        }
        assert_eq!(follower.next(100).expect("it can be read").len(), 2);
        assert!(follower.has_open());
        let open = fs::read_dir("/proc/self/fd").expect("this process has files").flatten();
        let ours = |path: &PathBuf| path.starts_with(dir.path());
        let open: Vec<PathBuf> = open.filter_map(|entry| fs::read_link(entry.path()).ok()).filter(ours).collect();
        assert_eq!(open, Vec::<PathBuf>::new());
    }

    #[test]
    fn next_does_not_list_the_folder_while_runs_are_unread() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let journal = journal(dir.path());
        for _ in 0..20 {
            let mut run = journal.begin(Action::Deploy).expect("a run begins");
            (0..10).for_each(|seq| run.append(&event(run.id(), seq)).expect("there is room"));
        }
        let mut follower = journal.follow();
        let mut read = follower.next(7).expect("it can be read");
        // Were the folder listed again, this one would be read before the others.
        let first = RunId::from_file_stem("0000-deploy-0000");
        let line = serde_json::to_string(&event(&first, 0)).expect("an event is JSON");
        fs::write(journal.path_of(&first), format!("{line}\n")).expect("there is room");
        loop {
            let events = follower.next(7).expect("it can be read");
            if events.is_empty() {
                break;
            }
            read.extend(events);
        }
        assert_eq!(read.len(), 201, "nothing is read twice and nothing left out");
        assert_eq!(read.pop().map(|event| event.run), Some(first));
        assert!(read.is_sorted_by_key(|event| (event.run.clone(), event.seq)));
    }

    #[test]
    fn a_damaged_journal_is_told_once_and_read_past() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let journal = journal(dir.path());
        let damaged = journal.begin(Action::Deploy).expect("a run begins");
        (&*damaged.file()).write_all(b"nonsense\n").expect("there is room");
        let mut good = journal.begin(Action::Destroy).expect("a run begins");
        good.append(&event(good.id(), 0)).expect("there is room");
        let mut follower = journal.follow();
        assert!(matches!(follower.next(100), Err(JournalError::Damaged { line: 1, .. })));
        assert_eq!(follower.next(100).expect("the rest can be read").len(), 1);
    }
}
