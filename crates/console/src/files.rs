//! Folder listings, path completion and file copies for the image chooser. Does I/O.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "directories are listed here")]

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thumbctl_core::event::Failure;

use super::pane::test_upload::protocol::{EntryKind, FileEntry, FolderListing};

/// The maximum number of listed entries.
const MAX_ENTRIES: usize = 10_000;

/// The maximum number of path completions.
const MAX_CANDIDATES: usize = 200;

/// The file extensions of images.
const EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "png", "gif", "webp"];

/// Lists a folder: folders, then images, by name, without hidden entries.
///
/// # Errors
/// If the folder cannot be read.
pub fn list(folder: &Path) -> Result<FolderListing, Failure> {
    // The folder is displayed above the list.
    let entries = read(folder).map_err(|error| Failure::new(why(&error)))?;
    let (entries, left_out) = sorted(entries.filter(|entry| !is_hidden(entry)), MAX_ENTRIES);
    Ok(FolderListing { folder: folder.to_owned(), entries, left_out })
}

/// Writes missing sample images to a folder and lists them.
///
/// # Errors
/// If they cannot be written.
pub fn samples(folder: &Path) -> Result<FolderListing, Failure> {
    let write = || {
        fs::create_dir_all(folder)?;
        let mut entries = Vec::new();
        for (name, content) in thumbctl_deploy::assets::sample_images() {
            let path = folder.join(name);
            if fs::metadata(&path).map_or(true, |metadata| metadata.len() != content.len() as u64) {
                fs::write(&path, content)?;
            }
            entries.push(FileEntry {
                name: (*name).to_owned(),
                path,
                kind: EntryKind::Image { bytes: content.len() as u64 },
            });
        }
        Ok(entries)
    };
    let entries = write().map_err(|error: io::Error| {
        Failure::new(format!("cannot write the sample images to {}: {error}", folder.display()))
    })?;
    Ok(FolderListing { folder: folder.to_owned(), entries, left_out: 0 })
}

/// Completes a typed path with folders and images that have its last component as prefix.
pub fn complete(typed: &str, home: Option<&Path>) -> Vec<FileEntry> {
    let typed = if typed == "~" { "~/" } else { typed };
    let (before, prefix) = typed.rsplit_once('/').map_or(("", typed), |(before, prefix)| (before, prefix));
    let folder = match (before, typed.contains('/')) {
        ("", true) => PathBuf::from("/"),
        ("", false) => PathBuf::from("."),
        (before, _) => expanded(Path::new(before), home),
    };
    let Ok(entries) = read(&folder) else { return Vec::new() };
    let entries: Vec<FileEntry> = entries.filter(|entry| !is_hidden(entry) || prefix.starts_with('.')).collect();
    let exact: Vec<FileEntry> = entries.iter().filter(|entry| entry.name.starts_with(prefix)).cloned().collect();
    let found = if exact.is_empty() {
        let prefix = prefix.to_lowercase();
        entries.into_iter().filter(|entry| entry.name.to_lowercase().starts_with(&prefix)).collect()
    } else {
        exact
    };
    sorted(found.into_iter(), MAX_CANDIDATES).0
}

/// Inspects a path: a folder, or an image with any extension.
///
/// # Errors
/// If the path does not exist, cannot be read, or is not an image.
pub fn inspect(path: &Path, home: Option<&Path>) -> Result<FileEntry, Failure> {
    let path = expanded(path, home);
    // Absolute, so that the journal does not depend on the working directory.
    let path = std::path::absolute(&path).unwrap_or(path);
    let metadata = fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    let kind = if metadata.is_dir() { EntryKind::Folder } else { EntryKind::Image { bytes: metadata.len() } };
    if kind != EntryKind::Folder && !(metadata.is_file() && super::pictures::looks_like_image(&path)) {
        return Err(Failure::new(format!("{} is not a JPEG, PNG, GIF or WebP image", path.display())));
    }
    Ok(FileEntry { name, path, kind })
}

/// Copies files to a folder, which is created if missing. Existing files are not overwritten: copies get numbers.
/// Returns the paths of the copies.
///
/// # Errors
/// If a file cannot be copied.
pub fn copy_into(folder: &Path, files: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let failed = |path: &Path, error: &io::Error| Failure::new(format!("cannot write {}: {error}", path.display()));
    let mut copies = Vec::new();
    for file in files {
        let mut from = fs::File::open(file).map_err(|error| unreadable(file, &error))?;
        // Only after the source could be opened.
        fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        let (path, mut to) = create_new(folder, file).map_err(|error| failed(folder, &error))?;
        io::copy(&mut from, &mut to).map_err(|error| failed(&path, &error))?;
        copies.push(path);
    }
    Ok(copies)
}

/// Creates a file with a free name: `x.png`, else `x-2.png`, and so on.
fn create_new(folder: &Path, like: &Path) -> io::Result<(PathBuf, fs::File)> {
    let stem = like.file_stem().map(OsStr::to_string_lossy).unwrap_or_default();
    let extension = like.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
    for number in 1..10_000 {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        let path = folder.join(format!("{stem}{number}{extension}"));
        match fs::File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("no free file name"))
}

fn read(folder: &Path) -> io::Result<impl Iterator<Item = FileEntry>> {
    Ok(fs::read_dir(folder)?.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        // Follows symbolic links.
        let metadata = fs::metadata(&path).ok()?;
        let kind = if metadata.is_dir() {
            EntryKind::Folder
        } else if metadata.is_file() && has_image_extension(&path) {
            EntryKind::Image { bytes: metadata.len() }
        } else {
            return None;
        };
        Some(FileEntry { name, path, kind })
    }))
}

fn has_image_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

fn is_hidden(entry: &FileEntry) -> bool {
    entry.name.starts_with('.')
}

fn sorted(entries: impl Iterator<Item = FileEntry>, most: usize) -> (Vec<FileEntry>, usize) {
    let mut entries: Vec<FileEntry> = entries.collect();
    entries
        .sort_by_cached_key(|entry| (entry.kind != EntryKind::Folder, entry.name.to_lowercase(), entry.name.clone()));
    let left_out = entries.len().saturating_sub(most);
    entries.truncate(most);
    (entries, left_out)
}

/// Replaces a leading `~` by the home folder.
fn expanded(path: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot read {}: {}", path.display(), why(error)))
}

/// The error message, shortened for common errors.
fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotFound => "not found".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for name in ["b.PNG", "a.jpeg", "notes.txt", ".hidden.png", "photo-1.jpg", "photo-2.jpg", "png"] {
            fs::write(dir.path().join(name), b"GIF89a").expect("the file can be written");
        }
        for name in ["zoo", "Album", ".git"] {
            fs::create_dir(dir.path().join(name)).expect("the file can be written");
        }
        dir
    }

    fn names(entries: &[FileEntry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.name.as_str()).collect()
    }

    #[test]
    fn list_has_folders_first_and_only_images() {
        let dir = folder();
        let listing = list(dir.path()).expect("it can be read");
        assert_eq!(names(&listing.entries), ["Album", "zoo", "a.jpeg", "b.PNG", "photo-1.jpg", "photo-2.jpg"]);
        assert_eq!(listing.entries[2].kind, EntryKind::Image { bytes: 6 });
    }

    #[test]
    fn unreadable_folder_reports_reason() {
        let failure = list(Path::new("/nowhere/at/all")).expect_err("there is none");
        assert_eq!(failure.message, "not found");
        let denied = unreadable(Path::new("/x"), &io::ErrorKind::PermissionDenied.into());
        assert_eq!(denied.message, "cannot read /x: permission denied");
    }

    #[test]
    fn path_is_completed_from_existing_entries() {
        let dir = folder();
        let typed = |rest: &str| format!("{}/{rest}", dir.path().display());
        assert_eq!(names(&complete(&typed("ph"), None)), ["photo-1.jpg", "photo-2.jpg"]);
        assert_eq!(names(&complete(&typed("al"), None)), ["Album"], "case is ignored without an exact match");
        assert_eq!(names(&complete(&typed(".g"), None)), [".git"]);
        assert_eq!(names(&complete("~/z", Some(dir.path()))), ["zoo"]);
        assert_eq!(complete("~", Some(dir.path())).len(), 6);
        assert!(complete(&typed("none/x"), None).is_empty());
    }

    #[test]
    fn dropped_file_is_checked_by_content() {
        let dir = folder();
        let image = inspect(&dir.path().join("png"), None).expect("an image without an extension");
        assert_eq!(image.kind, EntryKind::Image { bytes: 6 });
        assert_eq!(inspect(Path::new("~/zoo"), Some(dir.path())).expect("a folder").kind, EntryKind::Folder);
        fs::write(dir.path().join("x.jpg"), b"no image").expect("the file can be written");
        let failure = inspect(&dir.path().join("x.jpg"), None).expect_err("no image");
        assert!(failure.message.ends_with("is not a JPEG, PNG, GIF or WebP image"), "{failure}");
        assert!(inspect(&dir.path().join("none.jpg"), None).is_err());
    }

    #[test]
    fn copy_does_not_overwrite() {
        let dir = folder();
        let to = dir.path().join("thumbnails");
        let file = [dir.path().join("photo-1.jpg")];
        let first = copy_into(&to, &file).expect("it can be written");
        fs::write(&first[0], b"mine").expect("the file can be written");
        let second = copy_into(&to, &file).expect("it can be written");
        assert_eq!(second, [to.join("photo-1-2.jpg")]);
        assert_eq!(fs::read(&first[0]).expect("it exists"), b"mine");
        assert_eq!(fs::read(&second[0]).expect("it exists"), b"GIF89a");
        let never = dir.path().join("never");
        assert!(copy_into(&never, &[dir.path().join("none.jpg")]).is_err());
        assert!(!never.exists(), "no folder is created without a copy");
    }

    #[test]
    fn samples_are_written_once_and_listed() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let listing = samples(&dir.path().join("samples")).expect("they can be written");
        assert_eq!(
            names(&listing.entries),
            ["bubbles.png", "kites.gif", "lighthouse.jpg", "mountains.jpg", "waves.webp"]
        );
        for entry in &listing.entries {
            inspect(&entry.path, None).expect("an image");
        }
        assert_eq!(samples(&dir.path().join("samples")).expect("they are there"), listing);
    }
}
