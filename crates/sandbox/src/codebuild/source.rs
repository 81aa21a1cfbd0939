//! A build's source: fetched with the build's own credentials and unpacked into its directory.

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

/// Puts the source into the directory; an error is the phase's context.
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
                .map_err(|cause| client_error(format!("the source {location} cannot be unpacked: {cause}")))
        }
        Some("GITHUB") => {
            write(embedded(), directory).map_err(|cause| client_error(format!("the source cannot be written: {cause}")))
        }
        _ => Ok(()),
    }
}

/// The buildspec: inline in the project, or the file that it names.
pub(super) fn buildspec(source: &Value, directory: &Path) -> Result<Buildspec, PhaseContext> {
    let given = source["buildspec"].as_str().unwrap_or("buildspec.yml");
    // The same field holds the text itself or a path; a path has neither lines nor a version.
    let inline = given.contains('\n') || given.trim_start().starts_with("version");
    let text = if inline {
        given.to_owned()
    } else {
        let given = if given.is_empty() { "buildspec.yml" } else { given };
        let failed = |cause: String| {
            PhaseContext::new("YAML_FILE_ERROR", format!("stat {}: {cause}", directory.join(given).display()))
        };
        // A path is the caller's to choose, and ends in the source.
        let resolved = DirHandle::open(directory).and_then(|source| source.resolve(Path::new(given)));
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

/// The object, in a file without a name.
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
        // Without a name where the system can do that: a kill leaves nothing.
        let mut file = tempfile::tempfile()?;
        io::copy(&mut reader_of(&mut response, MAX_ARCHIVE), &mut file)?;
        file.seek(SeekFrom::Start(0))?;
        Ok::<_, io::Error>(file)
    };
    kept().map_err(|cause| failed(cause.to_string()))
}

/// The most that a source may be as an archive: as much as the sandbox's S3 takes as an object.
const MAX_ARCHIVE: u64 = crate::s3::MAX_OBJECT;

/// The most that a source may be when it is unpacked: a small zip can hold very much of nothing.
const MAX_UNPACKED: u64 = 4 << 30;

fn unpack(archive: File, directory: &Path) -> Result<(), zip::result::ZipError> {
    let mut archive = zip::ZipArchive::new(io::BufReader::new(archive))?;
    let mut room = MAX_UNPACKED;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        // A name that leads out of the directory is left out, and links with it: a source of ours has neither.
        let Some(path) = entry.enclosed_name().map(|name| directory.join(name)) else {
            continue;
        };
        if entry.is_dir() {
            fs::create_dir_all(&path)?;
        } else if entry.is_file() {
            let mut file = File::create(beneath(path)?)?;
            // What an entry says of its size need not be so.
            let written = io::copy(&mut entry.by_ref().take(room + 1), &mut file)?;
            let too_large = || io::Error::other("the source is larger than 4 GiB when it is unpacked");
            room = room.checked_sub(written).ok_or_else(too_large)?;
            if let Some(mode) = entry.unix_mode() {
                file.set_permissions(fs::Permissions::from_mode(mode & 0o777 | 0o600))?;
            }
        }
    }
    Ok(())
}

fn write(files: &[EmbeddedFile], directory: &Path) -> io::Result<()> {
    for (name, bytes) in files {
        fs::write(beneath(directory.join(name))?, bytes)?;
    }
    Ok(())
}

/// The path, once the directories above it are there.
fn beneath(path: PathBuf) -> io::Result<PathBuf> {
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
    fn source_archive_writes_nothing_outside_its_directory() {
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
    fn buildspec_is_read_from_the_source_only() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("src");
        fs::create_dir(&source).unwrap();
        fs::write(dir.path().join("secret.yml"), "version: 0.2\nphases: {}\n").unwrap();
        symlink("../secret.yml", source.join("link.yml")).unwrap();
        for given in ["../secret.yml", "link.yml", dir.path().join("secret.yml").to_str().unwrap()] {
            let error = buildspec(&serde_json::json!({ "buildspec": given }), &source).unwrap_err();
            assert!(error.message.ends_with("no such file or directory"), "{}", error.message);
        }
    }
}
