//! [`JournalFollower`]: reads a deployment's journals from their start and continues as they grow.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use super::parse::parse;
use super::{DeploymentJournal, JournalError, io_error};
use crate::event::{Event, EventKind, RunId};

/// Reads a deployment's journals as they grow.
#[derive(Debug)]
pub struct JournalFollower {
    journal: DeploymentJournal,
    /// Runs to be read, oldest first. The directory is listed again only when this is empty: listing it for every read
    /// would take time quadratic in the number of runs.
    unread: VecDeque<RunId>,
    /// Runs whose journals may grow.
    open: BTreeMap<RunId, RunJournalReader>,
    /// Runs read to their last event, and unreadable ones.
    closed: BTreeSet<RunId>,
}

/// Reads one run's journal from the last position. The file is open only during a read, since the journal of a run whose
/// process was killed may be followed forever.
#[derive(Debug)]
pub struct RunJournalReader {
    path: PathBuf,
    /// The end of the last complete line read; a partial line is read again.
    offset: u64,
    lines: usize,
}

impl JournalFollower {
    pub(super) fn new(journal: DeploymentJournal) -> Self {
        Self { journal, unread: VecDeque::new(), open: BTreeMap::new(), closed: BTreeSet::new() }
    }

    /// The next events, in order, at most `limit`; empty if there are none. An unreadable journal is reported once and
    /// ignored afterwards.
    ///
    /// # Errors
    /// When a journal cannot be read, is damaged, or has a newer format.
    pub fn next(&mut self, limit: usize) -> Result<Vec<Event>, JournalError> {
        let mut events = Vec::new();
        let mut is_listed = false;
        while events.len() < limit {
            let Some(run) = self.unread.pop_front() else {
                if is_listed {
                    break;
                }
                is_listed = true;
                let runs = self.journal.runs()?;
                self.unread.extend(runs.into_iter().filter(|run| !self.closed.contains(run)));
                continue;
            };
            if let Err(error) = self.read(&run, limit, &mut events) {
                self.open.remove(&run);
                self.closed.insert(run);
                if events.is_empty() {
                    return Err(error);
                }
                // The events before it are complete; the error occurs again when this journal is read by itself.
                break;
            }
            if events.len() >= limit && !self.closed.contains(&run) {
                // It may have more events.
                self.unread.push_front(run);
            }
        }
        Ok(events)
    }

    /// Whether a run without a last event was read: it is in progress, or its process was killed.
    pub fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    fn read(&mut self, run: &RunId, limit: usize, events: &mut Vec<Event>) -> Result<(), JournalError> {
        let reader = self.open.entry(run.clone()).or_insert_with(|| RunJournalReader::new(self.journal.path_of(run)));
        let ended = reader.read(limit, events)?;
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

    /// The end of the last complete line read, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads until `events` has `limit` events or there are no more. Returns whether the run's last event was read.
    ///
    /// # Errors
    /// When the journal cannot be read, is damaged, or has a newer format.
    pub fn read(&mut self, limit: usize, events: &mut Vec<Event>) -> Result<bool, JournalError> {
        let length = fs::metadata(&self.path).map_err(io_error("read", &self.path))?.len();
        if length == self.offset {
            return Ok(false);
        }
        let mut file = File::open(&self.path).map_err(io_error("read", &self.path))?;
        file.seek(SeekFrom::Start(self.offset)).map_err(io_error("read", &self.path))?;
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        while events.len() < limit {
            line.clear();
            file.read_until(b'\n', &mut line).map_err(io_error("read", &self.path))?;
            if !line.ends_with(b"\n") {
                // The line is being written, or will be truncated.
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
        JournalStore::new(dir).deployment(&DeploymentName::new("demo").expect("a valid name"))
    }

    fn event(run: &RunId, seq: u64) -> Event {
        let kind = match seq {
            9 => EventKind::RunFinished { outcome: Outcome::Succeeded, seconds: 1.0 },
            _ => EventKind::StepStarted { step: "repository".into() },
        };
        Event { v: VERSION, run: run.clone(), seq, at: chrono::DateTime::UNIX_EPOCH, kind }
    }

    #[test]
    fn events_are_read_once_in_order() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = journal(dir.path());
        let mut follower = journal.follow();
        assert_eq!(follower.next(100).expect("a missing directory is no error"), []);
        let mut first = journal.begin(Action::Deploy).expect("a run starts");
        let all: Vec<Event> = (0..10).map(|seq| event(first.id(), seq)).collect();
        let mut read = Vec::new();
        for event in &all {
            first.append(event).expect("the event is written");
            read.extend(follower.next(1).expect("it can be read"));
        }
        let mut second = journal.begin(Action::Destroy).expect("a run starts");
        second.append(&event(second.id(), 0).clone()).expect("the event is written");
        read.extend(follower.next(100).expect("it can be read"));
        assert_eq!(read.len(), 11);
        assert_eq!(read[..10], all);
        assert_eq!(follower.next(100).expect("it can be read"), []);
    }

    #[test]
    fn partial_line_is_read_when_complete() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = journal(dir.path());
        let run = journal.begin(Action::Deploy).expect("a run starts");
        let mut line = serde_json::to_vec(&event(run.id(), 0)).expect("an event is JSON");
        line.push(b'\n');
        let mut follower = journal.follow();
        for byte in &line {
            assert_eq!(follower.next(100).expect("a partial line is no error"), []);
            (&*run.file()).write_all(std::slice::from_ref(byte)).expect("the event is written");
        }
        assert_eq!(follower.next(100).expect("it can be read"), [event(run.id(), 0)]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn unfinished_run_keeps_no_file_open() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = journal(dir.path());
        let mut follower = journal.follow();
        for _ in 0..2 {
            let mut run = journal.begin(Action::Deploy).expect("a run starts");
            run.append(&event(run.id(), 0).clone()).expect("the event is written");
        }
        assert_eq!(follower.next(100).expect("it can be read").len(), 2);
        assert!(follower.has_open());
        let open = fs::read_dir("/proc/self/fd").expect("this process has files").flatten();
        let ours = |path: &PathBuf| path.starts_with(dir.path());
        let open: Vec<PathBuf> = open.filter_map(|entry| fs::read_link(entry.path()).ok()).filter(ours).collect();
        assert_eq!(open, Vec::<PathBuf>::new());
    }

    #[test]
    fn next_does_not_list_directory_while_runs_are_unread() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = journal(dir.path());
        for _ in 0..20 {
            let mut run = journal.begin(Action::Deploy).expect("a run starts");
            (0..10).for_each(|seq| run.append(&event(run.id(), seq)).expect("the event is written"));
        }
        let mut follower = journal.follow();
        let mut read = follower.next(7).expect("it can be read");
        // If the directory were listed again, this run would be read before the others.
        let first = RunId::from_file_stem("0000-deploy-0000");
        let line = serde_json::to_string(&event(&first, 0)).expect("an event is JSON");
        fs::write(journal.path_of(&first), format!("{line}\n")).expect("the event is written");
        loop {
            let events = follower.next(7).expect("it can be read");
            if events.is_empty() {
                break;
            }
            read.extend(events);
        }
        assert_eq!(read.len(), 201, "every event is read once");
        assert_eq!(read.pop().map(|event| event.run), Some(first));
        assert!(read.is_sorted_by_key(|event| (event.run.clone(), event.seq)));
    }

    #[test]
    fn damaged_journal_is_reported_once() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = journal(dir.path());
        let damaged = journal.begin(Action::Deploy).expect("a run starts");
        (&*damaged.file()).write_all(b"nonsense\n").expect("the event is written");
        let mut good = journal.begin(Action::Destroy).expect("a run starts");
        good.append(&event(good.id(), 0)).expect("the event is written");
        let mut follower = journal.follow();
        assert!(matches!(follower.next(100), Err(JournalError::Damaged { line: 1, .. })));
        assert_eq!(follower.next(100).expect("the rest can be read").len(), 1);
    }
}
