//! [`JournalLogReader`]: reads the lines of one log from a run's journal, and continues as it grows.

use chrono::{DateTime, Utc};

use super::{DeploymentJournal, JournalError, RunJournalReader};
use crate::event::{Action, Event, EventKind, LogSource, StrategyKind, UnknownEvent};
use crate::log_line::LogLine;

/// The number of events read at a time, since a journal may be long.
const BATCH: usize = 1000;

/// Reads the lines of one log from a run's journal.
#[derive(Debug)]
pub struct JournalLogReader {
    reader: RunJournalReader,
    source: LogSource,
    /// The data of the run's first event, once read.
    started: Option<DateTime<Utc>>,
    strategy: Option<StrategyKind>,
    is_test_upload: bool,
    has_ended: bool,
}

impl DeploymentJournal {
    /// The reader of a log in the newest run that has lines of it, or in the current run if its strategy writes this log.
    /// `None` if there is no such run.
    ///
    /// # Errors
    /// When a journal cannot be read, is damaged, or has a newer format.
    pub fn newest_log(&self, source: LogSource) -> Result<Option<JournalLogReader>, JournalError> {
        let held_since = self.held_since()?;
        for run in self.runs()?.iter().rev() {
            let open = || JournalLogReader::new(self.reading(run), source);
            let mut log = open();
            while let Some(lines) = log.read_batch()? {
                if !lines.is_empty() {
                    return Ok(Some(open()));
                }
            }
            if log.is_run_of_holder(held_since) && !log.has_ended && log.strategy == source.strategy() {
                return Ok(Some(open()));
            }
        }
        Ok(None)
    }

    /// Whether the deployment is locked for a run that has not started yet: it awaits confirmation, or is being prepared.
    ///
    /// # Errors
    /// When a journal cannot be read, is damaged, or has a newer format.
    pub fn is_run_pending(&self) -> Result<bool, JournalError> {
        let held_since = self.held_since()?;
        if held_since.is_none() {
            return Ok(false);
        }
        for run in self.runs()?.iter().rev() {
            let mut log = JournalLogReader::new(self.reading(run), LogSource::Build);
            log.read_batch()?;
            if log.is_run_of_holder(held_since) {
                return Ok(false);
            }
            // Older runs started before the lock was taken; test uploads take no lock.
            if log.started.is_some() && !log.is_test_upload {
                break;
            }
        }
        Ok(true)
    }
}

impl JournalLogReader {
    fn new(reader: RunJournalReader, source: LogSource) -> Self {
        Self { reader, source, started: None, strategy: None, is_test_upload: false, has_ended: false }
    }

    /// Whether it is the run of the process that has held the lock since then. A run of a killed process started earlier.
    fn is_run_of_holder(&self, held_since: Option<DateTime<Utc>>) -> bool {
        !self.is_test_upload && held_since.zip(self.started).is_some_and(|(since, started)| started >= since)
    }

    /// The lines since the last read.
    ///
    /// # Errors
    /// When the journal cannot be read, is damaged, or has a newer format.
    pub fn read(&mut self) -> Result<Vec<LogLine>, JournalError> {
        let mut all = Vec::new();
        while let Some(lines) = self.read_batch()? {
            all.extend(lines);
        }
        Ok(all)
    }

    /// Whether the run's last event was read.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The lines among the next events; `None` if there are no further events.
    fn read_batch(&mut self) -> Result<Option<Vec<LogLine>>, JournalError> {
        if self.has_ended {
            return Ok(None);
        }
        let mut events = Vec::new();
        self.has_ended = self.reader.read(BATCH, &mut events)?;
        if events.is_empty() {
            return Ok(None);
        }
        match events.first() {
            Some(Event { at, kind: EventKind::RunStarted(started), .. }) => {
                self.started = Some(*at);
                self.strategy = Some(started.strategy);
                self.is_test_upload = started.action == Action::TestUpload;
            }
            Some(Event { at, kind: EventKind::Unknown(unknown), .. })
                if matches!(**unknown, UnknownEvent::RunStarted(_)) =>
            {
                self.started = Some(*at);
            }
            _ => {}
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
    use crate::event::{Outcome, RunStarted, VERSION};
    use crate::journal::JournalStore;
    use crate::names::{DeploymentName, Names, Suffix};
    use crate::plan::Plan;

    const STACKS: (Action, StrategyKind) = (Action::Deploy, StrategyKind::Cloudformation);
    const SDK: (Action, StrategyKind) = (Action::Deploy, StrategyKind::Sdk);
    const TERRAFORM: (Action, StrategyKind) = (Action::Deploy, StrategyKind::Terraform);
    const TEST_UPLOAD: (Action, StrategyKind) = (Action::TestUpload, StrategyKind::Terraform);

    fn journal(dir: &Path) -> DeploymentJournal {
        JournalStore::new(dir).deployment(&DeploymentName::new("demo").expect("a valid name"))
    }

    /// Writes the journal of a run with these log lines.
    fn run(journal: &DeploymentJournal, what: (Action, StrategyKind), lines: &[(LogSource, &str)], ends: bool) {
        run_at(journal, Utc::now(), what, lines, ends);
    }

    /// The same at another time, since file times may lag by some milliseconds.
    fn run_at(
        journal: &DeploymentJournal,
        at: DateTime<Utc>,
        (action, strategy): (Action, StrategyKind),
        lines: &[(LogSource, &str)],
        ends: bool,
    ) {
        let mut run = journal.begin(action).expect("the journal can be written");
        let name = DeploymentName::new("demo").expect("a valid name");
        let start = EventKind::RunStarted(Box::new(RunStarted {
            action,
            deployment: "demo".into(),
            strategy,
            cloud: "sandbox".into(),
            pace: None,
            account: "000000000000".into(),
            region: "us-east-1".into(),
            names: Names::new(name, Suffix::from_number(1)),
            plan: Plan::new(Vec::new()).expect("an empty plan"),
        }));
        let line = |(source, text): &(LogSource, &str)| EventKind::LogLine {
            source: *source,
            text: (*text).to_owned(),
            timestamp: None,
        };
        let end = ends.then_some(EventKind::RunFinished { outcome: Outcome::Succeeded, seconds: 1.0 });
        for (seq, kind) in [start].into_iter().chain(lines.iter().map(line)).chain(end).enumerate() {
            let event = Event { v: VERSION, run: run.id().clone(), seq: seq as u64, at, kind };
            run.append(&event).expect("the journal can be written");
        }
    }

    fn texts(log: Option<JournalLogReader>) -> Vec<String> {
        let lines = log.expect("the log exists").read().expect("the journal can be read");
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn newest_run_with_lines_is_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let journal = journal(dir.path());
        assert!(journal.newest_log(LogSource::Stack).expect("the journal can be read").is_none());
        run(&journal, STACKS, &[(LogSource::Stack, "old")], true);
        run(&journal, STACKS, &[(LogSource::Build, "x"), (LogSource::Stack, "one"), (LogSource::Stack, "two")], true);
        let earlier = Utc::now() - chrono::TimeDelta::minutes(1);
        run_at(&journal, earlier, SDK, &[(LogSource::Build, "y")], false);
        assert_eq!(texts(journal.newest_log(LogSource::Stack).expect("the journal can be read")), ["one", "two"]);
        assert!(journal.newest_log(LogSource::Terraform).expect("the journal can be read").is_none());
        // A current run of another strategy writes no stack log.
        let _lock = journal.lock().expect("the lock is free");
        assert_eq!(texts(journal.newest_log(LogSource::Stack).expect("the journal can be read")), ["one", "two"]);
    }

    #[test]
    fn current_run_is_read_before_its_first_line() {
        let dir = tempfile::tempdir().expect("a directory");
        let journal = journal(dir.path());
        // Its process was killed, so it has no last event.
        let earlier = Utc::now() - chrono::TimeDelta::minutes(1);
        run_at(&journal, earlier, TERRAFORM, &[(LogSource::Terraform, "old")], false);
        let lock = journal.lock().expect("the lock is free");
        assert!(journal.is_run_pending().expect("the journal can be read"));
        run(&journal, TEST_UPLOAD, &[], true);
        assert!(journal.is_run_pending().expect("the journal can be read"), "a test upload takes no lock");
        run(&journal, TERRAFORM, &[(LogSource::Build, "x")], false);
        run(&journal, TEST_UPLOAD, &[], true);
        assert!(!journal.is_run_pending().expect("the journal can be read"));
        let mut log =
            journal.newest_log(LogSource::Terraform).expect("the journal can be read").expect("the log exists");
        assert_eq!(log.read().expect("the journal can be read"), []);
        assert!(!log.has_ended());
        drop(lock);
        assert_eq!(texts(journal.newest_log(LogSource::Terraform).expect("the journal can be read")), ["old"]);
    }
}
