//! [`Blobs`]: content-addressed storage for S3 objects and ECR layers.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use thumbctl_platform::private_fs;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::storage::tree::{self, Directory};

/// The directory of incomplete blobs.
const INCOMING: &str = "incoming";

/// A directory of files named by the SHA-256 of their content. Files appear atomically.
pub(crate) struct Blobs {
    dir: PathBuf,
    next: AtomicU64,
}

/// A stored blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob {
    /// Hexadecimal.
    pub sha256: String,
    pub len: u64,
}

impl Blobs {
    /// Opens or creates the directory, and removes incomplete blobs of an earlier process.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        tree::remove(dir, INCOMING)?;
        private_fs::create_dir_all(&dir.join(INCOMING))?;
        Ok(Self { dir: dir.to_owned(), next: AtomicU64::new(0) })
    }

    /// The path of the blob with this hash, whether or not it exists.
    pub(crate) fn path(&self, sha256_hex: &str) -> PathBuf {
        debug_assert!(is_hash(sha256_hex), "a blob's name is a hash, never what a client sent");
        let (prefix, _) = sha256_hex.split_at(sha256_hex.len().min(2));
        self.dir.join(prefix).join(sha256_hex)
    }

    /// Creates a writer for a new blob. Dropped without [`BlobWriter::finish`], it leaves nothing.
    pub(crate) async fn writer(&self) -> io::Result<BlobWriter> {
        let path = self.incoming();
        let file = File::from_std(private_fs::create(&path)?);
        Ok(BlobWriter { dir: self.dir.clone(), temporary: Temporary(path), file, sha256: Sha256::new(), len: 0 })
    }

    /// Removes every blob that is not used. Call it at the start only, while there are no writers.
    pub(crate) fn sweep(&self, is_used: impl Fn(&str) -> bool) -> io::Result<()> {
        let directory = Directory::open(&self.dir)?;
        for (name, _) in directory.entries()?.iter().filter(|(name, _)| name.len() == 2) {
            let prefix = directory.open_dir(name)?;
            for (blob, _) in prefix.entries()? {
                if !blob.to_str().is_some_and(&is_used) {
                    prefix.remove(&blob)?;
                }
            }
        }
        Ok(())
    }

    fn incoming(&self) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.dir.join(INCOMING).join(number.to_string())
    }
}

/// A blob being written.
pub(crate) struct BlobWriter {
    dir: PathBuf,
    temporary: Temporary,
    file: File,
    sha256: Sha256,
    len: u64,
}

impl BlobWriter {
    /// Appends bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sha256.update(bytes);
        self.len += bytes.len() as u64;
        self.file.write_all(bytes).await
    }

    /// The number of bytes so far.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Stores the blob.
    pub(crate) async fn finish(mut self) -> io::Result<Blob> {
        self.file.flush().await?;
        drop(self.file);
        let blob = Blob { sha256: hex(&self.sha256.finalize()), len: self.len };
        store(&self.dir, &self.temporary.0, &blob)?;
        Ok(blob)
    }
}

/// A temporary file, removed on drop unless renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn store(dir: &Path, temporary: &Path, blob: &Blob) -> io::Result<()> {
    let prefix = dir.join(&blob.sha256[..2]);
    private_fs::create_dir_all(&prefix)?;
    std::fs::rename(temporary, prefix.join(&blob.sha256))
}

/// Whether a text is a blob's name.
pub(crate) fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
