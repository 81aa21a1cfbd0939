//! A layer: an uncompressed, reproducible tar archive, hashed while it is written.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::storage::dir_handle::DirEntry;

/// The archive's hash and size.
pub(super) struct TarballDigest {
    pub(super) hex: String,
    pub(super) size: u64,
}

/// A layer being written.
pub(super) struct Tarball {
    archive: tar::Builder<HashingWriter>,
    directories: BTreeSet<PathBuf>,
    chmod: Option<u32>,
}

/// Writes bytes to a file and hashes them.
struct HashingWriter {
    file: BufWriter<File>,
    hash: Sha256,
    size: u64,
}

impl Write for HashingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Tarball {
    /// Creates an empty layer in a new file; `chmod` overrides the modes of its entries.
    pub(super) fn create(file: &Path, chmod: Option<u32>) -> io::Result<Self> {
        let file = BufWriter::with_capacity(256 * 1024, File::create(file)?);
        Ok(Self {
            archive: tar::Builder::new(HashingWriter { file, hash: Sha256::new(), size: 0 }),
            directories: BTreeSet::new(),
            chmod,
        })
    }

    /// Adds a file, or a directory with its content, under an absolute path. `path` is its path in the source;
    /// `is_excluded` gets the path of each entry below a directory, and whether it is a directory. Links are added as links.
    ///
    /// # Errors
    /// If an entry cannot be read or written, or is neither a file, a directory nor a link.
    pub(super) fn add(
        &mut self,
        entry: &DirEntry,
        path: &Path,
        target: &Path,
        is_excluded: &dyn Fn(&Path, bool) -> bool,
    ) -> io::Result<()> {
        match entry {
            DirEntry::Directory(directory) => {
                self.directory(target)?;
                for (name, kind) in directory.list()? {
                    let path = path.join(&name);
                    if !is_excluded(&path, kind.is_dir()) {
                        self.add(&directory.entry(&name)?, &path, &target.join(&name), is_excluded)?;
                    }
                }
                Ok(())
            }
            DirEntry::Link(to) => self.link(to, target),
            DirEntry::File(file) => self.file(file, target),
            DirEntry::Special => {
                Err(io::Error::other(format!("{} is neither a file, a directory nor a link", path.display())))
            }
        }
    }

    fn file(&mut self, file: &File, target: &Path) -> io::Result<()> {
        if let Some(parent) = target.parent() {
            self.directory(parent)?;
        }
        let metadata = file.metadata()?;
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(metadata.len());
        header.set_mode(self.chmod.unwrap_or(metadata.permissions().mode() & 0o7777));
        // A file that grows during the read must not corrupt the archive.
        let content = io::BufReader::with_capacity(256 * 1024, file).take(metadata.len());
        self.append(header, target, content)
    }

    /// Ends the archive.
    pub(super) fn finish(self) -> io::Result<TarballDigest> {
        let mut out = self.archive.into_inner()?;
        out.flush()?;
        Ok(TarballDigest { hex: format!("{:x}", out.hash.finalize()), size: out.size })
    }

    fn link(&mut self, to: &Path, target: &Path) -> io::Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        let name = target.strip_prefix("/").unwrap_or(target);
        self.archive.append_link(&mut header, name, to)
    }

    /// Adds an entry for a directory and each of its parents, once.
    pub(super) fn directory(&mut self, path: &Path) -> io::Result<()> {
        let mut above: Vec<_> = path.ancestors().collect();
        above.reverse();
        for directory in above {
            let named = directory.components().any(|part| matches!(part, Component::Normal(_)));
            if named && self.directories.insert(directory.to_owned()) {
                let mut header = tar::Header::new_ustar();
                header.set_entry_type(tar::EntryType::Directory);
                header.set_size(0);
                header.set_mode(0o755);
                self.append(header, directory, io::empty())?;
            }
        }
        Ok(())
    }

    fn append(&mut self, mut header: tar::Header, target: &Path, data: impl io::Read) -> io::Result<()> {
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        let name = target.strip_prefix("/").unwrap_or(target);
        self.archive.append_data(&mut header, name, data)
    }
}
