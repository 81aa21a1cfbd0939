//! The journal: the events on disk, appended during a run under a lock, and read afterwards.
//!
//! Each deployment has a directory with one file per run (`runs/0001-deploy-9f2c.jsonl`) and the lock file.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the journal is files")]

mod export;
mod follow;
mod journal_log;
mod parse;

use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
pub use export::{ToolState, is_exported_file, read_export};
pub use follow::{JournalFollower, RunJournalReader};
pub use journal_log::JournalLogReader;
use parse::read_events;
use thumbctl_platform::private_fs;

use crate::deployment::Deployment;
use crate::event::{Action, Event, RunId, VERSION};
use crate::names::DeploymentName;

/// The number of attempts to take a lock before it counts as held, and the delay between two attempts.
const LOCK_ATTEMPTS: usize = 6;
const LOCK_DELAY: Duration = Duration::from_millis(10);

/// The journals of all deployments: `<state directory>/deployments`.
#[derive(Clone, Debug)]
pub struct JournalStore {
    root: PathBuf,
}

/// The journals of one deployment.
#[derive(Clone, Debug)]
pub struct DeploymentJournal {
    name: DeploymentName,
    dir: PathBuf,
}

/// The journal of a run in progress.
#[derive(Debug)]
pub struct RunJournal {
    id: RunId,
    path: PathBuf,
    file: Arc<File>,
    /// The length of the complete lines; a partly written line is truncated.
    complete_length: u64,
}

/// Excludes other processes from a deployment until it is dropped or its process ends.
#[derive(Debug)]
pub struct DeploymentLock {
    _file: File,
}

/// Why a journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file operation failed.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// The operation, an infinitive.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A line before the last is not an event.
    #[error(
        "{path}, line {line}, is not an event: {source}. The journal is damaged; restore the file, \
         or delete its resources by tag with `thumbctl destroy --purge`"
    )]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
        /// The parse error.
        source: serde_json::Error,
    },
    /// The journal has a newer format.
    #[error(
        "{path} was written by a newer thumbctl (event version {found}, supported up to {VERSION}): update thumbctl"
    )]
    Newer {
        /// The journal.
        path: PathBuf,
        /// Its event version.
        found: u64,
    },
    /// A file that does not belong to an export.
    #[error("{path} is neither a run's journal nor a Terraform state file")]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// Another process holds the lock.
    #[error("deployment '{name}' is in use by {holder}: wait for it, or stop it")]
    Locked {
        /// The deployment.
        name: DeploymentName,
        /// The holder's description of itself.
        holder: String,
    },
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { doing, path, source }
}

impl JournalStore {
    /// The store in a state directory, which is created on the first write.
    pub fn new(state_dir: &Path) -> Self {
        Self { root: state_dir.join("deployments") }
    }

    /// The journals of one deployment.
    pub fn deployment(&self, name: &DeploymentName) -> DeploymentJournal {
        DeploymentJournal { name: name.clone(), dir: self.root.join(name.as_str()) }
    }

    /// The names of all deployments with journals.
    ///
    /// # Errors
    /// When the directory exists but cannot be read.
    pub fn names(&self) -> Result<Vec<DeploymentName>, JournalError> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_error("read", &self.root)(error)),
        };
        let mut names: Vec<DeploymentName> = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io_error("read", &self.root))?;
            // Ignore other directories.
            names.extend(entry.file_name().to_str().and_then(|name| DeploymentName::new(name).ok()));
        }
        names.sort();
        Ok(names)
    }
}

impl DeploymentJournal {
    /// The deployment's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn runs_dir(&self) -> PathBuf {
        self.dir.join("runs")
    }

    /// Locks the deployment for this process. The lock belongs to the open file, so it ends with the process.
    ///
    /// # Errors
    /// When another process holds it ([`JournalError::Locked`]), or the directory cannot be written.
    pub fn lock(&self) -> Result<DeploymentLock, JournalError> {
        self.lock_with_delay(|| std::thread::sleep(LOCK_DELAY))
    }

    /// Locks with several attempts, since [`Self::holder`] takes the lock for a moment.
    fn lock_with_delay(&self, mut delay: impl FnMut()) -> Result<DeploymentLock, JournalError> {
        create_private_dir(&self.dir)?;
        let path = self.dir.join("lock");
        let mut file = private_fs::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io_error("open", &path))?;
        let mut locked = file.try_lock();
        for _ in 1..LOCK_ATTEMPTS {
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            delay();
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = holder_description(&mut file);
                return Err(JournalError::Locked { name: self.name.clone(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(io_error("lock", &path)(error)),
        }
        let program = std::env::args().collect::<Vec<_>>().join(" ");
        let description = format!("process {} ({})", std::process::id(), program);
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(description.as_bytes()))
            .map_err(io_error("write", &path))?;
        Ok(DeploymentLock { _file: file })
    }

    /// The description of the lock's holder, if the deployment is locked. Takes a shared lock for a moment.
    ///
    /// # Errors
    /// When the lock file exists but cannot be examined.
    pub fn holder(&self) -> Result<Option<String>, JournalError> {
        let path = self.dir.join("lock");
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("open", &path)(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(holder_description(&mut file))),
            Err(TryLockError::Error(error)) => Err(io_error("lock", &path)(error)),
        }
    }

    /// When the lock was taken, if the deployment is locked.
    ///
    /// # Errors
    /// When the lock file exists but cannot be examined.
    pub fn held_since(&self) -> Result<Option<DateTime<Utc>>, JournalError> {
        if self.holder()?.is_none() {
            return Ok(None);
        }
        let path = self.dir.join("lock");
        // The holder writes its description when it takes the lock.
        let taken = fs::metadata(&path).and_then(|lock| lock.modified()).map_err(io_error("examine", &path))?;
        Ok(Some(taken.into()))
    }

    /// The runs with a journal, oldest first.
    ///
    /// # Errors
    /// When the directory exists but cannot be read.
    pub fn runs(&self) -> Result<Vec<RunId>, JournalError> {
        let dir = self.runs_dir();
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_error("read", &dir)(error)),
        };
        let mut runs = Vec::new();
        for entry in entries {
            let path = entry.map_err(io_error("read", &dir))?.path();
            if path.extension().is_some_and(|extension| extension == "jsonl")
                && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
            {
                runs.push(RunId::from_file_stem(stem));
            }
        }
        runs.sort();
        Ok(runs)
    }

    /// The path of a run's journal.
    pub fn path_of(&self, run: &RunId) -> PathBuf {
        self.runs_dir().join(format!("{run}.jsonl"))
    }

    /// Creates the journal of a new run, numbered after the last one.
    ///
    /// # Errors
    /// When the directory or file cannot be written.
    pub fn begin(&self, action: Action) -> Result<RunJournal, JournalError> {
        let dir = self.runs_dir();
        create_private_dir(&dir)?;
        loop {
            let number = self.runs()?.last().map_or(1, |last| number_of(last) + 1);
            let id = RunId::new(number, action, rand::random());
            let path = self.path_of(&id);
            match private_fs::options().append(true).create_new(true).open(&path) {
                Ok(file) => {
                    // Flush the directory, or a power failure could lose the file after the first call.
                    File::open(&dir).and_then(|dir| dir.sync_all()).map_err(io_error("flush", &dir))?;
                    return Ok(RunJournal { id, path, file: Arc::new(file), complete_length: 0 });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io_error("create", &path)(error)),
            }
        }
    }

    /// Archives damaged journals by renaming them, so that they are no longer read.
    ///
    /// # Errors
    /// When a journal cannot be read or renamed.
    pub fn archive_damaged(&self) -> Result<(), JournalError> {
        for run in self.runs()? {
            match self.each_of(&run, drop) {
                Err(JournalError::Damaged { path, .. }) => {
                    fs::rename(&path, path.with_extension("jsonl.damaged")).map_err(io_error("rename", &path))?;
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Passes every event of every run to `handle`, in order, one at a time since logs may be long.
    ///
    /// # Errors
    /// When a journal cannot be read, is damaged, or has a newer format.
    pub fn each(&self, mut handle: impl FnMut(Event)) -> Result<(), JournalError> {
        for run in self.runs()? {
            self.each_of(&run, &mut handle)?;
        }
        Ok(())
    }

    /// The deployment as all journals record it.
    ///
    /// # Errors
    /// When a journal cannot be read, is damaged, or has a newer format.
    pub fn deployment(&self) -> Result<Deployment, JournalError> {
        let mut deployment = Deployment::new(self.name.clone());
        self.each(|event| deployment.apply(&event))?;
        Ok(deployment)
    }

    /// Passes the events of one run to `handle`, in order. An incomplete last line, left by a crash, is ignored.
    ///
    /// # Errors
    /// When the journal cannot be read, is damaged before its last line, or has a newer format.
    pub fn each_of(&self, run: &RunId, handle: impl FnMut(Event)) -> Result<(), JournalError> {
        let path = self.path_of(run);
        let file = File::open(&path).map_err(io_error("read", &path))?;
        read_events(&path, BufReader::new(file), handle)
    }

    /// A reader of one run's journal that can continue as it grows.
    pub fn reading(&self, run: &RunId) -> RunJournalReader {
        RunJournalReader::new(self.path_of(run))
    }

    /// A reader of all journals that can continue as they grow.
    pub fn follow(&self) -> JournalFollower {
        JournalFollower::new(self.clone())
    }
}

fn number_of(run: &RunId) -> u32 {
    run.as_str().split('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The holder's description, which is informational only.
fn holder_description(file: &mut File) -> String {
    let mut description = String::new();
    let _ = file.read_to_string(&mut description);
    match description.trim() {
        "" => "another process".to_owned(),
        description => description.to_owned(),
    }
}

impl RunJournal {
    /// The run's id.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, for flushing on another thread.
    pub fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Appends one event as one line. If that fails (a full disk), truncates the partial line.
    ///
    /// # Errors
    /// When the line cannot be written; the event is then not in the journal.
    pub fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        let mut line = serde_json::to_vec(event).expect("events serialize: their maps have string keys");
        line.push(b'\n');
        if let Err(source) = (&*self.file).write_all(&line) {
            // If this fails too, readers ignore the partial last line.
            let _ = self.file.set_len(self.complete_length);
            return Err(JournalError::Io { doing: "write", path: self.path.clone(), source });
        }
        self.complete_length += line.len() as u64;
        Ok(())
    }

    /// Creates the error of a failed flush of this journal.
    pub fn flush_error(&self, source: io::Error) -> JournalError {
        JournalError::Io { doing: "flush", path: self.path.clone(), source }
    }
}

/// Creates a directory that only its owner can read, since it contains names, accounts and logs.
fn create_private_dir(dir: &Path) -> Result<(), JournalError> {
    private_fs::create_dir_all(dir).map_err(io_error("create", dir))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    fn journal(dir: &Path) -> DeploymentJournal {
        JournalStore::new(dir).deployment(&DeploymentName::new("demo").expect("a valid name"))
    }

    /// All events, in order.
    fn events(journal: &DeploymentJournal) -> Result<Vec<Event>, JournalError> {
        let mut events = Vec::new();
        journal.each(|event| events.push(event))?;
        Ok(events)
    }

    fn count(bytes: &[u8]) -> Result<usize, JournalError> {
        let mut count = 0;
        read_events(Path::new("j.jsonl"), bytes, |_| count += 1)?;
        Ok(count)
    }

    fn event(run: &RunId, seq: u64) -> Event {
        let kind = EventKind::StepStarted { step: "repository".into() };
        Event { v: VERSION, run: run.clone(), seq, at: chrono::Utc::now(), kind }
    }

    #[test]
    fn appended_events_are_read_back() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = journal(dir.path());
        let mut run = journal.begin(Action::Deploy).expect("a run starts");
        let written: Vec<Event> = (0..3).map(|seq| event(run.id(), seq)).collect();
        for event in &written {
            run.append(event).expect("the event is written");
        }
        let second = journal.begin(Action::Destroy).expect("a second run starts");
        assert!(second.id() > run.id(), "runs sort by number");
        assert_eq!(events(&journal).expect("the journal reads"), written);
    }

    #[test]
    fn partial_last_line_is_ignored() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = journal(dir.path());
        let mut run = journal.begin(Action::Deploy).expect("a run starts");
        run.append(&event(run.id(), 0).clone()).expect("the event is written");
        let complete = fs::read(run.path()).expect("the file exists");
        for cut in 1..complete.len() {
            let partial = [&complete[..], &complete[..cut]].concat();
            // A line without its line break is partial too.
            assert_eq!(count(&partial).expect("a partial last line is no error"), 1);
        }
    }

    #[test]
    fn damaged_line_is_reported_with_its_number() {
        let text = b"{\"nonsense\":1}\n{}\n";
        let error = count(&text[..]).expect_err("damage is an error");
        assert!(matches!(error, JournalError::Damaged { line: 1, .. }), "{error}");
    }

    #[test]
    fn newer_journal_with_unknown_events_is_rejected() {
        let text = b"{\"v\":2,\"event\":\"teleported\"}\n";
        let error = count(&text[..]).expect_err("a newer version is rejected");
        assert!(matches!(error, JournalError::Newer { found: 2, .. }), "{error}");
    }

    #[test]
    fn lock_excludes_others_until_dropped() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = journal(dir.path());
        let lock = journal.lock().expect("the first lock succeeds");
        let error = journal.lock().expect_err("the second lock fails");
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        let holder = journal.holder().expect("the lock can be examined");
        assert!(holder.is_some_and(|description| description.contains(&std::process::id().to_string())));
        drop(lock);
        assert_eq!(journal.holder().expect("the lock can be examined"), None);
        journal.lock().expect("the lock is free again");
    }

    #[test]
    fn shared_lock_of_holder_query_delays_lock_only() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = journal(dir.path());
        drop(journal.lock().expect("the lock is free"));
        let query = File::open(journal.dir().join("lock")).expect("the lock file is kept");
        query.try_lock_shared().expect("the lock is free");
        let mut query = Some(query);
        let mut delays = 0;
        let lock = journal.lock_with_delay(|| {
            delays += 1;
            if delays == 2 {
                query.take();
            }
        });
        lock.expect("the lock succeeds after the query");
        assert_eq!(delays, 2);
    }
}
