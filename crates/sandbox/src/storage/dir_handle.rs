//! [`DirHandle`]: a directory read by handle, confined like the root of `chroot`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, readlinkat, statat};
use rustix::io::Errno;

/// The most links to follow, as on Linux.
const MAX_LINKS: usize = 40;

/// An open directory, which is the root for all paths and links below it.
#[derive(Debug)]
pub(crate) struct DirHandle(OwnedFd);

/// An entry of a directory.
#[derive(Debug)]
pub(crate) enum DirEntry {
    /// A directory.
    Directory(DirHandle),
    /// A regular file, open for reading.
    File(File),
    /// A symbolic link with its target.
    Link(PathBuf),
    /// A pipe, a socket or a device, which is not opened.
    Special,
}

/// The target of a path, with all links resolved.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// The path from the root, free of links.
    pub(crate) path: PathBuf,
    /// The entry; never a link.
    pub(crate) entry: DirEntry,
}

impl DirHandle {
    /// Opens the directory at the trusted `path`, following links.
    ///
    /// # Errors
    /// When it is not a directory or cannot be read.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, path, flags, Mode::empty())?))
    }

    /// The sorted names and kinds of the entries.
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

    /// Opens the entry `name`, a single name. Does not follow links.
    ///
    /// # Errors
    /// When it does not exist or cannot be read.
    pub(crate) fn entry(&self, name: &OsStr) -> io::Result<DirEntry> {
        // The kind is checked first: opening a pipe could block, and opening a device may have effects. NOFOLLOW and the
        // second check catch an entry that is replaced meanwhile.
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

    /// Resolves `path` and all links with this directory as the root. Returns `None` if nothing exists there.
    ///
    /// # Errors
    /// When a directory cannot be read, or there are too many links.
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
                    // A file has no entries.
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

/// The names in a path, last first.
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

    /// The text of the file at `path`, or a word for another entry.
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
