//! [`Scratch`]: the directory of an ephemeral sandbox, removed at its end or, if it was killed, by a later sandbox.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::SandboxError;
use crate::storage::{data_dir, tree};
use crate::{codebuild, lambda};

const PREFIX: &str = "thumbctl-sandbox-";
/// The age below which a directory may belong to a starting sandbox.
const STARTING: Duration = Duration::from_secs(60);

/// A directory that is removed on drop.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Creates a directory, and removes those of killed sandboxes.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(crate) fn new() -> Result<Self, SandboxError> {
        let parent = std::env::temp_dir();
        remove_abandoned(&parent);
        let dir = parent.join(format!("{PREFIX}{}", uuid::Uuid::new_v4().simple()));
        Ok(Self(data_dir::claim(&dir)?))
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Removes a directory without following links, ignoring errors.
fn remove(dir: &Path) {
    if let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) {
        let _ = tree::remove(parent, name);
    }
}

/// Removes the directories of killed sandboxes and ends their remaining processes. Ignores errors; the next start retries.
fn remove_abandoned(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        // Does not follow links: other users may write to the parent.
        let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
        let age = metadata.modified().ok().and_then(|changed| SystemTime::now().duration_since(changed).ok());
        if !is_ours
            || !metadata.is_dir()
            || metadata.uid() != rustix::process::geteuid().as_raw()
            || age.is_none_or(|age| age < STARTING)
        {
            continue;
        }
        let dir = entry.path();
        let Ok(lock) = fs::File::open(dir.join("server.lock")) else { continue };
        if lock.try_lock().is_ok() {
            lambda::end_leftovers(&dir);
            codebuild::end_leftovers(&dir);
            remove(&dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_removes_directories_of_killed_sandboxes_only() {
        let parent = tempfile::tempdir().unwrap();
        let create = |name: &str, age: Duration| {
            let dir = parent.path().join(name);
            fs::create_dir(&dir).unwrap();
            let lock = fs::File::create(dir.join("server.lock")).unwrap();
            fs::File::open(&dir).unwrap().set_modified(SystemTime::now() - age).unwrap();
            (dir, lock)
        };
        let old = STARTING * 2;
        let (killed, _) = create("thumbctl-sandbox-killed", old);
        let (running, lock) = create("thumbctl-sandbox-running", old);
        lock.lock().unwrap();
        let (starting, _) = create("thumbctl-sandbox-starting", Duration::ZERO);
        let (other, _) = create("other", old);
        let link = parent.path().join("thumbctl-sandbox-link");
        std::os::unix::fs::symlink(&other, &link).unwrap();
        remove_abandoned(parent.path());
        assert!(!killed.exists());
        assert!([running, starting, other, link].iter().all(|kept| kept.exists()));
    }
}
