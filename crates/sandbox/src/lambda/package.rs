//! Deployment packages: zips from a request or from S3, checked like on Lambda and unpacked.

use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use awsim_core::AwsError;
use zip::ZipArchive;
use zip::result::ZipError;

use super::errors;

/// The limit for all unpacked files, in bytes.
const MAX_UNPACKED: u64 = 262_144_000;
/// The limit of entries; more means an attack.
const MAX_ENTRIES: usize = 100_000;

/// Why a zip cannot be a function's code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackageError {
    #[error("the deployment package cannot be read")]
    Unreadable(#[from] ZipError),
    #[error("the deployment package is larger than Lambda allows")]
    TooLarge,
    #[error("the deployment package cannot be unpacked")]
    Unpack(#[from] io::Error),
}

impl From<PackageError> for AwsError {
    fn from(error: PackageError) -> Self {
        match error {
            PackageError::TooLarge => {
                errors::invalid_parameter(format!("Unzipped size must be smaller than {MAX_UNPACKED} bytes"))
            }
            PackageError::Unreadable(_) | PackageError::Unpack(_) => errors::invalid_parameter(
                "Could not unzip uploaded file. Please check your file, then try to upload again.",
            ),
        }
    }
}

/// Refuses files that are no zip or too large.
pub(crate) fn check(zip: &Path) -> Result<(), PackageError> {
    let archive = ZipArchive::new(BufReader::new(File::open(zip)?))?;
    let declared = archive.decompressed_size().unwrap_or(0);
    if archive.len() > MAX_ENTRIES || declared > u128::from(MAX_UNPACKED) {
        return Err(PackageError::TooLarge);
    }
    Ok(())
}

/// Unpacks a zip into `root` in Lambda's layout.
pub(crate) fn unpack(zip: &Path, root: &Path) -> Result<(), PackageError> {
    let task = root.join("var/task");
    fs::create_dir_all(&task)?;
    fs::create_dir_all(root.join("var/runtime"))?;
    let mut archive = ZipArchive::new(BufReader::new(File::open(zip)?))?;
    // Declared sizes may be wrong.
    let mut left = MAX_UNPACKED;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        // Skips names outside the directory, and links.
        let Some(path) = entry.enclosed_name().map(|name| task.join(name)) else {
            continue;
        };
        if entry.is_dir() {
            fs::create_dir_all(&path)?;
        } else if entry.is_file() {
            let mut file = File::create(with_parents(path)?)?;
            let written = io::copy(&mut entry.by_ref().take(left + 1), &mut file)?;
            left = left.checked_sub(written).ok_or(PackageError::TooLarge)?;
            if let Some(mode) = entry.unix_mode() {
                file.set_permissions(Permissions::from_mode(mode & 0o777 | 0o600))?;
            }
        }
    }
    Ok(())
}

/// Creates the directories above the path, and returns it.
fn with_parents(path: PathBuf) -> io::Result<PathBuf> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn zip(entries: &[(&str, &str)]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = zip::ZipWriter::new(&mut file);
        for (name, content) in entries {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(content.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        file
    }

    #[test]
    fn package_is_unpacked_to_var_task_only() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        let package = zip(&[("index.py", "a"), ("lib/b.py", "b"), ("../out", "evil"), ("/abs", "evil")]);
        check(package.path()).unwrap();
        unpack(package.path(), &root).unwrap();
        assert_eq!(fs::read_to_string(root.join("var/task/index.py")).unwrap(), "a");
        assert_eq!(fs::read_to_string(root.join("var/task/lib/b.py")).unwrap(), "b");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(!root.join("var/out").exists());
    }

    #[test]
    fn unpack_creates_and_follows_no_links() {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
        fs::create_dir(&outside).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = zip::ZipWriter::new(&mut file);
        let options = zip::write::SimpleFileOptions::default();
        writer.add_symlink("link", outside.to_str().unwrap(), options).unwrap();
        writer.start_file("link/x", options).unwrap();
        writer.start_file(r"..\..\outside\y", options).unwrap();
        writer.finish().unwrap();
        unpack(file.path(), &root).unwrap();
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        assert!(root.join("var/task/link").is_dir() && !root.join("var/task/link").is_symlink());
    }

    #[test]
    fn invalid_zip_is_refused_with_lambda_message() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"no zip").unwrap();
        let error = AwsError::from(check(file.path()).unwrap_err());
        assert_eq!(error.code, "InvalidParameterValueException");
        assert!(error.message.starts_with("Could not unzip uploaded file."));
    }
}
