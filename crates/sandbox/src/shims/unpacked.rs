//! The unpacked files of a stored image, for `COPY --from`.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::ShimError;
use super::images::ImageStore;
use crate::lambda::{SourceLayer, unpack_layers};

/// Unpacks an image by its manifest's digest, and returns the directory. Layers are untrusted: Lambda's unpacking keeps
/// them inside the directory and within limits.
pub(super) fn unpack(images: &ImageStore, digest: &str) -> Result<PathBuf, ShimError> {
    let root = images.path(digest).with_extension("files");
    if root.is_dir() {
        return Ok(root);
    }
    let failed = || format!("cannot unpack {digest}");
    // Renamed when complete, since an existing directory counts as complete.
    let part = images.path(digest).with_extension("part");
    match fs::remove_dir_all(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(ShimError::io(failed())(error)),
        _ => fs::create_dir_all(&part).map_err(ShimError::io(failed()))?,
    }
    let layers: Vec<SourceLayer> = images
        .manifest(digest)?
        .layers
        .into_iter()
        .map(|layer| SourceLayer { media_type: layer.media_type, path: images.path(&layer.digest) })
        .collect();
    unpack_layers(&layers, &part).map_err(|error| ShimError::io(failed())(io::Error::other(error)))?;
    fs::rename(&part, &root).map_err(ShimError::io(failed()))?;
    Ok(root)
}
