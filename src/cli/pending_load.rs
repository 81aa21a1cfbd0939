//! The load of a saved state: the sandbox's state and the journals are replaced together, even if the process is killed.
//!
//! The saved state is unpacked into a directory `saved/.loading-…`, which its process locks. Before the sandbox's state is
//! replaced, `load.json` records which journals change with it, and the new state contains the load's id. The next command
//! can thus detect whether the replacement has happened, and completes or removes the rest.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use thumbctl_core::journal::{DeploymentLock, JournalError, JournalStore};
use thumbctl_core::names::DeploymentName;
use thumbctl_deploy::strategy::terraform::STATE_FILES;
use thumbctl_platform::private_fs;
use thumbctl_sandbox::{LoadOutcome, load_outcome, mark_load};

/// The directories in a saved state's archive.
pub(super) const SANDBOX: &str = "sandbox";
pub(super) const DEPLOYMENTS: &str = "deployments";
/// The prefix of a load directory's name.
const PREFIX: &str = ".loading-";
/// The file that records which journals change with the state.
const RECORD: &str = "load.json";
/// The age at which a directory without a record is stale; a newer one may be about to be locked.
const STALE: Duration = Duration::from_secs(60);

/// The record of a load: the journals that change with the sandbox's state.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    id: String,
    /// The sandbox's data directory.
    data_dir: PathBuf,
    /// The deployments that were in the sandbox.
    replaced: Vec<DeploymentName>,
    /// The deployments that are in the new state.
    loaded: Vec<DeploymentName>,
}

/// The directory in which a saved state is unpacked and from which it is loaded.
pub(super) struct LoadDir {
    dir: TempDir,
    /// Marks this load as in progress.
    _lock: File,
}

impl LoadDir {
    /// Creates one in the directory of saved states, on the same file system.
    pub(super) fn create(saved: &Path) -> io::Result<Self> {
        private_fs::create_dir_all(saved)?;
        let dir = private_fs::temporary_dir(PREFIX, saved)?;
        let lock = File::open(dir.path())?;
        lock.try_lock().map_err(io::Error::from)?;
        Ok(Self { dir, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Records which journals change, before the sandbox's state is replaced. Returns the load's id.
    pub(super) fn record(
        &self,
        data_dir: &Path,
        replaced: &[DeploymentName],
        loaded: &[DeploymentName],
    ) -> io::Result<String> {
        let id = uuid::Uuid::new_v4().to_string();
        mark_load(&self.path().join(SANDBOX), &id)?;
        let record = Record {
            id: id.clone(),
            data_dir: std::path::absolute(data_dir)?,
            replaced: replaced.to_vec(),
            loaded: loaded.to_vec(),
        };
        let temporary = self.path().join("load.json.new");
        private_fs::write(&temporary, &serde_json::to_vec(&record)?)?;
        fs::rename(&temporary, self.path().join(RECORD))?;
        #[cfg(debug_assertions)]
        thumbctl_platform::failpoint::at("load-recorded");
        Ok(id)
    }

    /// Replaces the journals, after the sandbox's state.
    pub(super) fn complete(self, journals: &JournalStore) -> Result<(), JournalError> {
        #[cfg(debug_assertions)]
        thumbctl_platform::failpoint::at("journals-next");
        let completed = match read_record(self.path()) {
            Some(record) => complete(self.path(), &record, journals),
            None => Ok(()),
        };
        if completed.is_err() {
            self.keep();
        }
        completed
    }

    /// Keeps the directory, so that a later command completes the load.
    pub(super) fn keep(self) {
        let _ = self.dir.keep();
    }
}

/// Completes or removes loads whose process was killed.
pub(crate) async fn recover(state_dir: &Path) -> Result<(), JournalError> {
    let Ok(entries) = fs::read_dir(state_dir.join("saved")) else {
        return Ok(());
    };
    let journals = JournalStore::new(state_dir);
    for entry in entries.filter_map(Result::ok) {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_dir && entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            recover_one(&entry.path(), &journals).await?;
        }
    }
    Ok(())
}

async fn recover_one(dir: &Path, journals: &JournalStore) -> Result<(), JournalError> {
    // Removed in the meantime, or in progress.
    let Ok(lock) = File::open(dir) else { return Ok(()) };
    if let Err(TryLockError::WouldBlock | TryLockError::Error(_)) = lock.try_lock() {
        return Ok(());
    }
    let outcome = match read_record(dir) {
        Some(record) => match load_outcome(&record.data_dir, &record.id).await {
            LoadOutcome::Loaded => {
                let names: Vec<&DeploymentName> = record.replaced.iter().chain(&record.loaded).collect();
                // A command that uses one of them has priority.
                let locks: Result<Vec<DeploymentLock>, JournalError> =
                    sorted(names).iter().map(|name| journals.deployment(name).lock()).collect();
                let _locks = match locks {
                    Err(JournalError::Locked { .. }) => return Ok(()),
                    locks => locks?,
                };
                complete(dir, &record, journals)?;
                LoadOutcome::Loaded
            }
            outcome => outcome,
        },
        None if is_stale(dir) => LoadOutcome::NotLoaded,
        None => LoadOutcome::Pending,
    };
    if outcome != LoadOutcome::Pending {
        // The next command retries a failed removal.
        let _ = fs::remove_dir_all(dir);
    }
    Ok(())
}

/// Replaces the journals; idempotent.
fn complete(dir: &Path, record: &Record, journals: &JournalStore) -> Result<(), JournalError> {
    for name in record.replaced.iter().filter(|name| !record.loaded.contains(name)) {
        journals.deployment(name).archive(STATE_FILES)?;
    }
    let deployments = dir.join(DEPLOYMENTS);
    for name in &record.loaded {
        journals.deployment(name).import_runs(&deployments.join(name.as_str()), STATE_FILES)?;
    }
    #[cfg(debug_assertions)]
    thumbctl_platform::failpoint::at("journals-imported");
    Ok(())
}

fn sorted(mut names: Vec<&DeploymentName>) -> Vec<&DeploymentName> {
    names.sort();
    names.dedup();
    names
}

fn read_record(dir: &Path) -> Option<Record> {
    serde_json::from_slice(&fs::read(dir.join(RECORD)).ok()?).ok()
}

fn is_stale(dir: &Path) -> bool {
    let age = fs::metadata(dir).and_then(|found| found.modified()).ok().and_then(|time| time.elapsed().ok());
    age.is_some_and(|age| age > STALE)
}
