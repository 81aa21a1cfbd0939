//! [`ImageFile`]: a checked file, ready to upload.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{file_name_of, saved_name};

const MB: u64 = 1024 * 1024;

/// A checked file, ready to upload.
#[derive(Debug)]
pub(super) struct ImageFile {
    path: PathBuf,
    name: String,
    saved_name: String,
    content_type: &'static str,
    size: u64,
}

/// Why an image cannot be uploaded.
#[derive(Debug, thiserror::Error)]
pub enum TestUploadError {
    /// It cannot be read.
    #[error("cannot read the image {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It is a directory.
    #[error("{0} is a directory, not an image")]
    Directory(PathBuf),
    /// It is a pipe, a device or the like.
    #[error("{0} is not a file")]
    NotAFile(PathBuf),
    /// It has no bytes.
    #[error("the image {0} is empty")]
    Empty(PathBuf),
    /// It is too large.
    #[error("the image {path} has {} MB, the function's limit is {} MB", bytes.div_ceil(MB), most / MB)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The function's limit.
        most: u64,
    },
    /// Its first bytes are not those of an image.
    #[error("{0} is not a JPEG, PNG, GIF or WebP image")]
    NotAnImage(PathBuf),
    /// Its name cannot be part of a key.
    #[error("the name of {0} is not valid UTF-8, so it cannot be an object's key")]
    Name(PathBuf),
    /// The thumbnails cannot be saved.
    #[error("cannot save thumbnails in {path}: {source}")]
    Save {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

impl TestUploadError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Directory(path) => Some(format!("pass its images: thumbctl upload {}/*", path.display())),
            Self::TooLarge { .. } => {
                Some("use a smaller one, or deploy with more function.memory_mb: the limit is a quarter of it".into())
            }
            Self::NotAFile(_) => Some("write the image to a file first".into()),
            Self::Name(_) => Some("rename the file".into()),
            Self::Save { .. } => Some("select another directory with --save".into()),
            _ => None,
        }
    }
}

impl ImageFile {
    /// Checks a file of at most `most` bytes; `taken` keeps the thumbnail names of equally named files apart.
    pub(super) fn check(path: &Path, most: u64, taken: &mut Vec<String>) -> Result<Self, TestUploadError> {
        let unreadable = |source| TestUploadError::Unreadable { path: path.to_owned(), source };
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(TestUploadError::Directory(path.to_owned()));
        }
        // Reading a pipe could block, and its length is unknown.
        if !metadata.is_file() {
            return Err(TestUploadError::NotAFile(path.to_owned()));
        }
        let name = file_name_of(path).ok_or_else(|| TestUploadError::Name(path.to_owned()))?.to_owned();
        let mut first = Vec::new();
        File::open(path).and_then(|file| file.take(16).read_to_end(&mut first)).map_err(unreadable)?;
        let size = metadata.len();
        if first.is_empty() {
            return Err(TestUploadError::Empty(path.to_owned()));
        }
        let content_type = content_type_of(&first).ok_or_else(|| TestUploadError::NotAnImage(path.to_owned()))?;
        if size > most {
            return Err(TestUploadError::TooLarge { path: path.to_owned(), bytes: size, most });
        }
        let mut saved = saved_name(&name);
        let mut number = 2;
        while taken.contains(&saved) {
            saved = format!("{number}-{}", saved_name(&name));
            number += 1;
        }
        taken.push(saved.clone());
        Ok(Self { path: path.to_owned(), name, saved_name: saved, content_type, size })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the file's name, the end of the key.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the path as the user gave it.
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn saved_name(&self) -> &str {
        &self.saved_name
    }

    pub(super) fn content_type(&self) -> &'static str {
        self.content_type
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

/// Recognizes an image by its first bytes, whatever its name.
fn content_type_of(first: &[u8]) -> Option<&'static str> {
    match first {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u64 = 128 * MB;

    fn check(content: &[u8]) -> Result<ImageFile, TestUploadError> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("picture");
        std::fs::write(&path, content).expect("the file is written");
        ImageFile::check(&path, MOST, &mut Vec::new())
    }

    #[test]
    fn images_are_recognized_by_their_first_bytes() {
        for (name, content) in crate::assets::sample_images() {
            let image = check(content).expect("the samples are images");
            let extension = name.rsplit('.').next().expect("the samples have extensions").replace("jpg", "jpeg");
            assert_eq!(image.content_type(), format!("image/{extension}"));
        }
    }

    #[test]
    fn files_that_are_not_images_are_rejected() {
        assert!(matches!(check(b""), Err(TestUploadError::Empty(_))));
        assert!(matches!(check(b"hello, world"), Err(TestUploadError::NotAnImage(_))));
        let dir = tempfile::tempdir().expect("a temporary directory");
        assert!(matches!(ImageFile::check(dir.path(), MOST, &mut Vec::new()), Err(TestUploadError::Directory(_))));
        let missing = dir.path().join("none.jpg");
        let error = ImageFile::check(&missing, MOST, &mut Vec::new()).expect_err("there is no such file");
        assert!(error.to_string().starts_with("cannot read the image"), "{error}");
    }

    #[test]
    fn file_beyond_the_functions_limit_is_rejected() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("huge.jpg");
        let file = File::create(&path).expect("the file is written");
        std::io::Write::write_all(&mut &file, &[0xff, 0xd8, 0xff, 0xe0]).expect("the file is written");
        // A sparse file: it uses no disk space.
        file.set_len(MOST + 1).expect("the file system has sparse files");
        assert!(matches!(ImageFile::check(&path, MOST, &mut Vec::new()), Err(TestUploadError::TooLarge { .. })));
    }

    #[test]
    fn thumbnails_of_equally_named_files_are_kept_apart() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut taken = Vec::new();
        let mut names = Vec::new();
        for folder in ["a", "b", "c"] {
            let folder = dir.path().join(folder);
            std::fs::create_dir(&folder).expect("the file is written");
            let path = folder.join("x.gif");
            std::fs::write(&path, b"GIF89a").expect("the file is written");
            names.push(ImageFile::check(&path, MOST, &mut taken).expect("an image").saved_name);
        }
        assert_eq!(names, ["thumb-x.gif", "2-thumb-x.gif", "3-thumb-x.gif"]);
    }
}
