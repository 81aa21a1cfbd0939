//! The events on disk: appended as they happen, locked while they happen, read again afterwards.
//!
//! One folder a deployment; in it one file a run (`runs/0001-deploy-9f2c.jsonl`), and the lock.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the journal is files")]

mod export;
mod follow;
mod journal_log;

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
pub use export::{ToolState, is_exported_file, read_export};
pub use follow::{JournalFollower, RunJournalReader};
pub use journal_log::JournalLogReader;
use thumbctl_platform::private_fs;

use crate::event::{Action, Event, RunId, VERSION};
use crate::names::DeploymentName;

/// How often a lock is tried before it is said to be another's, and the pause between two tries.
const LOCK_TRIES: usize = 6;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Where the journals of all deployments are: `<state directory>/deployments`.
#[derive(Clone, Debug)]
pub struct JournalStore {
    root: PathBuf,
}

/// Where the journals of one deployment are.
#[derive(Clone, Debug)]
pub struct DeploymentJournal {
    name: DeploymentName,
    dir: PathBuf,
}

/// One run's journal, being written.
#[derive(Debug)]
pub struct RunJournal {
    id: RunId,
    path: PathBuf,
    file: Arc<File>,
    /// How far the file is whole: a line that was written in part is cut off again.
    whole: u64,
}

/// Keeps other processes off a deployment until it is dropped, or its process dies.
#[derive(Debug)]
pub struct DeploymentLock {
    _file: File,
}

/// Why a journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file or folder cannot be used.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line in the middle of a journal is no event.
    #[error(
        "{path}, line {line}, is not an event: {source}. The journal was damaged after it was written; restore the file, \
         or use `thumbctl destroy --purge` to remove by tag what it knew of"
    )]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The journal was written by a newer program.
    #[error(
        "{path} was written by a newer thumbctl (events of version {found}, this one reads up to {VERSION}): update thumbctl"
    )]
    Newer {
        /// The journal.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// A file that no saved journals have.
    #[error("{path} is neither a run's journal nor a file of Terraform's that belongs to one")]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// Another process works on the deployment.
    #[error("deployment '{name}' is being worked on by {holder}: wait for it, or stop it")]
    Locked {
        /// The deployment.
        name: DeploymentName,
        /// Who holds the lock, as it says itself.
        holder: String,
    },
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { doing, path, source }
}

impl JournalStore {
    /// The store below a state directory; nothing is created until something is written.
    pub fn new(state_dir: &Path) -> Self {
        Self { root: state_dir.join("deployments") }
    }

    /// The journals of one deployment.
    pub fn deployment(&self, name: &DeploymentName) -> DeploymentJournal {
        DeploymentJournal { name: name.clone(), dir: self.root.join(name.as_str()) }
    }

    /// The names of all deployments that have journals.
    ///
    /// # Errors
    /// When the folder is there but cannot be read.
    pub fn names(&self) -> Result<Vec<DeploymentName>, JournalError> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_error("read", &self.root)(error)),
        };
        let mut names: Vec<DeploymentName> = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io_error("read", &self.root))?;
            // Folders that are not ours are none of our business.
            names.extend(entry.file_name().to_str().and_then(|name| DeploymentName::new(name).ok()));
        }
        names.sort();
        Ok(names)
    }
}

impl DeploymentJournal {
    /// The folder that holds everything about this deployment.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn runs_dir(&self) -> PathBuf {
        self.dir.join("runs")
    }

    /// Takes the deployment for this process alone. The lock belongs to the open file, so a process that dies lets go of it.
    ///
    /// # Errors
    /// When another process has it ([`JournalError::Locked`]), or the folder cannot be written.
    pub fn lock(&self) -> Result<DeploymentLock, JournalError> {
        self.lock_after(|| std::thread::sleep(LOCK_PAUSE))
    }

    /// Takes the lock, with a pause between two tries: who only asks for its holder has it for a moment.
    fn lock_after(&self, mut pause: impl FnMut()) -> Result<DeploymentLock, JournalError> {
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
        for _ in 1..LOCK_TRIES {
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            pause();
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = words_of_holder(&mut file);
                return Err(JournalError::Locked { name: self.name.clone(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(io_error("lock", &path)(error)),
        }
        let program = std::env::args().collect::<Vec<_>>().join(" ");
        let words = format!("process {} ({})", std::process::id(), program);
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(words.as_bytes()))
            .map_err(io_error("write", &path))?;
        Ok(DeploymentLock { _file: file })
    }

    /// Who holds the deployment's lock, in its own words; none if nobody does. Takes no lock that could keep others off for
    /// longer than the question takes.
    ///
    /// # Errors
    /// When the lock is there but cannot be looked at.
    pub fn holder(&self) -> Result<Option<String>, JournalError> {
        let path = self.dir.join("lock");
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("open", &path)(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(words_of_holder(&mut file))),
            Err(TryLockError::Error(error)) => Err(io_error("lock", &path)(error)),
        }
    }

    /// Since when somebody has the deployment's lock; none if nobody does.
    ///
    /// # Errors
    /// When the lock is there but cannot be looked at.
    pub fn held_since(&self) -> Result<Option<DateTime<Utc>>, JournalError> {
        if self.holder()?.is_none() {
            return Ok(None);
        }
        let path = self.dir.join("lock");
        // Whoever takes it writes into it who that is.
        let taken = fs::metadata(&path).and_then(|lock| lock.modified()).map_err(io_error("look at", &path))?;
        Ok(Some(taken.into()))
    }

    /// The runs that have a journal, oldest first.
    ///
    /// # Errors
    /// When the folder is there but cannot be read.
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

    /// Where a run's journal is.
    pub fn path_of(&self, run: &RunId) -> PathBuf {
        self.runs_dir().join(format!("{run}.jsonl"))
    }

    /// Begins a new run's journal, numbered after the last one.
    ///
    /// # Errors
    /// When the folder or file cannot be written.
    pub fn begin(&self, action: Action) -> Result<RunJournal, JournalError> {
        let dir = self.runs_dir();
        create_private_dir(&dir)?;
        loop {
            let number = self.runs()?.last().map_or(1, |last| number_of(last) + 1);
            let id = RunId::new(number, action, rand::random());
            let path = self.path_of(&id);
            match private_fs::options().append(true).create_new(true).open(&path) {
                Ok(file) => {
                    // The new name must be on disk before the first call, or a journal could vanish with its directory entry.
                    File::open(&dir).and_then(|dir| dir.sync_all()).map_err(io_error("flush", &dir))?;
                    return Ok(RunJournal { id, path, file: Arc::new(file), whole: 0 });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io_error("create", &path)(error)),
            }
        }
    }

    /// Renames the journals that are damaged, so that they are read no more; their content stays for whoever wants it.
    ///
    /// # Errors
    /// When one cannot be read at all, or not be renamed.
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

    /// Hands over every event of every run, in order, without ever holding more than one: logs may be long.
    ///
    /// # Errors
    /// When a journal cannot be read, is damaged, or is a newer program's.
    pub fn each(&self, mut take: impl FnMut(Event)) -> Result<(), JournalError> {
        for run in self.runs()? {
            self.each_of(&run, &mut take)?;
        }
        Ok(())
    }

    /// Hands over the events of one run, in order. A last line that is not whole, as a crash leaves it, is read past.
    ///
    /// # Errors
    /// When the journal cannot be read, is damaged before its last line, or is a newer program's.
    pub fn each_of(&self, run: &RunId, take: impl FnMut(Event)) -> Result<(), JournalError> {
        let path = self.path_of(run);
        let file = File::open(&path).map_err(io_error("read", &path))?;
        read_events(&path, BufReader::new(file), take)
    }

    /// A reader of one run's journal that goes on as it grows.
    pub fn reading(&self, run: &RunId) -> RunJournalReader {
        RunJournalReader::new(self.path_of(run))
    }

    /// A reader of all journals that goes on as they grow.
    pub fn follow(&self) -> JournalFollower {
        JournalFollower::new(self.clone())
    }
}

fn number_of(run: &RunId) -> u32 {
    run.as_str().split('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The holder's own words. They are a courtesy; without them the lock is still a lock.
fn words_of_holder(file: &mut File) -> String {
    let mut words = String::new();
    let _ = file.read_to_string(&mut words);
    match words.trim() {
        "" => "another process".to_owned(),
        words => words.to_owned(),
    }
}

fn read_events(path: &Path, mut reader: impl BufRead, mut take: impl FnMut(Event)) -> Result<(), JournalError> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(io_error("read", path))?;
        if read == 0 || !line.ends_with(b"\n") {
            break;
        }
        take(parse(path, number, &line)?);
    }
    Ok(())
}

/// The event on a whole line.
fn parse(path: &Path, number: usize, line: &[u8]) -> Result<Event, JournalError> {
    match serde_json::from_slice::<Event>(line) {
        Ok(event) if event.v <= VERSION => Ok(event),
        Ok(event) => Err(JournalError::Newer { path: path.to_owned(), found: event.v.into() }),
        Err(source) => {
            // An event of a newer version may not even look like one of ours.
            let version = serde_json::from_slice::<serde_json::Value>(line).ok().and_then(|value| value["v"].as_u64());
            match version.filter(|&found| found > u64::from(VERSION)) {
                Some(found) => Err(JournalError::Newer { path: path.to_owned(), found }),
                None => Err(JournalError::Damaged { path: path.to_owned(), line: number, source }),
            }
        }
    }
}

impl RunJournal {
    /// The run's id.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, to be flushed to disk off the thread that appends.
    pub fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Appends one event as one line. When that fails (a full disk), what was written of it is cut off again, so that the
    /// journal stays whole.
    ///
    /// # Errors
    /// When the line cannot be written; the event is then not in the journal.
    pub fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        let mut line = serde_json::to_vec(event).expect("an event is always JSON: its maps have text keys");
        line.push(b'\n');
        if let Err(source) = (&*self.file).write_all(&line) {
            // If even this fails, the torn line is the last one and is read past.
            let _ = self.file.set_len(self.whole);
            return Err(JournalError::Io { doing: "write", path: self.path.clone(), source });
        }
        self.whole += line.len() as u64;
        Ok(())
    }

    /// Turns a failed flush into this journal's error.
    pub fn flush_error(&self, source: io::Error) -> JournalError {
        JournalError::Io { doing: "flush", path: self.path.clone(), source }
    }
}

/// Creates a folder that only its owner can read: names, accounts and logs are nobody else's business.
fn create_private_dir(dir: &Path) -> Result<(), JournalError> {
    private_fs::create_dir_all(dir).map_err(io_error("create", dir))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    fn journal(dir: &Path) -> DeploymentJournal {
        JournalStore::new(dir).deployment(&DeploymentName::new("demo").expect("a legal name"))
    }

    /// Everything that is written, in order.
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
    fn what_is_appended_is_read_back() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let journal = journal(dir.path());
        let mut run = journal.begin(Action::Deploy).expect("a run begins");
        let written: Vec<Event> = (0..3).map(|seq| event(run.id(), seq)).collect();
        for event in &written {
            run.append(event).expect("there is room");
        }
        let second = journal.begin(Action::Destroy).expect("a second run begins");
        assert!(second.id() > run.id(), "runs sort in their order");
        assert_eq!(events(&journal).expect("the journal reads"), written);
    }

    #[test]
    fn a_torn_last_line_is_read_past() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let journal = journal(dir.path());
        let mut run = journal.begin(Action::Deploy).expect("a run begins");
        run.append(&event(run.id(), 0).clone()).expect("there is room");
        let whole = fs::read(run.path()).expect("the file is there");
        for cut in 1..whole.len() {
            let torn = [&whole[..], &whole[..cut]].concat();
            // Cut just before its line break a line is torn as well.
            assert_eq!(count(&torn).expect("a torn tail is no error"), 1);
        }
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_told_with_its_number() {
        let text = b"{\"nonsense\":1}\n{}\n";
        let error = count(&text[..]).expect_err("damage is an error");
        assert!(matches!(error, JournalError::Damaged { line: 1, .. }), "{error}");
    }

    #[test]
    fn a_newer_journal_is_refused_even_when_its_events_are_unknown() {
        let text = b"{\"v\":2,\"event\":\"teleported\"}\n";
        let error = count(&text[..]).expect_err("a newer version is refused");
        assert!(matches!(error, JournalError::Newer { found: 2, .. }), "{error}");
    }

    #[test]
    fn a_lock_keeps_others_off_until_it_is_dropped() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let journal = journal(dir.path());
        let lock = journal.lock().expect("the first takes it");
        let error = journal.lock().expect_err("the second does not");
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        let holder = journal.holder().expect("the lock can be looked at");
        assert!(holder.is_some_and(|words| words.contains(&std::process::id().to_string())));
        drop(lock);
        assert_eq!(journal.holder().expect("the lock can be looked at"), None);
        journal.lock().expect("it is free again");
    }

    #[test]
    fn who_only_asks_for_the_holder_keeps_nobody_off() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let journal = journal(dir.path());
        drop(journal.lock().expect("it is free"));
        let asking = File::open(journal.dir().join("lock")).expect("the file stays");
        asking.try_lock_shared().expect("it is free");
        let mut asking = Some(asking);
        let mut pauses = 0;
        let lock = journal.lock_after(|| {
            pauses += 1;
            if pauses == 2 {
                asking.take();
            }
        });
        lock.expect("it is taken as soon as the question is answered");
        assert_eq!(pauses, 2);
    }
}
