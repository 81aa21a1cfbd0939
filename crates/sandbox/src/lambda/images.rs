//! Unpacked images and zips: one directory per digest, kept while a function uses it.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thumbctl_platform::private_fs;

use super::internal_caller::SourceError;
use super::package::{self, PackageError};
use super::source::PackageSource;
use super::unpack::{self, UnpackError};
use crate::error::log_error;
use crate::storage::tree::{self, Directory};

/// Why an image cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageCacheError {
    #[error("cannot create the image's directory {}", .path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("the image cannot be unpacked")]
    Unpack(#[from] UnpackError),
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error("the digest {0} is malformed")]
    Digest(String),
    #[error("the image is no longer in its registry")]
    MissingFromRegistry(#[from] SourceError),
    #[error("the unpacking was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// Whether a text is a digest, and so safe as a path.
pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The unpacked images, one directory per digest.
#[derive(Debug, Clone)]
pub(crate) struct ImageCache {
    dir: PathBuf,
    /// Serialises unpacking and removal, so that no image is unpacked twice or removed while it is unpacked.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl ImageCache {
    /// Creates a cache in `dir`.
    pub(crate) fn new(dir: PathBuf) -> Self {
        // Absolute, since processes start with other working directories.
        let dir = std::path::absolute(&dir).unwrap_or(dir);
        Self { dir, turn: Arc::default() }
    }

    /// The directory of the image with `digest`, whether it exists or not.
    pub(crate) fn root(&self, digest: &str) -> PathBuf {
        self.dir.join(digest.strip_prefix("sha256:").unwrap_or(digest))
    }

    /// Unpacks `source` unless it is unpacked already.
    pub(crate) async fn ensure(&self, source: &PackageSource) -> Result<PathBuf, ImageCacheError> {
        let digest = source.digest();
        if !is_digest(digest) {
            return Err(ImageCacheError::Digest(digest.to_owned()));
        }
        let root = self.root(digest);
        let _turn = self.turn.lock().await;
        if root.is_dir() {
            return Ok(root);
        }
        let (source, dir, done) = (source.clone(), self.dir.clone(), root.clone());
        tokio::task::spawn_blocking(move || {
            let part = format!("{}.part", uuid::Uuid::new_v4());
            let temporary = dir.join(&part);
            let failed = |source| ImageCacheError::Directory { path: temporary.clone(), source };
            private_fs::create_dir_all(&temporary).map_err(failed)?;
            let unpacked = match &source {
                PackageSource::Image(image) => unpack::unpack(&image.layers, &temporary).map_err(ImageCacheError::from),
                PackageSource::Zip { path, .. } => package::unpack(path, &temporary).map_err(ImageCacheError::from),
            };
            let result = unpacked.and_then(|()| fs::rename(&temporary, &done).map_err(failed));
            if result.is_err() {
                // Leftovers are removed with the unused images.
                let _ = tree::remove(&dir, part);
            }
            result
        })
        .await??;
        Ok(root)
    }

    /// Removes every image that is not in `used`, and the leftovers of interrupted unpacking.
    pub(crate) async fn retain(&self, used: impl FnOnce() -> HashSet<PathBuf>) {
        let _turn = self.turn.lock().await;
        let used = used();
        let dir = self.dir.clone();
        let removal = tokio::task::spawn_blocking(move || {
            // Opened step by step: neither directory may be a link.
            let parent = Directory::open(dir.parent().unwrap_or(&dir))?;
            let images = parent.open_dir(dir.file_name().unwrap_or_default())?;
            for (name, _) in images.entries()? {
                if !used.contains(&dir.join(&name)) {
                    images.remove(&name)?;
                }
            }
            Ok(())
        });
        match removal.await.map_err(io::Error::other).and_then(|removed| removed) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                // Only costs space; the next removal retries.
                log_error(format_args!("cannot remove unused images: {cause}"));
            }
            _ => {}
        }
    }
}
