//! [`JournalLogReader`]: what a run's journal has of one log, from its beginning and as it grows.

use chrono::{DateTime, Utc};

use super::{DeploymentJournal, JournalError, RunJournalReader};
use crate::event::{Action, Event, EventKind, LogSource, StrategyKind};
use crate::log_line::LogLine;

/// How many events are read at a time: a journal may be long.
const BATCH: usize = 1000;

/// Reads one log's lines out of a run's journal.
#[derive(Debug)]
pub struct JournalLogReader {
    reading: RunJournalReader,
    source: LogSource,
    /// What the run's beginning says of it, once that was read.
    begun: Option<DateTime<Utc>>,
    strategy: Option<StrategyKind>,
    is_trial: bool,
    has_ended: bool,
}

impl DeploymentJournal {
    /// A log as the newest run has it that has any of it; of a run that is under way in the strategy whose log it is, also
    /// before its first line. None where there is no such run.
    ///
    /// # Errors
    /// When a journal cannot be read, is damaged, or is a newer program's.
    pub fn newest_log(&self, source: LogSource) -> Result<Option<JournalLogReader>, JournalError> {
        let held_since = self.held_since()?;
        for run in self.runs()?.iter().rev() {
            let open = || JournalLogReader::new(self.reading(run), source);
            let mut tried = open();
            while let Some(lines) = tried.read_on()? {
                if !lines.is_empty() {
                    return Ok(Some(open()));
                }
            }
            if tried.is_of(held_since) && !tried.has_ended && tried.strategy == strategy_of(source) {
                return Ok(Some(open()));
            }
        }
        Ok(None)
    }

    /// Whether somebody has taken the deployment whose run has not begun yet: it is still being asked about, or prepared.
    ///
    /// # Errors
    /// When a journal cannot be read, is damaged, or is a newer program's.
    pub fn is_run_pending(&self) -> Result<bool, JournalError> {
        let held_since = self.held_since()?;
        if held_since.is_none() {
            return Ok(false);
        }
        for run in self.runs()?.iter().rev() {
            let mut log = JournalLogReader::new(self.reading(run), LogSource::Build);
            log.read_on()?;
            if log.is_of(held_since) {
                return Ok(false);
            }
            // Whatever is older began before, too; a trial has no lock.
            if log.begun.is_some() && !log.is_trial {
                break;
            }
        }
        Ok(true)
    }
}

/// The strategy of whose runs a log is.
fn strategy_of(source: LogSource) -> Option<StrategyKind> {
    match source {
        LogSource::Stack => Some(StrategyKind::Cloudformation),
        LogSource::Terraform => Some(StrategyKind::Terraform),
        LogSource::Build | LogSource::Function => None,
    }
}

impl JournalLogReader {
    fn new(reading: RunJournalReader, source: LogSource) -> Self {
        Self { reading, source, begun: None, strategy: None, is_trial: false, has_ended: false }
    }

    /// Whether it is the run of whoever has had the lock since then. A run whose process died has begun before.
    fn is_of(&self, held_since: Option<DateTime<Utc>>) -> bool {
        !self.is_trial && held_since.zip(self.begun).is_some_and(|(since, begun)| begun >= since)
    }

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
        if let Some(Event { at, kind: EventKind::RunStarted(started), .. }) = events.first() {
            self.begun = Some(*at);
            self.strategy = Some(started.strategy);
            self.is_trial = started.action == Action::TestUpload;
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
    const TRIAL: (Action, StrategyKind) = (Action::TestUpload, StrategyKind::Terraform);

    fn journal(dir: &Path) -> DeploymentJournal {
        JournalStore::new(dir).deployment(&DeploymentName::new("demo").expect("a legal name"))
    }

    /// A run of a log's lines, each event as the program would write it.
    fn run(journal: &DeploymentJournal, what: (Action, StrategyKind), lines: &[(LogSource, &str)], ends: bool) {
        run_at(journal, Utc::now(), what, lines, ends);
    }

    /// The same at another moment: the system's times of files are some milliseconds behind.
    fn run_at(
        journal: &DeploymentJournal,
        at: DateTime<Utc>,
        (action, strategy): (Action, StrategyKind),
        lines: &[(LogSource, &str)],
        ends: bool,
    ) {
        let mut run = journal.begin(action).expect("it can be written");
        let name = DeploymentName::new("demo").expect("a legal name");
        let begin = EventKind::RunStarted(Box::new(RunStarted {
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
        for (seq, kind) in [begin].into_iter().chain(lines.iter().map(line)).chain(end).enumerate() {
            let event = Event { v: VERSION, run: run.id().clone(), seq: seq as u64, at, kind };
            run.append(&event).expect("it can be written");
        }
    }

    fn texts(log: Option<JournalLogReader>) -> Vec<String> {
        let lines = log.expect("there is one").read().expect("it can be read");
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn the_newest_run_that_has_any_of_it_is_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let journal = journal(dir.path());
        assert!(journal.newest_log(LogSource::Stack).expect("it can be read").is_none());
        run(&journal, STACKS, &[(LogSource::Stack, "old")], true);
        run(&journal, STACKS, &[(LogSource::Build, "x"), (LogSource::Stack, "one"), (LogSource::Stack, "two")], true);
        let earlier = Utc::now() - chrono::TimeDelta::minutes(1);
        run_at(&journal, earlier, SDK, &[(LogSource::Build, "y")], false);
        assert_eq!(texts(journal.newest_log(LogSource::Stack).expect("it can be read")), ["one", "two"]);
        assert!(journal.newest_log(LogSource::Terraform).expect("it can be read").is_none());
        // Somebody at work in another way says nothing of stacks.
        let _lock = journal.lock().expect("it is free");
        assert_eq!(texts(journal.newest_log(LogSource::Stack).expect("it can be read")), ["one", "two"]);
    }

    #[test]
    fn a_run_that_is_under_way_is_read_from_before_its_first_line() {
        let dir = tempfile::tempdir().expect("a folder");
        let journal = journal(dir.path());
        // Its process died: it has no end.
        let earlier = Utc::now() - chrono::TimeDelta::minutes(1);
        run_at(&journal, earlier, TERRAFORM, &[(LogSource::Terraform, "old")], false);
        let lock = journal.lock().expect("it is free");
        assert!(journal.is_run_pending().expect("it can be read"));
        run(&journal, TRIAL, &[], true);
        assert!(journal.is_run_pending().expect("it can be read"), "a trial takes no lock");
        run(&journal, TERRAFORM, &[(LogSource::Build, "x")], false);
        run(&journal, TRIAL, &[], true);
        assert!(!journal.is_run_pending().expect("it can be read"));
        let mut log = journal.newest_log(LogSource::Terraform).expect("it can be read").expect("there is one");
        assert_eq!(log.read().expect("it can be read"), []);
        assert!(!log.has_ended());
        drop(lock);
        assert_eq!(texts(journal.newest_log(LogSource::Terraform).expect("it can be read")), ["old"]);
    }
}
