//! [`Directory`]: lists and removes directory trees without following links.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

impl Directory {
    /// Opens a directory, which must not be a link itself.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::open_at(rustix::fs::CWD, path.as_os_str())
    }

    /// Opens a directory in this one, which must not be a link.
    pub(crate) fn open_dir(&self, name: &OsStr) -> io::Result<Self> {
        Self::open_at(&self.0, name)
    }

    fn open_at(dir: impl std::os::fd::AsFd, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::openat(dir, name, flags, Mode::empty())?))
    }

    /// The names and kinds of the entries, without following links.
    pub(crate) fn entries(&self) -> io::Result<Vec<(OsString, FileType)>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                // Not every file system reports the kind.
                FileType::Unknown => self.kind_of(name)?,
                kind => kind,
            };
            entries.push((name.to_owned(), kind));
        }
        Ok(entries)
    }

    fn kind_of(&self, name: &OsStr) -> io::Result<FileType> {
        let found = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(found.st_mode))
    }

    /// Removes the permissions of the group and of others from an entry, which must not be a link.
    pub(crate) fn make_private(&self, name: &OsStr) -> io::Result<()> {
        // NONBLOCK, for pipes and devices.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let entry = rustix::fs::openat(&self.0, name, flags, Mode::empty())?;
        let mode = Mode::from_raw_mode(rustix::fs::fstat(&entry)?.st_mode);
        if mode.intersects(Mode::RWXG | Mode::RWXO) {
            rustix::fs::fchmod(&entry, mode & Mode::RWXU)?;
        }
        Ok(())
    }

    /// Removes an entry with its content; of a link only the link. A missing entry is no error.
    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        match self.kind_of(name) {
            Ok(FileType::Directory) => {
                self.open_dir(name)?.clear()?;
                ignore_missing(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR))
            }
            Ok(_) => ignore_missing(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(cause) => Err(cause),
        }
    }

    /// Removes all entries.
    fn clear(&self) -> io::Result<()> {
        self.entries()?.iter().try_for_each(|(name, _)| self.remove(name))
    }
}

/// Removes `name` from a directory, which may be missing and must not be a link.
pub(crate) fn remove(parent: &Path, name: impl AsRef<OsStr>) -> io::Result<()> {
    match Directory::open(parent) {
        Ok(directory) => directory.remove(name.as_ref()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(cause),
    }
}

fn ignore_missing(removed: Result<(), Errno>) -> io::Result<()> {
    match removed {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(cause) => Err(cause.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn remove_does_not_follow_links() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::create_dir_all(outside.join("sub")).unwrap();
        fs::write(outside.join("sub/file"), "kept").unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::write(tree.join("a/b/file"), "").unwrap();
        symlink("../../outside", tree.join("a/link")).unwrap();
        symlink(&outside, dir.path().join("linked")).unwrap();

        remove(dir.path(), "tree").unwrap();
        assert!(!tree.exists());
        assert!(remove(&dir.path().join("linked"), "sub").is_err());
        remove(dir.path(), "linked").unwrap();
        assert!(fs::symlink_metadata(dir.path().join("linked")).is_err());
        assert_eq!(fs::read_to_string(outside.join("sub/file")).unwrap(), "kept");
    }

    #[test]
    fn remove_of_missing_entry_succeeds() {
        let dir = tempfile::tempdir().unwrap();
        remove(dir.path(), "nothing").unwrap();
        remove(&dir.path().join("nothing"), "at all").unwrap();
    }
}
