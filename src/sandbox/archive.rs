//! A directory as one file that can be handed on: a tar archive, compressed with gzip.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use tar::EntryType;

/// Where links may be: in the directories of functions' images, which are their own root.
const LINKS: &str = "sandbox/lambda/images";

/// Packs a directory into a file that only its owner may read: there are keys in it, if only the sandbox's.
///
/// # Errors
/// When the directory cannot be read, or the file not be written.
pub fn pack(dir: &Path, file: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let temporary = file.with_extension("new");
    let out = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    let mut archive = tar::Builder::new(GzEncoder::new(io::BufWriter::new(out), Compression::fast()));
    archive.follow_symlinks(false);
    archive.append_dir_all("", dir)?;
    archive.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.flush()?;
    std::fs::rename(&temporary, file)
}

/// Unpacks such a file into a directory, which must be there. Nothing is put outside of it, whatever the archive says.
///
/// # Errors
/// When the file is no such archive, or the directory cannot be written.
pub fn unpack(file: &Path, dir: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(GzDecoder::new(io::BufReader::new(File::open(file)?)));
    archive.set_preserve_permissions(true);
    archive.set_overwrite(false);
    for entry in archive.entries()? {
        let mut entry = entry?;
        // Links are in images' directories; devices and the like are in nothing that was packed here.
        let kind = entry.header().entry_type();
        let known = match kind {
            EntryType::Regular | EntryType::Directory => true,
            EntryType::Symlink => entry.path()?.starts_with(LINKS),
            _ => false,
        };
        if !known || !entry.unpack_in(dir)? {
            let name = entry.path().map(|path| path.display().to_string()).unwrap_or_default();
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it holds '{name}', which is not a saved state's"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_out_as_it_was() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir_all(from.path().join("a/b")).unwrap();
        std::fs::write(from.path().join("a/b/c"), "text").unwrap();
        let file = to.path().join("state.tar.gz");
        pack(from.path(), &file).unwrap();
        let out = to.path().join("out");
        std::fs::create_dir(&out).unwrap();
        unpack(&file, &out).unwrap();
        assert_eq!(std::fs::read_to_string(out.join("a/b/c")).unwrap(), "text");
    }

    #[test]
    fn an_archive_cannot_write_outside_of_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("evil.tar.gz");
        let mut archive = tar::Builder::new(GzEncoder::new(File::create(&file).unwrap(), Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(4);
        // `set_path` refuses this itself.
        header.as_gnu_mut().unwrap().name[..10].copy_from_slice(b"../escaped");
        header.set_cksum();
        archive.append(&header, &b"evil"[..]).unwrap();
        archive.into_inner().unwrap().finish().unwrap();
        let out = dir.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let error = unpack(&file, &out).unwrap_err();
        assert!(error.to_string().contains("escaped"), "{error}");
        assert!(!dir.path().join("escaped").exists());
    }
}
