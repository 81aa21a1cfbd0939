//! The images and zips that functions run from, unpacked once a digest and kept as long as a function uses it.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::house::SourceError;
use super::package::{self, PackageError};
use super::source::Source;
use super::unpack::{self, UnpackError};

/// Why an image is not there to run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("the image's directory {} cannot be made", .path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("the image cannot be unpacked")]
    Unpack(#[from] UnpackError),
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error("the digest {0} is malformed")]
    Digest(String),
    #[error("the image is not in its registry any more")]
    Gone(#[from] SourceError),
    #[error("the unpacking was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// The unpacked images, a directory each, named by digest.
#[derive(Debug, Clone)]
pub(crate) struct Images {
    dir: PathBuf,
    /// One image is unpacked or removed at a time: two functions of one image must not unpack it twice, and a removal
    /// must not meet an unpacking.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Images {
    /// Keeps images in `dir`.
    pub(crate) fn new(dir: PathBuf) -> Self {
        // Processes are started from here with a working directory of their own.
        let dir = std::path::absolute(&dir).unwrap_or(dir);
        Self { dir, turn: Arc::default() }
    }

    /// Where the image with `digest` is or would be.
    pub(crate) fn root(&self, digest: &str) -> PathBuf {
        self.dir.join(digest.strip_prefix("sha256:").unwrap_or(digest))
    }

    /// Unpacks `source`, unless it is there.
    pub(crate) async fn ensure(&self, source: &Source) -> Result<PathBuf, ImageError> {
        let digest = source.digest();
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ImageError::Digest(digest.to_owned()));
        }
        let root = self.root(digest);
        let _turn = self.turn.lock().await;
        if root.is_dir() {
            return Ok(root);
        }
        let (source, dir, done) = (source.clone(), self.dir.clone(), root.clone());
        tokio::task::spawn_blocking(move || {
            let temporary = dir.join(format!("{}.part", uuid::Uuid::new_v4()));
            let failed = |source| ImageError::Directory { path: temporary.clone(), source };
            fs::create_dir_all(&temporary).map_err(failed)?;
            let unpacked = match &source {
                Source::Image(image) => unpack::unpack(&image.layers, &temporary).map_err(ImageError::from),
                Source::Zip { path, .. } => package::unpack(path, &temporary).map_err(ImageError::from),
            };
            let result = unpacked.and_then(|()| fs::rename(&temporary, &done).map_err(failed));
            if result.is_err() {
                remove(&temporary);
            }
            result
        })
        .await??;
        Ok(root)
    }

    /// Removes every image that is not in `used`, and what an interrupted unpacking left.
    pub(crate) async fn retain(&self, used: impl FnOnce() -> HashSet<PathBuf>) {
        let _turn = self.turn.lock().await;
        let used = used();
        let dir = self.dir.clone();
        let removal = tokio::task::spawn_blocking(move || {
            for found in fs::read_dir(dir).into_iter().flatten().flatten() {
                if !used.contains(&found.path()) {
                    remove(&found.path());
                }
            }
        });
        // A panic in there leaves an image too many, nothing worse.
        let _ = removal.await;
    }
}

/// A directory that stays behind costs only space, and is tried again at the next occasion.
fn remove(dir: &Path) {
    let _ = fs::remove_dir_all(dir);
}
