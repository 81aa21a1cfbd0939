//! Files and directories private to their owner, independent of the umask.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use tempfile::TempDir;

/// The permission bits that let the group or others write.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// The maximum number of links on a path, as in Linux.
const MAX_LINKS: usize = 40;

/// Why a directory cannot be used for state.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// The directory cannot be created or examined.
    #[error("cannot use the directory {}", .dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The group or others may write to the directory.
    #[error(
        "{0} can be written to by other users, who could replace its files: run `chmod go-w {0}`, or use another --state-dir or --data-dir",
        .dir.display()
    )]
    WritableByOthers {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory belongs to another user.
    #[error(
        "{} belongs to another user (uid {owner}), who could replace its files: use a directory of your own as --state-dir or --data-dir",
        .dir.display()
    )]
    ForeignOwner {
        /// The directory.
        dir: PathBuf,
        /// The owner's user id.
        owner: u32,
    },
    /// A symbolic link on the path belongs to another user.
    #[error(
        "{} is a symbolic link of another user (uid {owner}), who could change its target: use a directory of your own as --state-dir or --data-dir",
        .link.display()
    )]
    ForeignLink {
        /// The link.
        link: PathBuf,
        /// The owner's user id.
        owner: u32,
    },
}

/// Creates a directory and its missing parents with mode 0700. Existing ones are unchanged.
pub fn create_dir_all(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Options that create files with mode 0600 and reject symbolic links.
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// Opens a file for writing; creates or truncates it.
pub fn create(file: &Path) -> io::Result<File> {
    options().write(true).create(true).truncate(true).open(file)
}

/// Writes a whole file.
pub fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    create(file)?.write_all(bytes)
}

/// Creates a temporary directory with mode 0700, which `tempfile` alone would leave to the umask.
pub fn temporary_dir(prefix: &str, parent: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(prefix).permissions(Permissions::from_mode(0o700)).tempdir_in(parent)
}

/// Copies a file to a new one, keeping the owner's executable bit.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = options().read(true).open(from)?;
    let mode = source.metadata()?.mode() & 0o100 | 0o600;
    let mut target = options().write(true).create_new(true).open(to)?;
    io::copy(&mut source, &mut target)?;
    if mode == 0o600 { Ok(()) } else { target.set_permissions(Permissions::from_mode(mode)) }
}

/// Creates a directory for state, or checks that an existing one is safe: it must belong to this process's user, be
/// writable by no other user, and have no other user's links on its path. Returns its path without links.
///
/// # Errors
/// When it is not safe, or cannot be created.
pub fn claim_dir(dir: &Path) -> Result<PathBuf, DirError> {
    let failed = |source| DirError::Io { dir: dir.to_owned(), source };
    let resolved = resolve(dir)?;
    create_dir_all(&resolved).map_err(failed)?;
    check_resolved(dir, &resolved)?;
    Ok(resolved)
}

/// Checks a directory as [`claim_dir`] does, if it exists.
///
/// # Errors
/// When it is not safe, or cannot be examined.
pub fn check_dir(dir: &Path) -> Result<(), DirError> {
    let resolved = resolve(dir)?;
    match fs::symlink_metadata(&resolved) {
        Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(()),
        _ => check_resolved(dir, &resolved),
    }
}

fn check_resolved(dir: &Path, resolved: &Path) -> Result<(), DirError> {
    let failed = |source| DirError::Io { dir: dir.to_owned(), source };
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = rustix::fs::open(resolved, flags, Mode::empty()).map_err(|cause| failed(cause.into()))?;
    let found = File::from(handle).metadata().map_err(failed)?;
    if found.uid() != own_uid() {
        return Err(DirError::ForeignOwner { dir: dir.to_owned(), owner: found.uid() });
    }
    if found.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(DirError::WritableByOthers { dir: dir.to_owned() });
    }
    Ok(())
}

/// Resolves the links of a path, each of which must belong to this user or root. Missing parts are kept.
fn resolve(dir: &Path) -> Result<PathBuf, DirError> {
    let failed = |source| DirError::Io { dir: dir.to_owned(), source };
    let absolute = std::path::absolute(dir).map_err(failed)?;
    let mut remaining = reversed(&absolute);
    let mut resolved = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = remaining.pop() {
        if part == Path::new("/") {
            resolved = part;
            continue;
        }
        if part == Path::new("..") {
            resolved.pop();
            continue;
        }
        let candidate = resolved.join(&part);
        let link = fs::symlink_metadata(&candidate).ok().filter(|found| found.file_type().is_symlink());
        let Some(link) = link else {
            resolved = candidate;
            continue;
        };
        if link.uid() != own_uid() && link.uid() != 0 {
            return Err(DirError::ForeignLink { link: candidate, owner: link.uid() });
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(failed(rustix::io::Errno::LOOP.into()));
        }
        remaining.extend(reversed(&fs::read_link(&candidate).map_err(failed)?));
    }
    Ok(resolved)
}

/// The components of a path, last first.
fn reversed(path: &Path) -> Vec<PathBuf> {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.rev().map(|part| PathBuf::from(part.as_os_str())).collect()
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    fn with_mode(dir: &Path, mode: u32) {
        fs::create_dir_all(dir).unwrap();
        fs::set_permissions(dir, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn created_files_and_directories_are_private() {
        let outer = tempfile::tempdir().unwrap();
        let dir = outer.path().join("a/b");
        claim_dir(&dir).unwrap();
        assert_eq!((mode(&outer.path().join("a")), mode(&dir)), (0o700, 0o700));
        write(&dir.join("file"), b"text").unwrap();
        assert_eq!(mode(&dir.join("file")), 0o600);
        assert_eq!(mode(temporary_dir("t-", &dir).unwrap().path()), 0o700);
    }

    #[test]
    fn copy_keeps_only_the_owners_executable_bit() {
        let dir = tempfile::tempdir().unwrap();
        for (original, copied) in [(0o755, 0o700), (0o644, 0o600), (0o4755, 0o700), (0o400, 0o600)] {
            let (from, to) = (dir.path().join(format!("{original:o}")), dir.path().join(format!("{original:o}-copy")));
            fs::write(&from, "x").unwrap();
            fs::set_permissions(&from, Permissions::from_mode(original)).unwrap();
            copy(&from, &to).unwrap();
            assert_eq!(fs::metadata(&to).unwrap().mode() & 0o7777, copied);
        }
    }

    #[test]
    fn write_does_not_follow_a_link() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("target"), "kept").unwrap();
        symlink("target", dir.path().join("link")).unwrap();
        assert!(write(&dir.path().join("link"), b"new").is_err());
        assert_eq!(fs::read_to_string(dir.path().join("target")).unwrap(), "kept");
    }

    #[test]
    fn world_writable_directory_is_rejected() {
        let outer = tempfile::tempdir().unwrap();
        let dir = outer.path().join("state");
        for refused in [0o770, 0o707, 0o777, 0o1777] {
            with_mode(&dir, refused);
            let error = claim_dir(&dir).unwrap_err().to_string();
            assert!(error.contains("chmod go-w") && check_dir(&dir).is_err(), "{refused:o}: {error}");
        }
        for accepted in [0o700, 0o755] {
            with_mode(&dir, accepted);
            claim_dir(&dir).unwrap();
        }
    }

    #[test]
    fn writable_parent_and_own_links_are_accepted() {
        let outer = tempfile::tempdir().unwrap();
        with_mode(&outer.path().join("tmp"), 0o1777);
        with_mode(&outer.path().join("tmp/state"), 0o755);
        symlink("tmp/./state", outer.path().join("link")).unwrap();
        claim_dir(&outer.path().join("link")).unwrap();
        claim_dir(&outer.path().join("tmp/new")).unwrap();
        check_dir(&outer.path().join("missing")).unwrap();
        symlink("loop", outer.path().join("loop")).unwrap();
        assert!(claim_dir(&outer.path().join("loop")).is_err());
    }

    #[test]
    fn directory_of_another_user_is_rejected() {
        if own_uid() != 0 {
            // For other users than root, `/` is another user's directory.
            assert!(matches!(check_dir(Path::new("/")), Err(DirError::ForeignOwner { owner: 0, .. })));
            return;
        }
        let outer = tempfile::tempdir().unwrap();
        let dir = outer.path().join("theirs");
        fs::create_dir(&dir).unwrap();
        std::os::unix::fs::chown(&dir, Some(12_345), None).unwrap();
        assert!(matches!(claim_dir(&dir), Err(DirError::ForeignOwner { owner: 12_345, .. })));
        let link = outer.path().join("link");
        symlink(outer.path(), &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(12_345), None).unwrap();
        assert!(matches!(claim_dir(&link.join("own")), Err(DirError::ForeignLink { owner: 12_345, .. })));
    }
}
