//! A build's source: fetched with the build's credentials and unpacked into its directory.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use http::Method;
use serde_json::Value;

use super::buildspec::Buildspec;
use super::phase::PhaseContext;
use super::{EmbeddedFile, FunctionFiles};
use crate::http_agent::{agent, reader_of};
use crate::shims::signed::{Signer, UnsignedRequest};
use crate::storage::dir_handle::{DirEntry, DirHandle};

/// Fetches the source into the directory; an error is the phase's context.
pub(super) fn fetch(
    source: &Value,
    version: &str,
    endpoint: &str,
    signer: &Signer,
    embedded: FunctionFiles,
    directory: &Path,
) -> Result<(), PhaseContext> {
    match source["type"].as_str() {
        Some("S3") => {
            let location = source["location"].as_str().unwrap_or_default();
            let archive = download(location, version, endpoint, signer)?;
            unpack(archive, directory)
                .map_err(|cause| client_error(format!("cannot unpack the source {location}: {cause}")))
        }
        Some("GITHUB") => {
            write(embedded(), directory).map_err(|cause| client_error(format!("cannot write the source: {cause}")))
        }
        _ => Ok(()),
    }
}

/// Reads the buildspec, inline in the project or from a file of the source.
pub(super) fn buildspec(source: &Value, directory: &Path) -> Result<Buildspec, PhaseContext> {
    let specified = source["buildspec"].as_str().unwrap_or("buildspec.yml");
    // The field holds the text or a path; a path has neither lines nor a version.
    let inline = specified.contains('\n') || specified.trim_start().starts_with("version");
    let text = if inline {
        specified.to_owned()
    } else {
        let specified = if specified.is_empty() { "buildspec.yml" } else { specified };
        let failed = |cause: String| {
            PhaseContext::new("YAML_FILE_ERROR", format!("stat {}: {cause}", directory.join(specified).display()))
        };
        // The path is the caller's, so it is resolved within the source.
        let resolved = DirHandle::open(directory).and_then(|source| source.resolve(Path::new(specified)));
        match resolved.map_err(|error| failed(error.to_string()))?.map(|resolved| resolved.entry) {
            Some(DirEntry::File(file)) => io::read_to_string(file).map_err(|error| failed(error.to_string()))?,
            Some(_) => return Err(failed("not a regular file".to_owned())),
            None => return Err(failed("no such file or directory".to_owned())),
        }
    };
    Buildspec::read(&text).map_err(|error| PhaseContext::new("YAML_FILE_ERROR", error.to_string()))
}

fn client_error(message: String) -> PhaseContext {
    PhaseContext::new("CLIENT_ERROR", message)
}

/// Downloads the object into an unnamed file.
fn download(location: &str, version: &str, endpoint: &str, signer: &Signer) -> Result<File, PhaseContext> {
    let failed = |cause: String| client_error(format!("{cause} for primary source and source version {version}"));
    let path = format!("/{location}");
    let query = Some(("versionId", version)).filter(|(_, version)| !version.is_empty());
    let request = UnsignedRequest { method: Method::GET, endpoint, path: &path, query, headers: &[], body: &[] };
    let request = signer.sign("s3", &request).map_err(|cause| failed(cause.to_string()))?;
    let mut response = agent().run(request).map_err(|cause| failed(cause.to_string()))?;
    if !response.status().is_success() {
        let status = response.status().as_u16();
        let body = response.body_mut().read_to_string().unwrap_or_default();
        let part = |name: &str| {
            body.split_once(&format!("<{name}>"))
                .and_then(|(_, rest)| rest.split_once("</"))
                .map_or("", |(text, _)| text)
        };
        return Err(failed(format!(
            "{}: {}\n\tstatus code: {status}, request id: {}",
            part("Code"),
            part("Message"),
            part("RequestId")
        )));
    }
    let mut kept = || {
        // Unnamed where possible, so that a kill leaves nothing.
        let mut file = tempfile::tempfile()?;
        io::copy(&mut reader_of(&mut response, MAX_ARCHIVE), &mut file)?;
        file.seek(SeekFrom::Start(0))?;
        Ok::<_, io::Error>(file)
    };
    kept().map_err(|cause| failed(cause.to_string()))
}

/// The limit of a source archive: the limit of S3 objects in the sandbox.
const MAX_ARCHIVE: u64 = crate::s3::MAX_OBJECT;

/// The limit of an unpacked source, against zip bombs.
const MAX_UNPACKED: u64 = 4 << 30;

fn unpack(archive: File, directory: &Path) -> Result<(), zip::result::ZipError> {
    let mut archive = zip::ZipArchive::new(io::BufReader::new(archive))?;
    let mut remaining = MAX_UNPACKED;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        // Skips names outside the directory, and links.
        let Some(path) = entry.enclosed_name().map(|name| directory.join(name)) else {
            continue;
        };
        if entry.is_dir() {
            fs::create_dir_all(&path)?;
        } else if entry.is_file() {
            let mut file = File::create(with_parents(path)?)?;
            // Declared sizes may be wrong.
            let written = io::copy(&mut entry.by_ref().take(remaining + 1), &mut file)?;
            let too_large = || io::Error::other("the unpacked source is larger than 4 GiB");
            remaining = remaining.checked_sub(written).ok_or_else(too_large)?;
            if let Some(mode) = entry.unix_mode() {
                file.set_permissions(fs::Permissions::from_mode(mode & 0o777 | 0o600))?;
            }
        }
    }
    Ok(())
}

fn write(files: &[EmbeddedFile], directory: &Path) -> io::Result<()> {
    for (name, bytes) in files {
        fs::write(with_parents(directory.join(name))?, bytes)?;
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
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    use super::*;

    fn archive(entries: &[(&str, &str)], link: Option<(&str, &str)>) -> File {
        let mut writer = zip::ZipWriter::new(tempfile::tempfile().unwrap());
        let options = zip::write::SimpleFileOptions::default();
        for (name, text) in entries {
            writer.start_file(*name, options).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        if let Some((name, target)) = link {
            writer.add_symlink(name, target, options).unwrap();
        }
        let mut file = writer.finish().unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file
    }

    #[test]
    fn source_archive_is_unpacked_within_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let (source, outside) = (dir.path().join("src"), dir.path().join("outside"));
        fs::create_dir_all(&source).unwrap();
        fs::create_dir(&outside).unwrap();
        let entries = [("a/b", "1"), ("../outside/x", "evil"), ("link/x", "kept inside"), ("/outside/x", "evil")];
        unpack(archive(&entries, Some(("link", outside.to_str().unwrap()))), &source).unwrap();
        assert_eq!(fs::read_to_string(source.join("a/b")).unwrap(), "1");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        assert!(!source.join("link").is_symlink());
    }

    #[test]
    fn buildspec_is_read_only_from_source() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("src");
        fs::create_dir(&source).unwrap();
        fs::write(dir.path().join("secret.yml"), "version: 0.2\nphases: {}\n").unwrap();
        symlink("../secret.yml", source.join("link.yml")).unwrap();
        for specified in ["../secret.yml", "link.yml", dir.path().join("secret.yml").to_str().unwrap()] {
            let error = buildspec(&serde_json::json!({ "buildspec": specified }), &source).unwrap_err();
            assert!(error.message.ends_with("no such file or directory"), "{}", error.message);
        }
    }
}
