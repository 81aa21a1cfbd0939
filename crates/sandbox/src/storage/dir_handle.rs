//! Directories read by handle: neither a path nor a link in one leads out of it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, readlinkat, statat};
use rustix::io::Errno;

/// As many links as Linux follows before it gives up.
const MAX_LINKS: usize = 40;

/// An open directory. For the paths and links below it, it is the root directory, as after `chroot`.
#[derive(Debug)]
pub(crate) struct DirHandle(OwnedFd);

/// What a directory holds under one name.
#[derive(Debug)]
pub(crate) enum DirEntry {
    /// A directory.
    Directory(DirHandle),
    /// A regular file, open for reading.
    File(File),
    /// A symbolic link, and what it points at.
    Link(PathBuf),
    /// A pipe, a socket or a device: never opened.
    Special,
}

/// Where a path leads, all links followed.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// The path from the root, free of links.
    pub(crate) path: PathBuf,
    /// What is there; never a link.
    pub(crate) entry: DirEntry,
}

impl DirHandle {
    /// Opens the directory at `path`, which is trusted: links on the way to it are followed.
    ///
    /// # Errors
    /// When it is no directory, or cannot be read.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, path, flags, Mode::empty())?))
    }

    /// The names in the directory and what kind each is, sorted.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn list(&self) -> io::Result<Vec<(OsString, FileType)>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
            if name == "." || name == ".." {
                continue;
            }
            let kind = self.kind(&name)?;
            entries.push((name, kind));
        }
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(entries)
    }

    /// The entry `name`, which is one name and not a path. A link is not followed.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub(crate) fn entry(&self, name: &OsStr) -> io::Result<DirEntry> {
        // A pipe would keep the reader waiting, and opening a device may have effects: the kind comes first. Should the
        // entry be replaced meanwhile, NOFOLLOW and the second look refuse what it is then.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match self.kind(name)? {
            FileType::Directory => {
                let flags = flags | OFlags::DIRECTORY;
                Ok(DirEntry::Directory(Self(openat(&self.0, name, flags, Mode::empty())?)))
            }
            FileType::RegularFile => {
                let file = openat(&self.0, name, flags, Mode::empty())?;
                match FileType::from_raw_mode(fstat(&file)?.st_mode) {
                    FileType::RegularFile => Ok(DirEntry::File(file.into())),
                    _ => Ok(DirEntry::Special),
                }
            }
            FileType::Symlink => {
                let target = readlinkat(&self.0, name, Vec::new())?;
                Ok(DirEntry::Link(PathBuf::from(OsString::from_vec(target.into_bytes()))))
            }
            _ => Ok(DirEntry::Special),
        }
    }

    /// Follows `path` and all links as a process would whose root directory this is: `..` and absolute links end here.
    /// `None` if there is nothing.
    ///
    /// # Errors
    /// When a directory on the way cannot be read, or there are too many links.
    pub(crate) fn resolve(&self, path: &Path) -> io::Result<Option<Resolved>> {
        let mut pending = parts(path);
        let mut above: Vec<Self> = Vec::new();
        let mut current = Self(self.0.try_clone()?);
        let mut walked = PathBuf::new();
        let mut links = 0;
        while let Some(name) = pending.pop() {
            if name == ".." {
                if let Some(parent) = above.pop() {
                    current = parent;
                    walked.pop();
                }
                continue;
            }
            let entry = match current.entry(&name) {
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    return Ok(None);
                }
                entry => entry?,
            };
            match entry {
                DirEntry::Directory(directory) => {
                    above.push(std::mem::replace(&mut current, directory));
                    walked.push(name);
                }
                DirEntry::Link(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    if target.is_absolute() {
                        above.truncate(1);
                        current = above.pop().unwrap_or(current);
                        walked.clear();
                    }
                    pending.extend(parts(&target));
                }
                entry @ (DirEntry::File(_) | DirEntry::Special) => {
                    walked.push(name);
                    // Nothing lies below a file.
                    return Ok(pending.is_empty().then_some(Resolved { path: walked, entry }));
                }
            }
        }
        Ok(Some(Resolved { path: walked, entry: DirEntry::Directory(current) }))
    }

    fn kind(&self, name: &OsStr) -> io::Result<FileType> {
        debug_assert!(!name.as_bytes().contains(&b'/'), "an entry is one name");
        let stat = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(stat.st_mode))
    }
}

/// The names that a path consists of, last first.
fn parts(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    let mut names: Vec<_> = names.collect();
    names.reverse();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    /// The text of the file that `path` leads to, or a word for what else is there.
    fn read(root: &DirHandle, path: &str) -> String {
        match root.resolve(Path::new(path)).unwrap().map(|resolved| resolved.entry) {
            None => "nothing".to_owned(),
            Some(DirEntry::File(mut file)) => {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                text
            }
            Some(DirEntry::Directory(_)) => "directory".to_owned(),
            Some(DirEntry::Special) => "special".to_owned(),
            Some(DirEntry::Link(_)) => unreachable!("links are followed"),
        }
    }

    #[test]
    fn resolve_never_leaves_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(dir.path().join("outside"), "outside").unwrap();
        fs::write(root.join("outside"), "inside").unwrap();
        symlink("/a/b", root.join("absolute")).unwrap();
        symlink("../../../outside", root.join("a/b/up")).unwrap();
        symlink(dir.path(), root.join("host")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let handle = DirHandle::open(&root).unwrap();
        for (path, found) in [
            ("", "directory"),
            ("a/b", "directory"),
            ("absolute", "directory"),
            ("absolute/up", "inside"),
            ("/outside", "inside"),
            ("../outside", "inside"),
            ("a/../../../outside", "inside"),
            ("host", "nothing"),
            ("host/outside", "nothing"),
            ("outside/below", "nothing"),
        ] {
            assert_eq!(read(&handle, path), found, "{path}");
        }
        assert_eq!(handle.resolve(Path::new("absolute/up")).unwrap().unwrap().path, Path::new("outside"));
        assert_eq!(Errno::from_io_error(&handle.resolve(Path::new("loop")).unwrap_err()), Some(Errno::LOOP));
    }

    #[test]
    fn entry_does_not_open_pipes_and_does_not_follow_links() {
        let dir = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        symlink("/etc", dir.path().join("link")).unwrap();
        let handle = DirHandle::open(dir.path()).unwrap();
        assert!(matches!(handle.entry(OsStr::new("socket")).unwrap(), DirEntry::Special));
        assert!(matches!(handle.entry(OsStr::new("link")).unwrap(), DirEntry::Link(to) if to == Path::new("/etc")));
        let kinds: Vec<_> = handle.list().unwrap().into_iter().map(|(_, kind)| kind).collect();
        assert_eq!(kinds, [FileType::Symlink, FileType::Socket]);
    }
}
