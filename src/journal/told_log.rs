//! [`ToldLog`]: what a run's journal has of one log, from its beginning and as it grows.

use super::{DeploymentJournal, JournalError, JournalReading};
use crate::event::{EventKind, LogSource};
use crate::log_follower::LogLine;

/// How many events are read at a time: a journal may be long.
const BATCH: usize = 1000;

/// Reads one log's lines out of a run's journal.
#[derive(Debug)]
pub struct ToldLog {
    reading: JournalReading,
    source: LogSource,
    has_ended: bool,
}

impl DeploymentJournal {
    /// A log as the newest run has it that has any of it; of a run that is under way also before its first line. None where no
    /// run ever had any.
    ///
    /// # Errors
    /// When a journal cannot be read, is damaged, or is a newer program's.
    pub fn newest_log(&self, source: LogSource) -> Result<Option<ToldLog>, JournalError> {
        let is_under_way = self.holder()?.is_some();
        for (at, run) in self.runs()?.iter().rev().enumerate() {
            let open = || ToldLog { reading: self.reading(run), source, has_ended: false };
            let mut tried = open();
            let mut has_any = false;
            while let Some(lines) = tried.read_on()? {
                has_any |= !lines.is_empty();
                if has_any {
                    break;
                }
            }
            if has_any || (at == 0 && is_under_way && !tried.has_ended) {
                return Ok(Some(open()));
            }
        }
        Ok(None)
    }
}

impl ToldLog {
    /// What has come since the last reading.
    ///
    /// # Errors
    /// When the journal cannot be read, is damaged, or is a newer program's.
    pub fn read(&mut self) -> Result<Vec<LogLine>, JournalError> {
        let mut all = Vec::new();
        while let Some(lines) = self.read_on()? {
            all.extend(lines);
        }
        Ok(all)
    }

    /// Whether the run's last event was read.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The lines among the next events; none where there are no further events.
    fn read_on(&mut self) -> Result<Option<Vec<LogLine>>, JournalError> {
        if self.has_ended {
            return Ok(None);
        }
        let mut events = Vec::new();
        self.has_ended = self.reading.read(BATCH, &mut events)?;
        if events.is_empty() {
            return Ok(None);
        }
        let line = |kind| match kind {
            EventKind::LogLine { source, text, timestamp } if source == self.source => {
                Some(LogLine { text, timestamp })
            }
            _ => None,
        };
        Ok(Some(events.into_iter().filter_map(|event| line(event.kind)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::event::{Action, Event, Outcome, VERSION};
    use crate::journal::JournalStore;
    use crate::names::DeploymentName;

    fn journal(dir: &Path) -> DeploymentJournal {
        JournalStore::new(dir).deployment(&DeploymentName::new("demo").expect("a legal name"))
    }

    /// A run of a log's lines, each event as the program would write it.
    fn run(journal: &DeploymentJournal, lines: &[(LogSource, &str)], ends: bool) {
        let mut run = journal.begin(Action::Deploy).expect("it can be written");
        let line = |(source, text): &(LogSource, &str)| EventKind::LogLine {
            source: *source,
            text: (*text).to_owned(),
            timestamp: None,
        };
        let end = ends.then_some(EventKind::RunFinished { outcome: Outcome::Succeeded, seconds: 1.0 });
        for (seq, kind) in lines.iter().map(line).chain(end).enumerate() {
            let event = Event { v: VERSION, run: run.id().clone(), seq: seq as u64, at: chrono::Utc::now(), kind };
            run.append(&event).expect("it can be written");
        }
    }

    fn texts(log: Option<ToldLog>) -> Vec<String> {
        let lines = log.expect("there is one").read().expect("it can be read");
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn the_newest_run_that_has_any_of_it_is_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let journal = journal(dir.path());
        assert!(journal.newest_log(LogSource::Stack).expect("it can be read").is_none());
        run(&journal, &[(LogSource::Stack, "old")], true);
        run(&journal, &[(LogSource::Build, "x"), (LogSource::Stack, "one"), (LogSource::Stack, "two")], true);
        run(&journal, &[(LogSource::Build, "y")], false);
        assert_eq!(texts(journal.newest_log(LogSource::Stack).expect("it can be read")), ["one", "two"]);
        assert!(journal.newest_log(LogSource::Terraform).expect("it can be read").is_none());
    }

    #[test]
    fn a_run_that_is_under_way_is_read_from_before_its_first_line() {
        let dir = tempfile::tempdir().expect("a folder");
        let journal = journal(dir.path());
        run(&journal, &[(LogSource::Terraform, "old")], true);
        run(&journal, &[(LogSource::Build, "x")], false);
        let _lock = journal.lock().expect("it is free");
        let mut log = journal.newest_log(LogSource::Terraform).expect("it can be read").expect("there is one");
        assert_eq!(log.read().expect("it can be read"), []);
        assert!(!log.has_ended());
    }
}
