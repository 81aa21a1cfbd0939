//! The content of objects and parts on its way to storage: S3's ETag is its MD5.

use std::io;

use md5::{Digest, Md5};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::storage::blobs::{BlobWriter, Blobs, hex};

/// Stored content.
#[derive(Debug)]
pub(super) struct Content {
    /// The blob's name.
    pub sha256: String,
    /// Hexadecimal; the ETag of an object that was not uploaded in parts.
    pub md5: String,
    /// In bytes.
    pub size: u64,
}

/// Content being stored. Dropped without [`ContentWriter::finish`], it leaves nothing.
pub(super) struct ContentWriter {
    blob: BlobWriter,
    md5: Md5,
}

impl ContentWriter {
    pub(super) async fn new(blobs: &Blobs) -> io::Result<Self> {
        Ok(Self { blob: blobs.writer().await?, md5: Md5::new() })
    }

    /// Appends bytes.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.md5.update(bytes);
        self.blob.write(bytes).await
    }

    /// The number of bytes so far.
    pub(super) fn len(&self) -> u64 {
        self.blob.len()
    }

    /// Stores the content.
    pub(super) async fn finish(self) -> io::Result<Content> {
        let blob = self.blob.finish().await?;
        Ok(Content { sha256: blob.sha256, md5: hex(&self.md5.finalize()), size: blob.len })
    }
}

/// The MD5 of everything that a reader returns, hexadecimal.
pub(super) async fn md5_of(mut reader: impl AsyncRead + Unpin) -> io::Result<String> {
    let mut md5 = Md5::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match reader.read(&mut buffer).await? {
            0 => return Ok(hex(&md5.finalize())),
            read => md5.update(&buffer[..read]),
        }
    }
}
