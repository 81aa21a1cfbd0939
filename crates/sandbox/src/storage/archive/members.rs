//! Reads the members of tar archives as [`super::pack`] writes them: plain ones and GNU long names.
//!
//! The `tar` crate would accept names of any length and more kinds of headers.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use tar::EntryType;

use super::ArchiveError;

/// The longest path of a member or target of a link, in bytes.
const MAX_PATH: usize = 1024;
/// The longest component of a path in bytes, as on most file systems.
const MAX_PART: usize = 255;
/// The deepest nesting of directories.
const MAX_DEPTH: usize = 64;

/// The kind of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MemberKind {
    File,
    Directory,
    /// A symbolic link with its target.
    Link(PathBuf),
}

/// A member of an archive.
#[derive(Debug)]
pub(super) struct Member {
    /// Relative, without `.` and `..`.
    pub(super) path: PathBuf,
    pub(super) kind: MemberKind,
    pub(super) executable: bool,
    /// The size of its content in bytes.
    pub(super) size: u64,
}

/// Calls `take` for every member with its content.
pub(super) fn for_each<R: Read>(
    input: R,
    mut take: impl FnMut(Member, &mut tar::Entry<'_, R>) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut archive = tar::Archive::new(input);
    let (mut long_name, mut long_target) = (None, None);
    for entry in archive.entries().map_err(ArchiveError::Read)?.raw(true) {
        let mut entry = entry.map_err(ArchiveError::Read)?;
        let kind = entry.header().entry_type();
        let long = match kind {
            EntryType::GNULongName => Some(&mut long_name),
            EntryType::GNULongLink => Some(&mut long_target),
            _ => None,
        };
        if let Some(long) = long {
            let text = read_text(&mut entry)?;
            if long.replace(text).is_some() {
                return Err(ArchiveError::Read(io::Error::new(io::ErrorKind::InvalidData, "two names of one file")));
            }
            continue;
        }
        let name = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        let foreign = || ArchiveError::foreign(&name);
        let path = relative(&name).ok_or_else(foreign)?;
        let target = long_target.take().or_else(|| entry.link_name_bytes().map(|target| target.into_owned()));
        let kind = match kind {
            EntryType::Regular => MemberKind::File,
            EntryType::Directory => MemberKind::Directory,
            EntryType::Symlink => MemberKind::Link(link_target(target.as_deref()).ok_or_else(foreign)?),
            // Hard links, devices, pipes, sparse files and other headers.
            _ => return Err(foreign()),
        };
        let executable = entry.header().mode().map_err(ArchiveError::Read)? & 0o100 != 0;
        let size = entry.size();
        take(Member { path, kind, executable, size }, &mut entry)?;
    }
    Ok(())
}

/// Reads a long name, which ends with a NUL.
fn read_text(entry: &mut impl Read) -> Result<Vec<u8>, ArchiveError> {
    let mut text = Vec::new();
    entry.take(MAX_PATH as u64 + 2).read_to_end(&mut text).map_err(ArchiveError::Read)?;
    if text.last() == Some(&0) {
        text.pop();
    }
    Ok(text)
}

/// The relative path of a member, if it stays within the target directory and the limits.
fn relative(name: &[u8]) -> Option<PathBuf> {
    if name.len() > MAX_PATH || name.contains(&0) {
        return None;
    }
    let mut path = PathBuf::new();
    for component in Path::new(OsStr::from_bytes(name)).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(part) if part.len() <= MAX_PART => path.push(part),
            _ => return None,
        }
    }
    (path.components().count() <= MAX_DEPTH).then_some(path)
}

fn link_target(target: Option<&[u8]>) -> Option<PathBuf> {
    let target = target.filter(|target| !target.is_empty() && target.len() <= MAX_PATH && !target.contains(&0))?;
    Some(PathBuf::from(OsStr::from_bytes(target)))
}
