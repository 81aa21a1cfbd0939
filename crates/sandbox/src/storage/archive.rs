//! A saved state as a file to share: a tar archive compressed with gzip.
//!
//! Archives are not trusted. Unpacking writes below one empty directory only, and creates nothing but private files, private
//! directories, and links inside of function images.

mod limits;
mod links;
mod members;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
pub use limits::{ArchiveLimits, LimitExceeded};
use thumbctl_platform::private_fs;

use self::limits::{Counted, Limited};
use self::members::{Member, MemberKind};
use crate::storage::state::{self, PathKind};

/// The directory of the sandbox's part of a saved state.
const SANDBOX: &str = "sandbox";
/// The size of the copy buffer.
const CHUNK: usize = 128 * 1024;

/// Why a directory cannot be packed, or an archive cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file is not an archive, is truncated or damaged.
    #[error("it cannot be read as a compressed tar archive")]
    Read(#[source] io::Error),
    /// Files cannot be read or written.
    #[error("files cannot be read or written")]
    Io(#[source] io::Error),
    /// It contains a foreign member.
    #[error("it contains '{name}', which is not part of a saved state")]
    Foreign {
        /// The member's name, without control characters.
        name: String,
    },
    /// It exceeds a limit.
    #[error("it contains {0}, the limit of a saved state")]
    TooLarge(LimitExceeded),
}

impl ArchiveError {
    fn foreign(name: &[u8]) -> Self {
        Self::Foreign { name: thumbctl_platform::text::clean(&String::from_utf8_lossy(name)) }
    }

    fn foreign_path(path: &Path) -> Self {
        Self::foreign(path.as_os_str().as_encoded_bytes())
    }
}

/// Packs a directory into a file readable by its owner only, since it contains the sandbox's keys. The file can be unpacked
/// within the same limits.
///
/// # Errors
/// When the directory cannot be read, the file cannot be written, or a limit is exceeded.
pub fn pack(dir: &Path, file: &Path, limits: ArchiveLimits) -> Result<(), ArchiveError> {
    let (members, bytes) = measure(dir).map_err(ArchiveError::Io)?;
    if members > limits.members {
        return Err(ArchiveError::TooLarge(LimitExceeded::Members(limits.members)));
    }
    if bytes > limits.bytes {
        return Err(ArchiveError::TooLarge(LimitExceeded::Bytes(limits.bytes)));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut packed = compress(dir, folder, Compression::fast()).map_err(ArchiveError::Io)?;
    let size = packed.as_file().metadata().map_err(ArchiveError::Io)?.len();
    if limits.check(size, bytes).is_err() {
        // Above the ratio limit: stored uncompressed, it can be unpacked.
        packed = compress(dir, folder, Compression::none()).map_err(ArchiveError::Io)?;
    }
    packed.persist(file).map_err(|error| ArchiveError::Io(error.error))?;
    Ok(())
}

/// Packs into a temporary file in `folder` with mode 0600.
fn compress(dir: &Path, folder: &Path, level: Compression) -> io::Result<tempfile::NamedTempFile> {
    let file = tempfile::Builder::new().prefix(".saving-").tempfile_in(folder)?;
    let mut archive = tar::Builder::new(GzEncoder::new(BufWriter::with_capacity(CHUNK, file), level));
    archive.follow_symlinks(false);
    archive.append_dir_all("", dir)?;
    archive.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)
}

/// The number of files and their approximate size in an archive.
fn measure(dir: &Path) -> io::Result<(usize, u64)> {
    // Header, long name and padding of the last block.
    const OVERHEAD: u64 = 4096;
    let (mut members, mut bytes) = (1, OVERHEAD);
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let found = entry.metadata()?;
        let (more_members, more_bytes) =
            if found.is_dir() { measure(&entry.path())? } else { (1, found.len() + OVERHEAD) };
        members += more_members;
        bytes += more_bytes;
    }
    Ok((members, bytes))
}

/// Unpacks a saved state into an empty directory. `belongs` decides on members outside of the sandbox's part, by their path
/// and whether they are directories.
///
/// # Errors
/// When the file is not an archive of a saved state or exceeds the limits, or the directory cannot be written. Unpacked files
/// then remain in the directory.
pub fn unpack(
    file: &Path,
    dir: &Path,
    limits: ArchiveLimits,
    belongs: &dyn Fn(&Path, bool) -> bool,
) -> Result<(), ArchiveError> {
    let file = File::open(file).map_err(ArchiveError::Read)?;
    if std::fs::read_dir(dir).map_err(ArchiveError::Io)?.next().is_some() {
        return Err(ArchiveError::Io(io::Error::new(io::ErrorKind::DirectoryNotEmpty, "the directory is not empty")));
    }
    let (counted, packed) = Counted::new(file);
    let decoder = GzDecoder::new(BufReader::with_capacity(CHUNK, counted));
    let (mut limited, excess) = Limited::new(decoder, limits, packed);
    let mut unpacking = Unpacking {
        dir,
        limits,
        belongs,
        members: 0,
        directories: HashSet::new(),
        links: Vec::new(),
        buffer: vec![0; CHUNK],
    };
    let unpacked = members::for_each(&mut limited, |member, content| unpacking.unpack_member(member, content))
        // Reads to the end, for the checksum.
        .and_then(|()| io::copy(&mut limited, &mut io::sink()).map_err(ArchiveError::Read))
        .and_then(|_| unpacking.create_links());
    match (excess.get(), unpacked) {
        (Some(excess), Err(_)) => Err(ArchiveError::TooLarge(excess)),
        (_, unpacked) => unpacked,
    }
}

struct Unpacking<'a> {
    dir: &'a Path,
    limits: ArchiveLimits,
    belongs: &'a dyn Fn(&Path, bool) -> bool,
    members: usize,
    /// The created directories.
    directories: HashSet<PathBuf>,
    /// Links to create last, so that nothing is written through one.
    links: Vec<(PathBuf, PathBuf)>,
    buffer: Vec<u8>,
}

impl Unpacking<'_> {
    fn unpack_member(&mut self, member: Member, content: &mut impl Read) -> Result<(), ArchiveError> {
        self.members += 1;
        if self.members > self.limits.members {
            return Err(ArchiveError::TooLarge(LimitExceeded::Members(self.limits.members)));
        }
        if member.path.as_os_str().is_empty() && member.kind == MemberKind::Directory {
            return Ok(());
        }
        let is_dir = member.kind == MemberKind::Directory;
        let path_kind = match member.path.strip_prefix(SANDBOX) {
            Ok(below) => state::path_kind(below),
            Err(_) if (self.belongs)(&member.path, is_dir) => {
                if is_dir {
                    PathKind::Directory
                } else {
                    PathKind::File
                }
            }
            Err(_) => PathKind::Foreign,
        };
        let target = self.dir.join(&member.path);
        match (path_kind, &member.kind) {
            (PathKind::Transient, _) => Ok(()),
            (PathKind::Directory | PathKind::Content | PathKind::ImageContent, MemberKind::Directory) => {
                self.create_directory(&target).map_err(|cause| foreign_or_io(cause, &member.path))
            }
            (PathKind::File | PathKind::Content | PathKind::ImageContent, MemberKind::File) => {
                self.create_parent(&target, &member.path)?;
                self.write_file(&target, &member, content)
            }
            (PathKind::ImageContent, MemberKind::Link(points_to)) => {
                self.create_parent(&target, &member.path)?;
                self.links.push((member.path.clone(), points_to.clone()));
                Ok(())
            }
            _ => Err(ArchiveError::foreign_path(&member.path)),
        }
    }

    fn write_file(&mut self, target: &Path, member: &Member, content: &mut impl Read) -> Result<(), ArchiveError> {
        let mut options = private_fs::options();
        options.mode(if member.executable { 0o700 } else { 0o600 });
        let opened = options.write(true).create_new(true).open(target);
        let mut out = opened.map_err(|cause| foreign_or_io(cause, &member.path))?;
        let mut left = member.size;
        while left > 0 {
            match content.read(&mut self.buffer).map_err(ArchiveError::Read)? {
                0 => return Err(ArchiveError::Read(io::ErrorKind::UnexpectedEof.into())),
                length => {
                    out.write_all(&self.buffer[..length]).map_err(ArchiveError::Io)?;
                    left = left.saturating_sub(length as u64);
                }
            }
        }
        Ok(())
    }

    fn create_parent(&mut self, target: &Path, path: &Path) -> Result<(), ArchiveError> {
        let parent = target.parent().unwrap_or(self.dir);
        self.create_directory(parent).map_err(|cause| foreign_or_io(cause, path))
    }

    fn create_directory(&mut self, target: &Path) -> io::Result<()> {
        if !self.directories.contains(target) {
            private_fs::create_dir_all(target)?;
            self.directories.insert(target.to_owned());
        }
        Ok(())
    }

    fn create_links(self) -> Result<(), ArchiveError> {
        for (path, points_to) in &self.links {
            std::os::unix::fs::symlink(points_to, self.dir.join(path)).map_err(|cause| foreign_or_io(cause, path))?;
        }
        for (path, _) in &self.links {
            let depth = Path::new(SANDBOX).join(state::IMAGES).components().count() + 1;
            let image: PathBuf = path.components().take(depth).collect();
            let below: PathBuf = path.components().skip(depth).collect();
            // Fails for links that cannot be resolved, such as a loop.
            links::contain(&self.dir.join(image), &below).map_err(|_| ArchiveError::foreign_path(path))?;
        }
        Ok(())
    }
}

/// The error for a failed write: duplicate members and files used as directories are foreign.
fn foreign_or_io(cause: io::Error, path: &Path) -> ArchiveError {
    match cause.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => ArchiveError::foreign_path(path),
        _ => ArchiveError::Io(cause),
    }
}
