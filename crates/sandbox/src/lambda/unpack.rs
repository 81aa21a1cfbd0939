//! Unpacks an image's layers into a directory, each over the previous one.
//!
//! Layers are untrusted: an entry may only affect files below the directory, whatever its name and earlier links.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use super::internal_caller::SourceLayer;
use super::rootfs;

/// Lambda's limit for uncompressed images: 10 GB.
const MAX_UNPACKED: u64 = 10 << 30;
/// The limit of a layer's entries; more means an attack.
const MAX_ENTRIES: usize = 1_000_000;
/// The prefix of whiteout files, which remove a lower layer's file.
const WHITEOUT: &[u8] = b".wh.";
/// The opaque whiteout, which removes the directory's content of lower layers.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Why an image cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    #[error("layer {layer} cannot be read")]
    Layer { layer: String, source: io::Error },
    #[error("layer {layer}: {entry} cannot be unpacked")]
    ZipEntryPoint { layer: String, entry: String, source: io::Error },
    #[error("layer {layer}: the entry {entry} leads out of the image")]
    Escape { layer: String, entry: String },
    #[error("unsupported layer media type {0}")]
    MediaType(String),
    #[error("the image is larger than Lambda allows")]
    TooLarge,
}

/// Unpacks `layers` into `root`, which must exist and be empty.
pub(crate) fn unpack(layers: &[SourceLayer], root: &Path) -> Result<(), UnpackError> {
    let mut budget = MAX_UNPACKED;
    for layer in layers {
        if layer.media_type.ends_with("zstd") {
            return Err(UnpackError::MediaType(layer.media_type.clone()));
        }
        let name = layer.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let failed = |source| UnpackError::Layer { layer: name.clone(), source };
        let mut file = File::open(&layer.path).map_err(failed)?;
        // Detected from the bytes, since builders disagree about the media type.
        let mut magic = [0; 2];
        let read = file.read(&mut magic).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut unpacking = LayerUnpacker { layer: &name, root, budget, written: HashSet::new() };
        if magic[..read] == [0x1f, 0x8b] {
            let mut archive = tar::Archive::new(MultiGzDecoder::new(io::BufReader::with_capacity(1 << 18, file)));
            unpacking.all(archive.entries().map_err(failed)?, None)?;
        } else {
            let bytes = file.try_clone().map_err(failed)?;
            // Seeking over contents and letting the kernel copy them makes large files cheap. The clone shares its position
            // with the file, so contents need a second open.
            let contents = File::open(&layer.path).map_err(failed)?;
            let mut archive = tar::Archive::new(bytes);
            unpacking.all(archive.entries_with_seek().map_err(failed)?, Some(contents))?;
        }
        budget = unpacking.budget;
    }
    Ok(())
}

struct LayerUnpacker<'a> {
    layer: &'a str,
    root: &'a Path,
    budget: u64,
    /// Paths written by this layer, which its whiteouts do not remove.
    written: HashSet<PathBuf>,
}

impl LayerUnpacker<'_> {
    fn all<R: Read>(&mut self, entries: tar::Entries<'_, R>, contents: Option<File>) -> Result<(), UnpackError> {
        for (count, entry) in entries.enumerate() {
            if count > MAX_ENTRIES {
                return Err(UnpackError::TooLarge);
            }
            let mut entry = entry.map_err(|source| UnpackError::Layer { layer: self.layer.to_owned(), source })?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let path = self.inside(&entry.path_bytes())?;
            if is_file(entry.header().entry_type()) {
                self.budget = self.budget.checked_sub(entry.size()).ok_or(UnpackError::TooLarge)?;
            }
            self.one(&mut entry, &path, contents.as_ref()).map_err(|source| UnpackError::ZipEntryPoint {
                layer: self.layer.to_owned(),
                entry: name,
                source,
            })?;
        }
        Ok(())
    }

    /// The entry's path below the root, without `.` and a leading `/`. `..` is refused, since no builder writes it.
    fn inside(&self, name: &[u8]) -> Result<PathBuf, UnpackError> {
        let mut path = PathBuf::new();
        for component in Path::new(OsStr::from_bytes(name)).components() {
            match component {
                Component::RootDir | Component::CurDir => {}
                Component::Normal(part) => path.push(part),
                Component::ParentDir | Component::Prefix(_) => {
                    return Err(UnpackError::Escape {
                        layer: self.layer.to_owned(),
                        entry: String::from_utf8_lossy(name).into_owned(),
                    });
                }
            }
        }
        Ok(path)
    }

    fn one<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, path: &Path, contents: Option<&File>) -> io::Result<()> {
        let Some(name) = path.file_name() else {
            return Ok(());
        };
        let parent = rootfs::resolve(self.root, path.parent().unwrap_or(Path::new("")))?;
        let mode = entry.header().mode().unwrap_or(0o644) & 0o777;
        if name.as_bytes() == OPAQUE {
            // At once, since a later entry may turn the resolved directory into a link.
            return self.hide_unwritten(&parent);
        }
        if let Some(hidden) = name.as_bytes().strip_prefix(WHITEOUT) {
            // `.wh...` would name the parent directory.
            if matches!(hidden, b"" | b"." | b"..") {
                return Ok(());
            }
            let hidden = parent.join(OsStr::from_bytes(hidden));
            return if self.written.contains(&hidden) { Ok(()) } else { remove(&hidden) };
        }
        self.make_directories(&parent)?;
        let target = parent.join(name);
        match entry.header().entry_type() {
            EntryType::Directory => {
                let exists = fs::symlink_metadata(&target).is_ok_and(|found| found.is_dir());
                if !exists {
                    remove(&target)?;
                    fs::create_dir(&target)?;
                }
                // Owner permissions are needed to fill and delete the directory.
                fs::set_permissions(&target, fs::Permissions::from_mode(mode | 0o700))?;
            }
            kind if is_file(kind) => {
                remove(&target)?;
                let mut out = OpenOptions::new().write(true).create_new(true).mode(mode | 0o600).open(&target)?;
                match contents {
                    // The archive lacks a sparse file's holes.
                    Some(mut file) if kind != EntryType::GNUSparse => {
                        file.seek(SeekFrom::Start(entry.raw_file_position()))?;
                        let copied = io::copy(&mut file.take(entry.size()), &mut out)?;
                        if copied != entry.size() {
                            return Err(io::ErrorKind::UnexpectedEof.into());
                        }
                    }
                    _ => {
                        io::copy(&mut io::BufReader::with_capacity(1 << 18, entry), &mut out)?;
                    }
                }
                // The umask has changed the mode set at creation.
                out.set_permissions(fs::Permissions::from_mode(mode | 0o600))?;
            }
            EntryType::Symlink => {
                let Some(link) = entry.link_name_bytes() else {
                    return Err(io::ErrorKind::InvalidData.into());
                };
                remove(&target)?;
                std::os::unix::fs::symlink(OsStr::from_bytes(&link), &target)?;
            }
            EntryType::Link => {
                let Some(link) = entry.link_name_bytes() else {
                    return Err(io::ErrorKind::InvalidData.into());
                };
                let inside = self.inside(&link).map_err(|escape| io::Error::new(io::ErrorKind::InvalidData, escape))?;
                let existing = rootfs::resolve_entry(self.root, &inside)?;
                if existing != target {
                    remove(&target)?;
                    fs::hard_link(existing, &target)?;
                }
            }
            // Devices and pipes need root, and Lambda does not create them either.
            _ => return Ok(()),
        }
        self.written.insert(target);
        Ok(())
    }

    fn make_directories(&mut self, dir: &Path) -> io::Result<()> {
        if dir.is_dir() {
            return Ok(());
        }
        // Resolved already, so no part is a link; a lower layer's file is replaced.
        let below = dir.strip_prefix(self.root).map_err(io::Error::other)?;
        let mut path = self.root.to_owned();
        for part in below.components() {
            path.push(part);
            if !path.is_dir() {
                remove(&path)?;
                fs::create_dir(&path)?;
                self.written.insert(path.clone());
            }
        }
        Ok(())
    }

    /// Removes entries that this layer has not written, and keeps directories with entries that it has.
    fn hide_unwritten(&self, directory: &Path) -> io::Result<()> {
        let listing = match fs::read_dir(directory) {
            // Missing, or a lower layer's file.
            Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            listing => listing?,
        };
        for child in listing {
            let path = child?.path();
            if !self.written.iter().any(|written| written.starts_with(&path)) {
                remove(&path)?;
            } else if fs::symlink_metadata(&path)?.is_dir() {
                self.hide_unwritten(&path)?;
            }
        }
        Ok(())
    }
}

fn is_file(kind: EntryType) -> bool {
    matches!(kind, EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse)
}

/// Removes a file or directory; a link is removed, not followed.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        // A parent is a file, so nothing exists here.
        Err(cause) if cause.kind() == io::ErrorKind::NotADirectory => Ok(()),
        Err(cause) => Err(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A tar's entries: name, kind, content or link target.
    fn tar(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            // Written directly: the builder's own checks would refuse hostile names.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
            if is_link {
                header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
            }
            let body = if is_link { "" } else { content };
            header.set_size(body.len() as u64);
            header.set_cksum();
            builder.append(&header, body.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    struct TestImage {
        dir: tempfile::TempDir,
        layers: Vec<SourceLayer>,
    }

    impl TestImage {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("root")).unwrap();
            Self { dir, layers: Vec::new() }
        }

        fn layer(&mut self, bytes: &[u8]) -> &mut Self {
            let path = self.dir.path().join(format!("layer{}", self.layers.len()));
            fs::write(&path, bytes).unwrap();
            self.layers.push(SourceLayer { media_type: "application/vnd.oci.image.layer.v1.tar".to_owned(), path });
            self
        }

        fn unpack(&self) -> Result<(), UnpackError> {
            unpack(&self.layers, &self.root())
        }

        fn root(&self) -> PathBuf {
            self.dir.path().join("root")
        }

        fn read(&self, path: &str) -> Option<String> {
            fs::read_to_string(self.root().join(path)).ok()
        }
    }

    const FILE: EntryType = EntryType::Regular;
    const DIR: EntryType = EntryType::Directory;

    #[test]
    fn later_layers_replace_files_of_earlier_layers() {
        let mut image = TestImage::new();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&tar(&[("etc/b", FILE, "new"), ("run", EntryType::Symlink, "/etc/b")])).unwrap();
        image.layer(&tar(&[("etc", DIR, ""), ("etc/a", FILE, "a"), ("etc/b", FILE, "old")]));
        image.layer(&gzip.finish().unwrap());
        image.layer(&tar(&[("etc/c", EntryType::Link, "etc/b")]));
        image.unpack().unwrap();
        assert_eq!(image.read("etc/a").as_deref(), Some("a"));
        assert_eq!(image.read("etc/b").as_deref(), Some("new"));
        assert_eq!(image.read("etc/c").as_deref(), Some("new"));
        assert_eq!(fs::read_link(image.root().join("run")).unwrap(), Path::new("/etc/b"));
        let mode = fs::metadata(image.root().join("etc/a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }

    #[test]
    fn whiteouts_remove_only_files_of_lower_layers() {
        let mut image = TestImage::new();
        image.layer(&tar(&[("d/old", FILE, ""), ("d/sub/old", FILE, ""), ("x", FILE, ""), ("y", FILE, "")]));
        image.layer(&tar(&[
            ("d/new", FILE, ""),
            ("d/.wh..wh..opq", FILE, ""),
            (".wh.x", FILE, ""),
            (".wh...", FILE, ""),
        ]));
        image.unpack().unwrap();
        assert!(image.read("d/new").is_some());
        assert!(image.read("d/old").is_none());
        assert!(!image.root().join("d/sub").exists());
        assert!(image.read("x").is_none());
        assert!(image.read("y").is_some());
    }

    #[test]
    fn unpack_writes_nothing_outside_root() {
        for hostile in ["../out", "a/../../out", "/../out"] {
            let mut image = TestImage::new();
            image.layer(&tar(&[(hostile, FILE, "evil")]));
            assert!(matches!(image.unpack(), Err(UnpackError::Escape { .. })), "{hostile}");
            assert!(!image.dir.path().join("out").exists());
        }

        let outside = tempfile::tempdir().unwrap();
        let target = outside.path().to_str().unwrap();
        let mut image = TestImage::new();
        image.layer(&tar(&[
            ("link", EntryType::Symlink, target),
            ("link/through", FILE, "evil"),
            ("up", EntryType::Symlink, "../../../../../.."),
            ("up/through", FILE, "evil"),
            ("/absolute", FILE, "kept inside"),
            ("file", EntryType::Symlink, "../secret"),
            ("file", FILE, "replaces the link"),
        ]));
        fs::write(image.dir.path().join("secret"), "untouched").unwrap();
        image.unpack().unwrap();
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
        assert_eq!(image.read("absolute").as_deref(), Some("kept inside"));
        assert_eq!(image.read("through").as_deref(), Some("evil"));
        assert_eq!(image.read("file").as_deref(), Some("replaces the link"));
        assert_eq!(fs::read_to_string(image.dir.path().join("secret")).unwrap(), "untouched");
    }

    #[test]
    fn opaque_whiteout_removes_nothing_outside_root() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("kept"), "").unwrap();
        fs::create_dir(outside.path().join("d")).unwrap();
        let link = outside.path().to_str().unwrap();
        for entries in [
            // A link replaces the marked directory or its parent, or a lower layer has a link there.
            [("d/.wh..wh..opq", FILE, ""), ("d", EntryType::Symlink, link), ("x", FILE, "")],
            [("a/d/.wh..wh..opq", FILE, ""), ("a", EntryType::Symlink, link), ("x", FILE, "")],
            [("lower/.wh..wh..opq", FILE, ""), ("lower/x", FILE, ""), ("x", FILE, "")],
        ] {
            let mut image = TestImage::new();
            image.layer(&tar(&[("d/old", FILE, ""), ("a/d/old", FILE, ""), ("lower", EntryType::Symlink, link)]));
            image.layer(&tar(&entries));
            image.unpack().unwrap();
            assert!(outside.path().join("kept").exists() && outside.path().join("d").exists(), "{entries:?}");
        }
    }

    #[test]
    fn devices_and_pipes_are_skipped() {
        let mut image = TestImage::new();
        image.layer(&tar(&[
            ("null", EntryType::Char, ""),
            ("disk", EntryType::Block, ""),
            ("pipe", EntryType::Fifo, ""),
        ]));
        image.unpack().unwrap();
        assert_eq!(fs::read_dir(image.root()).unwrap().count(), 0);
    }

    #[test]
    fn hard_links_cannot_leave_root() {
        let mut image = TestImage::new();
        fs::write(image.dir.path().join("secret"), "untouched").unwrap();
        image.layer(&tar(&[("stolen", EntryType::Link, "../secret")]));
        assert!(image.unpack().is_err());
        assert!(!image.root().join("stolen").exists());

        // An outward link resolves inside the root, where the target is missing.
        let mut image = TestImage::new();
        fs::write(image.dir.path().join("secret"), "untouched").unwrap();
        let outside = image.dir.path().to_str().unwrap().to_owned();
        image.layer(&tar(&[("out", EntryType::Symlink, &outside), ("stolen", EntryType::Link, "out/secret")]));
        assert!(image.unpack().is_err());
        assert!(!image.root().join("stolen").exists());
    }

    #[test]
    fn truncated_or_invalid_layer_is_an_error() {
        let mut image = TestImage::new();
        let whole = tar(&[("a", FILE, &"x".repeat(2000))]);
        image.layer(&whole[..1024]);
        assert!(image.unpack().is_err());
        let mut image = TestImage::new();
        image.layer(&[7; 2048]);
        assert!(image.unpack().is_err());
    }
}
