//! The files of an image that is kept, unpacked for `COPY --from`.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::ShimError;
use super::images::ImageStore;
use crate::lambda::{SourceLayer, unpack_layers};

/// The directory with an image's files, by the digest of its manifest. A layer is somebody else's: it is unpacked as
/// Lambda unpacks it, which keeps it inside its directory, within limits.
pub(super) fn unpack(images: &ImageStore, digest: &str) -> Result<PathBuf, ShimError> {
    let root = images.path(digest).with_extension("files");
    if root.is_dir() {
        return Ok(root);
    }
    let failed = || format!("cannot unpack {digest}");
    // Whole or not at all: a directory that is there is taken for complete.
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
