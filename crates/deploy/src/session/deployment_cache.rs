//! [`DeploymentCache`]: the deployment as the journals record it; each event is read once.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use thumbctl_core::deployment::Deployment;
use thumbctl_core::event::{Event, RunId};
use thumbctl_core::journal::{DeploymentJournal, JournalError, RunJournalReader};
use thumbctl_core::names::DeploymentName;

/// Events per read, before those irrelevant to a deployment are dropped: logs may be long.
const BATCH: usize = 1000;

/// The deployment as the journals record it.
#[derive(Debug)]
pub(super) struct DeploymentCache {
    name: DeploymentName,
    journal: DeploymentJournal,
    /// Kept per run, since an archived run takes its events with it; folded in the order
    /// of the runs.
    runs: Mutex<BTreeMap<RunId, CachedRun>>,
}

/// The events of one run's journal.
#[derive(Debug)]
struct CachedRun {
    reading: RunJournalReader,
    stamp: Stamp,
    /// The events relevant to a deployment; a few dozen a run.
    events: Vec<Event>,
}

/// A file's identity and size before it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    length: u64,
    modified: (i64, i64),
}

impl DeploymentCache {
    /// Creates an empty cache.
    pub(super) fn new(name: DeploymentName, journal: DeploymentJournal) -> Self {
        Self { name, journal, runs: Mutex::default() }
    }

    /// Returns the current deployment; reads only what has changed.
    ///
    /// # Errors
    /// When a journal cannot be read, is damaged, or is a newer program's; at each call again.
    pub(super) fn deployment(&self) -> Result<Deployment, JournalError> {
        let mut cached_runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = self.journal.runs()?;
        cached_runs.retain(|run, _| runs.binary_search(run).is_ok());
        let mut deployment = Deployment::new(self.name.clone());
        for run in runs {
            let stamp = self.stamp(&run)?;
            // A journal that cannot be continued is read from its start: it may have been repaired in the middle.
            let cached = cached_runs.remove(&run).filter(|cached| cached.is_prefix_of(stamp));
            let now = match cached.map(|cached| cached.read_new(stamp)) {
                Some(Ok(now)) => now,
                Some(Err(_)) | None => {
                    CachedRun { reading: self.journal.reading(&run), stamp, events: Vec::new() }.read_all(stamp)?
                }
            };
            now.events.iter().for_each(|event| deployment.apply(event));
            cached_runs.insert(run, now);
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

impl CachedRun {
    /// Whether the file is unchanged or has only grown since it was read.
    fn is_prefix_of(&self, now: Stamp) -> bool {
        let has_grown = now.length > self.stamp.length && now.length >= self.reading.offset();
        now == self.stamp || (now.file == self.stamp.file && has_grown)
    }

    fn read_new(self, now: Stamp) -> Result<Self, JournalError> {
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

    fn cache(dir: &Path) -> (DeploymentJournal, DeploymentCache) {
        let journal = JournalStore::new(dir).deployment(&name());
        (journal.clone(), DeploymentCache::new(name(), journal))
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
        run.append(&event).expect("the journal is written");
    }

    /// The deployment from reading every journal from its start.
    fn read_all_journals(journal: &DeploymentJournal) -> Deployment {
        let mut deployment = Deployment::new(name());
        journal.each(|event| deployment.apply(&event)).expect("the journals can be read");
        deployment
    }

    #[test]
    fn cache_equals_full_read_at_every_point() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (journal, cache) = cache(dir.path());
        let check = || assert_eq!(cache.deployment().expect("the journals can be read"), read_all_journals(&journal));
        check();
        let mut deploy = journal.begin(Action::Deploy).expect("a run begins");
        let mut upload = journal.begin(Action::TestUpload).expect("a run begins");
        // The younger run's events come first.
        append(&mut upload, started(Action::TestUpload));
        check();
        append(&mut deploy, started(Action::Deploy));
        check();
        append(&mut deploy, changed(ResourceKind::Repository, ResourceState::Creating));
        check();
        (0..=BATCH).for_each(|_| append(&mut deploy, log_line()));
        append(&mut deploy, changed(ResourceKind::Repository, ResourceState::Ready));
        append(&mut deploy, finished());
        check();
        append(&mut upload, finished());
        let mut destroy = journal.begin(Action::Destroy).expect("a run begins");
        append(&mut destroy, started(Action::Destroy));
        check();
        append(&mut destroy, changed(ResourceKind::Repository, ResourceState::Deleted));
        check();
        assert_eq!(cache.deployment().expect("the journals can be read").runs().len(), 3);
    }

    #[test]
    fn damage_is_reported_at_each_call_until_repaired_or_archived() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (journal, cache) = cache(dir.path());
        let mut run = journal.begin(Action::Deploy).expect("a run begins");
        append(&mut run, started(Action::Deploy));
        append(&mut run, changed(ResourceKind::Repository, ResourceState::Ready));
        let before = cache.deployment().expect("the journal can be read");
        let whole = fs::read(run.path()).expect("the journal exists");
        for _ in 0..2 {
            fs::write(run.path(), [&whole[..], b"nonsense\n"].concat()).expect("the file is written");
            for _ in 0..2 {
                assert!(matches!(cache.deployment(), Err(JournalError::Damaged { line: 3, .. })));
            }
            fs::write(run.path(), &whole).expect("the file is written");
            assert_eq!(cache.deployment().expect("it was repaired"), before);
        }
        fs::write(run.path(), [b"nonsense\n", &whole[..]].concat()).expect("the file is written");
        assert!(matches!(cache.deployment(), Err(JournalError::Damaged { line: 1, .. })));
        journal.archive_damaged().expect("damaged journals are archived");
        assert_eq!(cache.deployment().expect("no journal is left"), Deployment::new(name()));
    }

    #[test]
    fn read_events_are_not_read_again() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (journal, cache) = cache(dir.path());
        let mut run = journal.begin(Action::Deploy).expect("a run begins");
        append(&mut run, started(Action::Deploy));
        let before = cache.deployment().expect("the journal can be read");
        // Nonsense of the same size and time as the original: reading it again would fail.
        let metadata = fs::metadata(run.path()).expect("the file exists");
        let length = usize::try_from(metadata.len()).expect("it is short");
        fs::write(run.path(), [vec![b'x'; length - 1], vec![b'\n']].concat()).expect("the file is written");
        let times = FileTimes::new().set_modified(metadata.modified().expect("a file has a time"));
        run.file().set_times(times).expect("its times can be set");
        assert_eq!(cache.deployment().expect("it is cached"), before);
        append(&mut run, changed(ResourceKind::Repository, ResourceState::Ready));
        assert!(cache.deployment().expect("only new events are read").has_resources());
    }
}
