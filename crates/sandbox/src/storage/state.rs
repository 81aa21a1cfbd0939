//! Copying and replacing the state in a data directory.
//!
//! A new state is staged and checked in `.incoming`. A replacement moves the files of the old state to `.moving` one by one
//! and renames that to `.replaced`, which is removed once the new state is in use. [`recover`] undoes a replacement whose
//! process was killed.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thumbctl_platform::private_fs;

use crate::storage::{data_dir, tree};

/// The directories of the state.
const STATE_DIRS: [&str; 6] = ["blobs", "codebuild", "lambda", "logs", "s3", "snapshots"];
/// The file of the state.
const STATE_FILE: &str = "sessions.json";
/// The file with the id of the load that brought the state, if any.
const LOAD_ID: &str = "load-id";
/// Directories of running processes within the state's directories.
const TRANSIENT: [&str; 4] = ["blobs/incoming", "codebuild/builds", "lambda/processes", "lambda/tmp"];
/// The unpacked images of functions.
pub(crate) const IMAGES: &str = "lambda/images";
/// The files of a sandbox process: locks, endpoint and log.
const PROCESS_FILES: [&str; 5] = ["endpoint.json", "foreground.json", "lease", "sandbox.log", "server.lock"];
const INCOMING: &str = ".incoming";
const MOVING: &str = ".moving";
const REPLACED: &str = ".replaced";
const DELETED: &str = ".doomed";

/// What a path in a data directory may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathKind {
    /// A directory.
    Directory,
    /// A file.
    File,
    /// A file or a directory.
    Content,
    /// A file, a directory, or a link within the image.
    ImageContent,
    /// Files of running processes, not part of the state.
    Transient,
    /// Not part of the sandbox.
    Foreign,
}

/// Classifies a path relative to a data directory.
pub(crate) fn path_kind(path: &Path) -> PathKind {
    let Some(top) = path.components().next() else {
        return PathKind::Directory;
    };
    let top = top.as_os_str();
    if !STATE_DIRS.iter().any(|dir| top == *dir) {
        return if path == Path::new(STATE_FILE) { PathKind::File } else { PathKind::Foreign };
    }
    if path == Path::new(top) || path == Path::new(IMAGES) {
        return PathKind::Directory;
    }
    if TRANSIENT.iter().any(|transient| path.starts_with(transient)) {
        return PathKind::Transient;
    }
    let Ok(in_images) = path.strip_prefix(IMAGES) else {
        return PathKind::Content;
    };
    let image = in_images.components().next().map(|part| part.as_os_str()).unwrap_or_default();
    match image.to_str() {
        Some(digest) if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            if in_images == Path::new(image) { PathKind::Directory } else { PathKind::ImageContent }
        }
        // Interrupted unpacking.
        Some(part) if part.ends_with(".part") => PathKind::Transient,
        _ => PathKind::Foreign,
    }
}

/// Whether the sandbox uses this name at the top of a data directory.
pub(crate) fn is_own_name(name: &OsStr) -> bool {
    is_state(name) || PROCESS_FILES.iter().chain(&[INCOMING, MOVING, REPLACED, DELETED]).any(|own| name == *own)
}

fn is_state(name: &OsStr) -> bool {
    STATE_DIRS.iter().chain(&[STATE_FILE, LOAD_ID]).any(|state| name == *state)
}

/// Copies the state of `dir` to the new directory `to`. The state must not change meanwhile.
pub(crate) fn copy(dir: &Path, to: &Path) -> io::Result<()> {
    private_fs::create_dir_all(to)?;
    copy_below(dir, Path::new(""), to)
}

fn copy_below(dir: &Path, below: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        let path_kind = path_kind(&path);
        let kind = entry.file_type()?;
        if matches!(path_kind, PathKind::Transient | PathKind::Foreign) {
            continue;
        }
        if kind.is_dir() {
            private_fs::create_dir_all(&to.join(&path))?;
            copy_below(dir, &path, to)?;
        } else if kind.is_symlink() && path_kind == PathKind::ImageContent {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, to.join(&path))?;
        } else if kind.is_file() {
            private_fs::copy(&entry.path(), &to.join(&path))?;
        }
    }
    Ok(())
}

/// A new state in the data directory beside the one in use, removed on drop.
pub(crate) struct StagedState {
    dir: PathBuf,
}

/// Stages a new state. `from` is moved, or copied if it is on another file system.
pub(crate) fn stage(dir: &Path, from: &Path) -> io::Result<StagedState> {
    tree::remove(dir, INCOMING)?;
    let staged = StagedState { dir: dir.to_owned() };
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

impl StagedState {
    /// Its directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join(INCOMING)
    }
}

impl Drop for StagedState {
    fn drop(&mut self) {
        // The next start removes what remains.
        let _ = tree::remove(&self.dir, INCOMING);
    }
}

/// Replaces the state of `dir` by a staged one, or by an empty one. The old state is kept until [`ReplacedState::undo`] or
/// [`ReplacedState::forget`].
pub(crate) fn replace(dir: &Path, staged: Option<StagedState>) -> io::Result<ReplacedState> {
    undo_unfinished(dir)?;
    let moving = dir.join(MOVING);
    private_fs::create_dir_all(&moving)?;
    move_all(dir, &moving, state_names(dir)?)?;
    #[cfg(debug_assertions)]
    thumbctl_platform::failpoint::at("state-moving");
    fs::rename(&moving, dir.join(REPLACED))?;
    #[cfg(debug_assertions)]
    thumbctl_platform::failpoint::at("state-moved");
    let replaced = ReplacedState { dir: dir.to_owned() };
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

/// Undoes an unfinished replacement and removes its files.
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
        ReplacedState { dir: dir.to_owned() }.undo()?;
    }
    tree::remove(dir, DELETED)
}

/// The old state during a replacement.
#[must_use]
pub(crate) struct ReplacedState {
    dir: PathBuf,
}

impl ReplacedState {
    /// Restores the old state.
    pub(crate) fn undo(self) -> io::Result<()> {
        for name in state_names(&self.dir)? {
            tree::remove(&self.dir, name)?;
        }
        let kept = self.dir.join(REPLACED);
        // From here on, the files in place belong to the old state.
        fs::rename(&kept, self.dir.join(MOVING))?;
        undo_unfinished(&self.dir)
    }

    /// Deletes the old state.
    pub(crate) fn forget(self) -> io::Result<()> {
        fs::rename(self.dir.join(REPLACED), self.dir.join(DELETED))?;
        #[cfg(debug_assertions)]
        thumbctl_platform::failpoint::at("state-kept");
        tree::remove(&self.dir, DELETED)
    }
}

/// Writes the id of the load into a state to load.
pub(crate) fn write_load_id(state: &Path, id: &str) -> io::Result<()> {
    private_fs::write(&state.join(LOAD_ID), id.as_bytes())
}

/// The id of the load that brought the state in a data directory.
pub(crate) fn read_load_id(dir: &Path) -> Option<String> {
    fs::read_to_string(dir.join(LOAD_ID)).ok()
}

/// Whether a replacement is in progress or was interrupted.
pub(crate) fn is_being_replaced(dir: &Path) -> bool {
    [INCOMING, MOVING, REPLACED].iter().any(|name| dir.join(name).exists())
}

fn move_all(from: &Path, to: &Path, names: Vec<OsString>) -> io::Result<()> {
    names.into_iter().try_for_each(|name| fs::rename(from.join(&name), to.join(&name)))
}

/// The names of the state's files and directories in a directory.
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

    /// A copy of such a state, for staging.
    fn state_of(name: &str) -> (tempfile::TempDir, PathBuf) {
        let to = tempfile::tempdir().unwrap();
        let path = to.path().join("copy");
        copy(filled(name).path(), &path).unwrap();
        (to, path)
    }

    fn load(dir: &Path, name: &str) -> ReplacedState {
        let (_to, state) = state_of(name);
        replace(dir, Some(stage(dir, &state).unwrap())).unwrap()
    }

    fn content(dir: &Path) -> String {
        fs::read_to_string(dir.join("sessions.json")).unwrap_or_default()
    }

    #[test]
    fn copy_contains_only_the_state() {
        let (_to, copied) = state_of("one");
        assert_eq!(content(&copied), "one");
        assert!(copied.join("lambda").is_dir());
        for missing in ["lambda/processes", "lease", "notes.txt"] {
            assert!(!copied.join(missing).exists(), "{missing}");
        }
    }

    #[test]
    fn paths_are_classified() {
        let image = format!("{IMAGES}/{}", "ab".repeat(32));
        for (path, kind) in [
            ("", PathKind::Directory),
            ("snapshots", PathKind::Directory),
            ("snapshots/iam.json", PathKind::Content),
            ("sessions.json", PathKind::File),
            ("sessions.json/x", PathKind::Foreign),
            ("server.lock", PathKind::Foreign),
            ("notes.txt", PathKind::Foreign),
            (".replaced", PathKind::Foreign),
            ("load-id", PathKind::Foreign),
            ("lambda/images", PathKind::Directory),
            ("lambda/images/x", PathKind::Foreign),
            ("lambda/images/1.part/x", PathKind::Transient),
            ("lambda/tmp/x", PathKind::Transient),
            ("codebuild/builds", PathKind::Transient),
            (&image, PathKind::Directory),
            (&format!("{image}/usr/bin"), PathKind::ImageContent),
        ] {
            assert_eq!(path_kind(Path::new(path)), kind, "{path}");
        }
    }

    #[test]
    fn replacement_can_be_undone_and_keeps_other_files() {
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
    fn staging_does_not_touch_the_state_in_use() {
        let dir = filled("one");
        let (_to, state) = state_of("two");
        let staged = stage(dir.path(), &state).unwrap();
        assert_eq!((content(dir.path()), content(&staged.path())), ("one".to_owned(), "two".to_owned()));
        drop(staged);
        assert!(!dir.path().join(INCOMING).exists());
    }

    #[test]
    fn stage_rejects_links() {
        let dir = filled("one");
        let (_to, state) = state_of("two");
        std::os::unix::fs::symlink("/", state.join("snapshots")).unwrap();
        assert!(stage(dir.path(), &state).is_err());
        assert!(!dir.path().join(INCOMING).exists());
    }

    #[test]
    fn killed_replacement_is_undone_at_every_stage() {
        // Killed while moving the old state.
        let dir = filled("one");
        fs::create_dir(dir.path().join(MOVING)).unwrap();
        fs::rename(dir.path().join("lambda"), dir.path().join(MOVING).join("lambda")).unwrap();
        recover(dir.path()).unwrap();
        assert_eq!(content(dir.path()), "one");
        assert!(dir.path().join("lambda").is_dir() && !dir.path().join(MOVING).exists());
        // Killed after moving the new state into place.
        let _ = load(dir.path(), "two");
        assert!(is_being_replaced(dir.path()));
        recover(dir.path()).unwrap();
        assert_eq!(content(dir.path()), "one");
        assert!(!is_being_replaced(dir.path()));
    }
}
