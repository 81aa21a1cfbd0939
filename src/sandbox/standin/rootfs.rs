//! The files of an image that is kept, unpacked for `COPY --from`.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek as _};
use std::path::{Path, PathBuf};

use super::Error;
use super::images::Images;

/// The directory with an image's files, by the digest of its manifest.
pub(super) fn unpack(images: &Images, digest: &str) -> Result<PathBuf, Error> {
    let root = images.path(digest).with_extension("files");
    if root.is_dir() {
        return Ok(root);
    }
    let failed = || format!("cannot unpack {digest}");
    fs::create_dir_all(&root).map_err(Error::io(failed()))?;
    for layer in images.manifest(digest)?.layers {
        File::open(images.path(&layer.digest)).and_then(|file| apply(file, &root)).map_err(Error::io(failed()))?;
    }
    Ok(root)
}

fn apply(mut file: File, root: &Path) -> io::Result<()> {
    let mut magic = Vec::new();
    (&mut file).take(2).read_to_end(&mut magic)?;
    file.rewind()?;
    let file = BufReader::new(file);
    let reader: Box<dyn Read> =
        if magic == b"\x1f\x8b" { Box::new(flate2::read::GzDecoder::new(file)) } else { Box::new(file) };
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(hidden) = name.strip_prefix(".wh.") else {
            let kind = entry.header().entry_type();
            if kind.is_file() || kind.is_dir() || kind.is_symlink() || kind.is_hard_link() {
                // Leaves out what would lead out of the directory.
                entry.unpack_in(root)?;
            }
            continue;
        };
        // A mark that a file of a layer below is gone, or everything in its directory.
        let inside = path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
        let directory = root.join(path.parent().unwrap_or(Path::new("")));
        match hidden {
            _ if !inside => {}
            ".opq" | ".wh..opq" => remove_all_in(&directory)?,
            hidden => remove(&directory.join(hidden))?,
        }
    }
    Ok(())
}

fn remove_all_in(directory: &Path) -> io::Result<()> {
    match fs::read_dir(directory) {
        Ok(mut entries) => entries.try_for_each(|entry| remove(&entry?.path())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        _ => fs::remove_file(path),
    };
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}
