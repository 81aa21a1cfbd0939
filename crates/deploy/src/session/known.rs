//! [`Known`]: what the journals say that exists, kept between two questions so that a journal is read once.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use thumbctl_core::deployment::Deployment;
use thumbctl_core::event::{Event, RunId};
use thumbctl_core::journal::{DeploymentJournal, JournalError, RunJournalReader};
use thumbctl_core::names::DeploymentName;

/// How many events are read before those that are not heard of are dropped: logs may be long.
const BATCH: usize = 1000;

/// What the journals say that exists.
#[derive(Debug)]
pub(super) struct Known {
    name: DeploymentName,
    journal: DeploymentJournal,
    /// A run that was set aside takes with it what it said, so that each is kept by itself and all are folded in the order
    /// of the runs.
    runs: Mutex<BTreeMap<RunId, KnownRun>>,
}

/// What one run's journal says.
#[derive(Debug)]
struct KnownRun {
    reading: RunJournalReader,
    stamp: Stamp,
    /// The events that a deployment hears of; a few dozen a run.
    events: Vec<Event>,
}

/// What a file looked like before it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    length: u64,
    modified: (i64, i64),
}

impl Known {
    /// Nothing is read until something is asked.
    pub(super) fn new(name: DeploymentName, journal: DeploymentJournal) -> Self {
        Self { name, journal, runs: Mutex::default() }
    }

    /// What the journals say now; only what has changed is read.
    ///
    /// # Errors
    /// When a journal cannot be read, is damaged, or is a newer program's; again at each question.
    pub(super) fn deployment(&self) -> Result<Deployment, JournalError> {
        let mut known = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let there = self.journal.runs()?;
        known.retain(|run, _| there.binary_search(run).is_ok());
        let mut deployment = Deployment::new(self.name.clone());
        for run in there {
            let stamp = self.stamp(&run)?;
            // What cannot be read on is read anew: it may have been put right in the middle.
            let so_far = known.remove(&run).filter(|known| known.is_now_or_before(stamp));
            let now = match so_far.map(|known| known.read_on(stamp)) {
                Some(Ok(now)) => now,
                Some(Err(_)) | None => {
                    KnownRun { reading: self.journal.reading(&run), stamp, events: Vec::new() }.read_all(stamp)?
                }
            };
            now.events.iter().for_each(|event| deployment.apply(event));
            known.insert(run, now);
        }
        Ok(deployment)
    }

    fn stamp(&self, run: &RunId) -> Result<Stamp, JournalError> {
        let path = self.journal.path_of(run);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Stamp {
                file: (metadata.dev(), metadata.ino()),
                length: metadata.len(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
            }),
            Err(source) => Err(JournalError::Io { doing: "read", path, source }),
        }
    }
}

impl KnownRun {
    /// Whether what was read is still what the file begins with: it is as it was, or has grown.
    fn is_now_or_before(&self, now: Stamp) -> bool {
        let has_grown = now.length > self.stamp.length && now.length >= self.reading.offset();
        now == self.stamp || (now.file == self.stamp.file && has_grown)
    }

    fn read_on(self, now: Stamp) -> Result<Self, JournalError> {
        if now == self.stamp { Ok(self) } else { self.read_all(now) }
    }

    fn read_all(mut self, now: Stamp) -> Result<Self, JournalError> {
        loop {
            let mut read = Vec::new();
            self.reading.read(BATCH, &mut read)?;
            if read.is_empty() {
                break;
            }
            self.events.extend(read.into_iter().filter(Deployment::is_relevant));
        }
        self.stamp = now;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;
    use std::path::Path;

    use thumbctl_core::event::{Action, EventKind, LogSource, Outcome, RunStarted, StrategyKind, VERSION};
    use thumbctl_core::journal::{JournalStore, RunJournal};
    use thumbctl_core::names::{Names, Suffix};
    use thumbctl_core::plan::Plan;
    use thumbctl_core::resource::{ResourceKind, ResourceState};

    use super::*;

    fn name() -> DeploymentName {
        DeploymentName::new("demo").expect("a legal name")
    }

    fn known(dir: &Path) -> (DeploymentJournal, Known) {
        let journal = JournalStore::new(dir).deployment(&name());
        (journal.clone(), Known::new(name(), journal))
    }

    fn names() -> Names {
        Names::new(name(), Suffix::from_number(1))
    }

    fn started(action: Action) -> EventKind {
        EventKind::RunStarted(Box::new(RunStarted {
            action,
            deployment: "demo".into(),
            strategy: StrategyKind::Sdk,
            cloud: "sandbox".into(),
            pace: None,
            account: "000000000000".into(),
            region: "eu-central-1".into(),
            names: names(),
            plan: Plan::default(),
        }))
    }

    fn changed(kind: ResourceKind, state: ResourceState) -> EventKind {
        EventKind::ResourceChanged {
            resource: kind,
            name: names().of(kind),
            arn: None,
            state,
            seconds: None,
            note: None,
        }
    }

    fn log_line() -> EventKind {
        EventKind::LogLine { source: LogSource::Build, text: "a line".into(), timestamp: None }
    }

    fn finished() -> EventKind {
        EventKind::RunFinished { outcome: Outcome::Succeeded, seconds: 1.0 }
    }

    fn append(run: &mut RunJournal, kind: EventKind) {
        let event = Event { v: VERSION, run: run.id().clone(), seq: 0, at: chrono::DateTime::UNIX_EPOCH, kind };
        run.append(&event).expect("there is room");
    }

    /// What somebody knows who reads every journal from its beginning.
    fn read_anew(journal: &DeploymentJournal) -> Deployment {
        let mut deployment = Deployment::new(name());
        journal.each(|event| deployment.apply(&event)).expect("the journals can be read");
        deployment
    }

    #[test]
    fn it_knows_at_every_moment_what_reading_all_journals_would_say() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (journal, known) = known(dir.path());
        let check = || assert_eq!(known.deployment().expect("the journals can be read"), read_anew(&journal));
        check();
        let mut deploy = journal.begin(Action::Deploy).expect("a run begins");
        let mut trial = journal.begin(Action::TestUpload).expect("a run begins");
        // The younger run is heard of first.
        append(&mut trial, started(Action::TestUpload));
        check();
        append(&mut deploy, started(Action::Deploy));
        check();
        append(&mut deploy, changed(ResourceKind::Repository, ResourceState::Creating));
        check();
        (0..=BATCH).for_each(|_| append(&mut deploy, log_line()));
        append(&mut deploy, changed(ResourceKind::Repository, ResourceState::Ready));
        append(&mut deploy, finished());
        check();
        append(&mut trial, finished());
        let mut destroy = journal.begin(Action::Destroy).expect("a run begins");
        append(&mut destroy, started(Action::Destroy));
        check();
        append(&mut destroy, changed(ResourceKind::Repository, ResourceState::Deleted));
        check();
        assert_eq!(known.deployment().expect("the journals can be read").runs().len(), 3);
    }

    #[test]
    fn damage_is_told_at_each_question_until_it_is_put_right_or_set_aside() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (journal, known) = known(dir.path());
        let mut run = journal.begin(Action::Deploy).expect("a run begins");
        append(&mut run, started(Action::Deploy));
        append(&mut run, changed(ResourceKind::Repository, ResourceState::Ready));
        let before = known.deployment().expect("the journal can be read");
        let whole = fs::read(run.path()).expect("it is there");
        for _ in 0..2 {
            fs::write(run.path(), [&whole[..], b"nonsense\n"].concat()).expect("there is room");
            for _ in 0..2 {
                assert!(matches!(known.deployment(), Err(JournalError::Damaged { line: 3, .. })));
            }
            fs::write(run.path(), &whole).expect("there is room");
            assert_eq!(known.deployment().expect("it was put right"), before);
        }
        fs::write(run.path(), [b"nonsense\n", &whole[..]].concat()).expect("there is room");
        assert!(matches!(known.deployment(), Err(JournalError::Damaged { line: 1, .. })));
        journal.archive_damaged().expect("it can be renamed");
        assert_eq!(known.deployment().expect("nothing is left to be read"), Deployment::new(name()));
    }

    #[test]
    fn what_has_been_read_is_not_read_again() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (journal, known) = known(dir.path());
        let mut run = journal.begin(Action::Deploy).expect("a run begins");
        append(&mut run, started(Action::Deploy));
        let before = known.deployment().expect("the journal can be read");
        // Nonsense that looks like what was read: whoever reads it again stumbles.
        let metadata = fs::metadata(run.path()).expect("it is there");
        let length = usize::try_from(metadata.len()).expect("it is short");
        fs::write(run.path(), [vec![b'x'; length - 1], vec![b'\n']].concat()).expect("there is room");
        let times = FileTimes::new().set_modified(metadata.modified().expect("a file has a time"));
        run.file().set_times(times).expect("its times can be set");
        assert_eq!(known.deployment().expect("it is known"), before);
        append(&mut run, changed(ResourceKind::Repository, ResourceState::Ready));
        assert!(known.deployment().expect("only what is new is read").has_resources());
    }
}
