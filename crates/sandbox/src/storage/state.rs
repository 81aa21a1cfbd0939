//! The state in a data directory as files: copied whole, and replaced whole.
//!
//! A new state is brought beside the old one and checked there, as `.incoming`. A replacement that the process is killed
//! in the middle of is undone by [`recover`]: what was there is moved to `.moving` one by one, which then becomes
//! `.replaced` in one step; that is removed when the new state is in use.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thumbctl_platform::private_fs;

use crate::storage::{data_dir, tree};

/// The directories that are state.
const STATE_DIRS: [&str; 6] = ["blobs", "codebuild", "lambda", "logs", "s3", "snapshots"];
/// The file that is state.
const STATE_FILE: &str = "sessions.json";
/// The id of the load that the state comes from; none if it does not come from one.
const LOAD_ID: &str = "load-id";
/// What is in the state's directories, but belongs to running processes.
const TRANSIENT: [&str; 4] = ["blobs/incoming", "codebuild/builds", "lambda/processes", "lambda/tmp"];
/// The unpacked images of functions.
pub(crate) const IMAGES: &str = "lambda/images";
/// What belongs to a sandbox's process: locks, addresses and its log.
const PROCESS_FILES: [&str; 5] = ["endpoint.json", "foreground.json", "lease", "sandbox.log", "server.lock"];
const INCOMING: &str = ".incoming";
const MOVING: &str = ".moving";
const REPLACED: &str = ".replaced";
const DOOMED: &str = ".doomed";

/// What may be at a place in a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A directory.
    Directory,
    /// A file.
    File,
    /// A file or a directory.
    Content,
    /// A file, a directory, or a link within the image.
    ImageContent,
    /// Something that is not part of the state.
    Transient,
    /// Nothing of the sandbox's.
    Nowhere,
}

/// What may be at a path relative to a data directory.
pub(crate) fn place_of(path: &Path) -> Place {
    let Some(top) = path.components().next() else {
        return Place::Directory;
    };
    let top = top.as_os_str();
    if !STATE_DIRS.iter().any(|dir| top == *dir) {
        return if path == Path::new(STATE_FILE) { Place::File } else { Place::Nowhere };
    }
    if path == Path::new(top) || path == Path::new(IMAGES) {
        return Place::Directory;
    }
    if TRANSIENT.iter().any(|transient| path.starts_with(transient)) {
        return Place::Transient;
    }
    let Ok(in_images) = path.strip_prefix(IMAGES) else {
        return Place::Content;
    };
    let image = in_images.components().next().map(|part| part.as_os_str()).unwrap_or_default();
    match image.to_str() {
        Some(digest) if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            if in_images == Path::new(image) { Place::Directory } else { Place::ImageContent }
        }
        // An unpacking that was interrupted.
        Some(part) if part.ends_with(".part") => Place::Transient,
        _ => Place::Nowhere,
    }
}

/// Whether the sandbox keeps something under this name directly in a data directory.
pub(crate) fn is_own_name(name: &OsStr) -> bool {
    is_state(name) || PROCESS_FILES.iter().chain(&[INCOMING, MOVING, REPLACED, DOOMED]).any(|own| name == *own)
}

fn is_state(name: &OsStr) -> bool {
    STATE_DIRS.iter().chain(&[STATE_FILE, LOAD_ID]).any(|state| name == *state)
}

/// Copies the state of `dir` into `to`, which is created. Nothing may be changing it.
pub(crate) fn copy(dir: &Path, to: &Path) -> io::Result<()> {
    private_fs::create_dir_all(to)?;
    copy_below(dir, Path::new(""), to)
}

fn copy_below(dir: &Path, below: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        let place = place_of(&path);
        let kind = entry.file_type()?;
        if matches!(place, Place::Transient | Place::Nowhere) {
            continue;
        }
        if kind.is_dir() {
            private_fs::create_dir_all(&to.join(&path))?;
            copy_below(dir, &path, to)?;
        } else if kind.is_symlink() && place == Place::ImageContent {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, to.join(&path))?;
        } else if kind.is_file() {
            private_fs::copy(&entry.path(), &to.join(&path))?;
        }
    }
    Ok(())
}

/// A new state in the data directory, beside the one in use. Removed when it is dropped.
pub(crate) struct Staged {
    dir: PathBuf,
}

/// Brings a new state into the data directory. `from` is moved there, or copied if it is on another file system.
pub(crate) fn stage(dir: &Path, from: &Path) -> io::Result<Staged> {
    tree::remove(dir, INCOMING)?;
    let staged = Staged { dir: dir.to_owned() };
    match fs::rename(from, staged.path()) {
        Err(cause) if cause.kind() == io::ErrorKind::CrossesDevices => {
            let id = read_load_id(from);
            copy(from, &staged.path())?;
            id.map_or(Ok(()), |id| write_load_id(&staged.path(), &id))?;
        }
        moved => moved?,
    }
    data_dir::check_links(&staged.path())?;
    #[cfg(debug_assertions)]
    thumbctl_platform::failpoint::at("state-staged");
    Ok(staged)
}

impl Staged {
    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join(INCOMING)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What stays is removed at the next start.
        let _ = tree::remove(&self.dir, INCOMING);
    }
}

/// Replaces the state of `dir` by a staged one, or by nothing. What was there is kept until [`Replaced`] is asked to undo
/// or to forget it.
pub(crate) fn replace(dir: &Path, staged: Option<Staged>) -> io::Result<Replaced> {
    undo_unfinished(dir)?;
    let moving = dir.join(MOVING);
    private_fs::create_dir_all(&moving)?;
    move_all(dir, &moving, state_names(dir)?)?;
    #[cfg(debug_assertions)]
    thumbctl_platform::failpoint::at("state-moving");
    fs::rename(&moving, dir.join(REPLACED))?;
    #[cfg(debug_assertions)]
    thumbctl_platform::failpoint::at("state-moved");
    let replaced = Replaced { dir: dir.to_owned() };
    let moved = staged.map_or(Ok(()), |staged| {
        let from = staged.path();
        move_all(&from, dir, state_names(&from)?)
    });
    #[cfg(debug_assertions)]
    thumbctl_platform::failpoint::at("state-replaced");
    match moved {
        Ok(()) => Ok(replaced),
        Err(cause) => {
            replaced.undo()?;
            Err(cause)
        }
    }
}

/// Brings back what was there before a replacement that was not finished, and removes what it has left.
pub(crate) fn recover(dir: &Path) -> io::Result<()> {
    undo_unfinished(dir)?;
    tree::remove(dir, INCOMING)
}

fn undo_unfinished(dir: &Path) -> io::Result<()> {
    let moving = dir.join(MOVING);
    if moving.is_dir() {
        move_all(&moving, dir, names(&moving)?)?;
        fs::remove_dir(&moving)?;
    }
    if dir.join(REPLACED).is_dir() {
        Replaced { dir: dir.to_owned() }.undo()?;
    }
    tree::remove(dir, DOOMED)
}

/// What was there before, beside what is there now.
#[must_use]
pub(crate) struct Replaced {
    dir: PathBuf,
}

impl Replaced {
    /// Puts it back.
    pub(crate) fn undo(self) -> io::Result<()> {
        for name in state_names(&self.dir)? {
            tree::remove(&self.dir, name)?;
        }
        let kept = self.dir.join(REPLACED);
        // From here on, what is in place is what was there before.
        fs::rename(&kept, self.dir.join(MOVING))?;
        undo_unfinished(&self.dir)
    }

    /// Removes it for good.
    pub(crate) fn forget(self) -> io::Result<()> {
        fs::rename(self.dir.join(REPLACED), self.dir.join(DOOMED))?;
        #[cfg(debug_assertions)]
        thumbctl_platform::failpoint::at("state-kept");
        tree::remove(&self.dir, DOOMED)
    }
}

/// Writes down, in a state that is about to be loaded, which load it comes from.
pub(crate) fn write_load_id(state: &Path, id: &str) -> io::Result<()> {
    private_fs::write(&state.join(LOAD_ID), id.as_bytes())
}

/// Which load the state in a data directory comes from.
pub(crate) fn read_load_id(dir: &Path) -> Option<String> {
    fs::read_to_string(dir.join(LOAD_ID)).ok()
}

/// Whether a replacement is in progress, or was interrupted.
pub(crate) fn is_being_replaced(dir: &Path) -> bool {
    [INCOMING, MOVING, REPLACED].iter().any(|name| dir.join(name).exists())
}

fn move_all(from: &Path, to: &Path, names: Vec<OsString>) -> io::Result<()> {
    names.into_iter().try_for_each(|name| fs::rename(from.join(&name), to.join(&name)))
}

/// The names of what is state, directly in a directory.
fn state_names(dir: &Path) -> io::Result<Vec<OsString>> {
    Ok(names(dir)?.into_iter().filter(|name| is_state(name)).collect())
}

fn names(dir: &Path) -> io::Result<Vec<OsString>> {
    fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect()
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
        fs::write(dir.path().join("notes.txt"), "the user's").unwrap();
        dir
    }

    /// A state that can be staged: a copy of such a directory.
    fn state_of(name: &str) -> (tempfile::TempDir, PathBuf) {
        let to = tempfile::tempdir().unwrap();
        let path = to.path().join("copy");
        copy(filled(name).path(), &path).unwrap();
        (to, path)
    }

    fn load(dir: &Path, name: &str) -> Replaced {
        let (_to, state) = state_of(name);
        replace(dir, Some(stage(dir, &state).unwrap())).unwrap()
    }

    fn content(dir: &Path) -> String {
        fs::read_to_string(dir.join("sessions.json")).unwrap_or_default()
    }

    #[test]
    fn copy_holds_the_state_and_nothing_of_the_process_or_the_user() {
        let (_to, copied) = state_of("one");
        assert_eq!(content(&copied), "one");
        assert!(copied.join("lambda").is_dir());
        for missing in ["lambda/processes", "lease", "notes.txt"] {
            assert!(!copied.join(missing).exists(), "{missing}");
        }
    }

    #[test]
    fn place_tells_state_from_what_is_not() {
        let image = format!("{IMAGES}/{}", "ab".repeat(32));
        for (path, place) in [
            ("", Place::Directory),
            ("snapshots", Place::Directory),
            ("snapshots/iam.json", Place::Content),
            ("sessions.json", Place::File),
            ("sessions.json/x", Place::Nowhere),
            ("server.lock", Place::Nowhere),
            ("notes.txt", Place::Nowhere),
            (".replaced", Place::Nowhere),
            ("load-id", Place::Nowhere),
            ("lambda/images", Place::Directory),
            ("lambda/images/x", Place::Nowhere),
            ("lambda/images/1.part/x", Place::Transient),
            ("lambda/tmp/x", Place::Transient),
            ("codebuild/builds", Place::Transient),
            (&image, Place::Directory),
            (&format!("{image}/usr/bin"), Place::ImageContent),
        ] {
            assert_eq!(place_of(Path::new(path)), place, "{path}");
        }
    }

    #[test]
    fn replacement_is_undone_or_kept_and_leaves_other_files_alone() {
        let dir = filled("one");
        let replaced = load(dir.path(), "two");
        assert_eq!(content(dir.path()), "two");
        replaced.undo().unwrap();
        assert_eq!(content(dir.path()), "one");
        load(dir.path(), "two").forget().unwrap();
        assert_eq!(content(dir.path()), "two");
        replace(dir.path(), None).unwrap().forget().unwrap();
        assert_eq!(content(dir.path()), "");
        let mut left = names(dir.path()).unwrap();
        left.sort();
        assert_eq!(left, ["lease", "notes.txt"]);
    }

    #[test]
    fn staging_touches_nothing_of_the_state_in_use() {
        let dir = filled("one");
        let (_to, state) = state_of("two");
        let staged = stage(dir.path(), &state).unwrap();
        assert_eq!((content(dir.path()), content(&staged.path())), ("one".to_owned(), "two".to_owned()));
        drop(staged);
        assert!(!dir.path().join(INCOMING).exists());
    }

    #[test]
    fn stage_refuses_links() {
        let dir = filled("one");
        let (_to, state) = state_of("two");
        std::os::unix::fs::symlink("/", state.join("snapshots")).unwrap();
        assert!(stage(dir.path(), &state).is_err());
        assert!(!dir.path().join(INCOMING).exists());
    }

    #[test]
    fn replacement_that_was_killed_is_undone_wherever_it_was() {
        // While the old state was being moved away.
        let dir = filled("one");
        fs::create_dir(dir.path().join(MOVING)).unwrap();
        fs::rename(dir.path().join("lambda"), dir.path().join(MOVING).join("lambda")).unwrap();
        recover(dir.path()).unwrap();
        assert_eq!(content(dir.path()), "one");
        assert!(dir.path().join("lambda").is_dir() && !dir.path().join(MOVING).exists());
        // When the new one was in place, and not known to be good yet.
        let _ = load(dir.path(), "two");
        assert!(is_being_replaced(dir.path()));
        recover(dir.path()).unwrap();
        assert_eq!(content(dir.path()), "one");
        assert!(!is_being_replaced(dir.path()));
    }
}
