//! The state of a data directory as files: copied whole, and replaced whole.
//!
//! A replacement that the process is killed in the middle of is undone by [`recover`]: what was there is moved to
//! `.moving` one by one, which then becomes `.replaced` in one step; that goes when the new state has been read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::persistence::create_private_dir;
use super::temporaries::is_temporary;

/// What belongs to a running sandbox and not to its state: locks, its address and its log, and what is left of processes.
const NOT_STATE: [&str; 10] = [
    "server.lock",
    "lease",
    "endpoint.json",
    "foreground.json",
    "sandbox.log",
    "codebuild/builds",
    "lambda/processes",
    MOVING,
    REPLACED,
    DOOMED,
];
const MOVING: &str = ".moving";
const REPLACED: &str = ".replaced";
const DOOMED: &str = ".doomed";

/// Copies the state of `dir` into `to`, which is made. Nothing may be changing it.
pub(crate) fn copy(dir: &Path, to: &Path) -> io::Result<()> {
    copy_below(dir, Path::new(""), to)
}

/// Replaces the state of `dir` by a copy of `from`, or by nothing. What was there is kept until [`Replaced`] is told
/// what is to become of it.
pub(crate) fn replace(dir: &Path, from: Option<&Path>) -> io::Result<Replaced> {
    recover(dir)?;
    let moving = dir.join(MOVING);
    create_private_dir(&moving)?;
    move_state(dir, &moving)?;
    fs::rename(&moving, dir.join(REPLACED))?;
    let replaced = Replaced { dir: dir.to_owned() };
    match from.map_or(Ok(()), |from| copy(from, dir)) {
        Ok(()) => Ok(replaced),
        Err(cause) => {
            replaced.undo()?;
            Err(cause)
        }
    }
}

/// Whether what services have written down can be read, as far as that can be said without beginning to serve it.
pub(crate) fn check(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir.join("snapshots")) {
        // A sandbox that was never served has nothing written down.
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let damaged = |error| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            io::Error::new(io::ErrorKind::InvalidData, format!("{name} is damaged: {error}"))
        };
        serde_json::from_slice::<serde::de::IgnoredAny>(&fs::read(&path)?).map_err(damaged)?;
    }
    Ok(())
}

/// Brings back what was there before a replacement that was not finished.
pub(crate) fn recover(dir: &Path) -> io::Result<()> {
    let moving = dir.join(MOVING);
    if moving.is_dir() {
        move_state(&moving, dir)?;
        fs::remove_dir(&moving)?;
    }
    if dir.join(REPLACED).is_dir() {
        Replaced { dir: dir.to_owned() }.undo()?;
    }
    remove(&dir.join(DOOMED))
}

/// What was there before, beside what is there now.
#[must_use]
pub(crate) struct Replaced {
    dir: PathBuf,
}

impl Replaced {
    /// Puts it back.
    pub(crate) fn undo(self) -> io::Result<()> {
        for name in state_entries(&self.dir)? {
            remove(&self.dir.join(name))?;
        }
        let kept = self.dir.join(REPLACED);
        // From here on, what is in place is what was there before.
        fs::rename(&kept, self.dir.join(MOVING))?;
        recover(&self.dir)
    }

    /// Lets go of it.
    pub(crate) fn forget(self) -> io::Result<()> {
        let doomed = self.dir.join(DOOMED);
        fs::rename(self.dir.join(REPLACED), &doomed)?;
        remove(&doomed)
    }
}

fn move_state(from: &Path, to: &Path) -> io::Result<()> {
    state_entries(from)?.into_iter().try_for_each(|name| fs::rename(from.join(&name), to.join(&name)))
}

/// The names of what is state, directly in a directory.
fn state_entries(dir: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let names: io::Result<Vec<_>> = fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect();
    let is_state = |name: &Path| !is_temporary(name) && !NOT_STATE.iter().any(|other| name == Path::new(other));
    Ok(names?.into_iter().filter(|name| is_state(Path::new(name))).collect())
}

fn copy_below(dir: &Path, below: &Path, to: &Path) -> io::Result<()> {
    create_private_dir(&to.join(below))?;
    for entry in fs::read_dir(dir.join(below))? {
        let entry = entry?;
        let name = below.join(entry.file_name());
        let kind = entry.file_type()?;
        // What a write was to rename may hold the server's keys.
        if (kind.is_file() && is_temporary(&name)) || NOT_STATE.iter().any(|other| name == Path::new(other)) {
            continue;
        }
        if kind.is_dir() {
            copy_below(dir, &name, to)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, to.join(&name))?;
        } else if kind.is_file() {
            fs::copy(entry.path(), to.join(&name))?;
        }
    }
    // An image's directory may be one that nobody writes to: it gets its mode when it is full.
    let mode = fs::metadata(dir.join(below))?.permissions();
    if below.as_os_str().is_empty() { Ok(()) } else { fs::set_permissions(to.join(below), mode) }
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(name: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("lambda/processes")).unwrap();
        fs::write(dir.path().join("lambda/processes/1"), "").unwrap();
        fs::write(dir.path().join("sessions.json"), name).unwrap();
        fs::write(dir.path().join("lease"), "").unwrap();
        fs::write(dir.path().join("endpoint.12.new"), "").unwrap();
        fs::create_dir_all(dir.path().join("lambda/images/1")).unwrap();
        fs::write(dir.path().join("lambda/images/1/app.new"), "").unwrap();
        dir
    }

    fn says(dir: &Path) -> String {
        fs::read_to_string(dir.join("sessions.json")).unwrap_or_default()
    }

    #[test]
    fn a_copy_has_the_state_and_nothing_of_the_process() {
        let (dir, to) = (filled("one"), tempfile::tempdir().unwrap());
        copy(dir.path(), &to.path().join("copy")).unwrap();
        let copied = to.path().join("copy");
        assert_eq!(says(&copied), "one");
        assert!(copied.join("lambda").is_dir());
        assert!(!copied.join("lambda/processes").exists() && !copied.join("lease").exists());
        assert!(!copied.join("endpoint.12.new").exists() && copied.join("lambda/images/1/app.new").exists());
    }

    #[test]
    fn a_state_that_cannot_be_read_is_noticed() {
        let dir = filled("one");
        check(dir.path()).unwrap();
        fs::create_dir(dir.path().join("snapshots")).unwrap();
        fs::write(dir.path().join("snapshots/iam.json"), "{}").unwrap();
        check(dir.path()).unwrap();
        fs::write(dir.path().join("snapshots/ecr.json"), "{\"regions\":").unwrap();
        assert!(check(dir.path()).unwrap_err().to_string().starts_with("ecr.json is damaged"));
    }

    #[test]
    fn a_replacement_can_be_kept_or_undone_and_leaves_the_locks_where_they_are() {
        let (dir, other) = (filled("one"), filled("two"));
        let replaced = replace(dir.path(), Some(other.path())).unwrap();
        assert_eq!(says(dir.path()), "two");
        replaced.undo().unwrap();
        assert_eq!(says(dir.path()), "one");
        replace(dir.path(), Some(other.path())).unwrap().forget().unwrap();
        assert_eq!(says(dir.path()), "two");
        replace(dir.path(), None).unwrap().forget().unwrap();
        assert_eq!(says(dir.path()), "");
        let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["endpoint.12.new", "lease"]);
    }

    #[test]
    fn a_replacement_that_was_killed_is_undone_wherever_it_was() {
        // While the old state was being moved away.
        let dir = filled("one");
        fs::create_dir(dir.path().join(MOVING)).unwrap();
        fs::rename(dir.path().join("lambda"), dir.path().join(MOVING).join("lambda")).unwrap();
        recover(dir.path()).unwrap();
        assert_eq!(says(dir.path()), "one");
        assert!(dir.path().join("lambda").is_dir() && !dir.path().join(MOVING).exists());
        // While the new one was being copied.
        let _ = replace(dir.path(), Some(filled("two").path())).unwrap();
        recover(dir.path()).unwrap();
        assert_eq!(says(dir.path()), "one");
        assert!(!dir.path().join(REPLACED).exists());
    }
}
