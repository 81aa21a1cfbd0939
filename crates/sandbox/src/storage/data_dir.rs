//! Checks of a data directory before its use: owner, permissions, links.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use thumbctl_platform::private_fs;
use thumbctl_sandbox_protocol::DataDirError;

use crate::error::SandboxError;
use crate::storage::state::{self, PathKind};
use crate::storage::tree::Directory;

/// Creates a data directory or checks that it is safe, and returns its path without links. See [`private_fs::claim_dir`].
pub(crate) fn claim(dir: &Path) -> Result<PathBuf, SandboxError> {
    Ok(private_fs::claim_dir(dir).map_err(DataDirError::from)?)
}

/// Prepares a data directory: makes the sandbox's files private and rejects links.
pub(crate) fn prepare(dir: &Path) -> Result<(), SandboxError> {
    let unwritable = |source| SandboxError::unwritable(dir, source);
    let directory = Directory::open(dir).map_err(unwritable)?;
    for (name, kind) in directory.entries().map_err(unwritable)? {
        if !state::is_own_name(&name) {
            continue;
        }
        if !matches!(kind, FileType::Directory | FileType::RegularFile) {
            return Err(SandboxError::Link { path: dir.join(name) });
        }
        directory.make_private(&name).map_err(unwritable)?;
    }
    check_links(dir).map_err(|cause| match LinkFound::of(&cause) {
        Some(LinkFound(path)) => SandboxError::Link { path: path.clone() },
        None => unwritable(cause),
    })
}

/// A link or special file where only files and directories are allowed.
#[derive(Debug, thiserror::Error)]
#[error("{} is a symbolic link or a special file", .0.display())]
struct LinkFound(PathBuf);

impl LinkFound {
    fn of(cause: &io::Error) -> Option<&Self> {
        cause.get_ref()?.downcast_ref()
    }
}

/// Checks that the state in `dir` consists of files and directories, except inside of images and transient directories.
pub(crate) fn check_links(dir: &Path) -> io::Result<()> {
    check_below(&Directory::open(dir)?, dir, Path::new(""))
}

fn check_below(directory: &Directory, dir: &Path, below: &Path) -> io::Result<()> {
    for (name, kind) in directory.entries()? {
        let path = below.join(&name);
        let path_kind = state::path_kind(&path);
        if path_kind == PathKind::Foreign {
            continue;
        }
        match kind {
            FileType::RegularFile => {}
            FileType::Directory if path_kind == PathKind::Transient || below == Path::new(state::IMAGES) => {}
            FileType::Directory => check_below(&directory.open_dir(&name)?, dir, &path)?,
            _ if path_kind == PathKind::Transient && path.components().count() > 2 => {}
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, LinkFound(dir.join(path)))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn prepare_rejects_links_where_the_sandbox_writes() {
        let outside = tempfile::tempdir().unwrap();
        fs::create_dir(outside.path().join("kept")).unwrap();
        for place in
            ["snapshots", "lambda", "lambda/images", "lambda/tmp", "lambda/queue", "blobs/ab", ".moving", "lease"]
        {
            let dir = tempfile::tempdir().unwrap();
            let link = dir.path().join(place);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(outside.path(), &link).unwrap();
            match prepare(dir.path()) {
                Err(SandboxError::Link { path }) => assert_eq!(path, link),
                other => panic!("{place}: {other:?}"),
            }
        }
        assert!(outside.path().join("kept").is_dir());
    }

    #[test]
    fn prepare_accepts_links_in_images_and_foreign_files() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join(state::IMAGES).join("ab".repeat(32));
        fs::create_dir_all(&image).unwrap();
        symlink("usr/bin", image.join("bin")).unwrap();
        symlink("/", dir.path().join("notes")).unwrap();
        prepare(dir.path()).unwrap();
    }

    #[test]
    fn prepare_makes_existing_state_private() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("snapshots")).unwrap();
        for name in ["sessions.json", "sandbox.log", "notes.txt"] {
            fs::write(dir.path().join(name), "").unwrap();
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o644)).unwrap();
        }
        fs::set_permissions(dir.path().join("snapshots"), fs::Permissions::from_mode(0o755)).unwrap();
        prepare(dir.path()).unwrap();
        let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("snapshots"), mode("sessions.json"), mode("sandbox.log")), (0o700, 0o600, 0o600));
        assert_eq!(mode("notes.txt"), 0o644, "the user's own file");
    }
}
