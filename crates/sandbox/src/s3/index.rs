//! [`Bucket`]: versions, uploads and settings, saved as an append-only log of changes.
//!
//! awsim-s3 stores objects under paths made of their keys and loses some (a second PUT, `a//b`), and its snapshot drops
//! tags, encryption and uploads. A change is one line; a log that has grown is compacted when the sandbox starts. A
//! truncated last line (the process was killed) belongs to a call without a response.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use thumbctl_platform::private_fs;

/// The id of a version written without versioning.
pub(crate) const NULL_VERSION: &str = "null";

/// A version of an object, or a delete marker.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Version {
    pub id: String,
    /// Milliseconds since 1970.
    pub modified: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub marker: bool,
    /// SHA-256 of the bytes.
    pub blob: String,
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// Headers to return: `content-type`, `cache-control` and the like, and `x-amz-meta-…`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Algorithm (`crc32`) and value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<(String, String)>,
    /// The number of its parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<usize>,
    /// The sizes of its parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub part_sizes: Vec<u64>,
}

/// An incomplete multipart upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub key: String,
    pub started: i64,
    pub headers: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    /// The algorithm, as the client named it.
    #[serde(default)]
    pub checksum_algorithm: Option<String>,
    /// `FULL_OBJECT` or `COMPOSITE`, if set by the client.
    #[serde(default)]
    pub checksum_type: Option<String>,
    #[serde(default)]
    pub parts: BTreeMap<u32, Part>,
}

/// A part of an upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Part {
    pub blob: String,
    pub size: u64,
    /// The MD5, in hexadecimal.
    pub etag: String,
    pub modified: i64,
    #[serde(default)]
    pub checksum: Option<(String, String)>,
}

/// A change of a bucket: a line of its log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Bucket { name: String, region: String, created: i64 },
    Put { key: String, version: Box<Version> },
    Remove { key: String, id: String },
    Tag { key: String, id: String, tags: BTreeMap<String, String> },
    Configure { name: String, value: Option<String> },
    Begin { id: String, upload: Box<Upload> },
    AddPart { id: String, number: u32, part: Box<Part> },
    End { id: String },
}

/// A bucket.
pub(crate) struct Bucket {
    pub name: String,
    pub region: String,
    pub created: i64,
    /// Each key's versions, oldest first.
    pub keys: BTreeMap<String, Vec<Version>>,
    pub uploads: BTreeMap<String, Upload>,
    /// Settings by their sub-resource, as XML or JSON documents.
    pub settings: BTreeMap<String, String>,
    log: File,
    path: PathBuf,
}

impl Bucket {
    /// Creates a bucket and its log.
    pub(crate) fn create(dir: &Path, name: &str, region: &str, created: i64) -> io::Result<Self> {
        let path = dir.join(format!("{name}.jsonl"));
        let mut bucket = Self::empty(path, name.to_owned(), region.to_owned(), created)?;
        bucket.append(&bucket.head())?;
        Ok(bucket)
    }

    /// Reads a bucket from its log; nothing if the first line is incomplete.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let damaged = |line: usize, what: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("s3/{file}, line {line}, cannot be read: {what}"))
        };
        let text = std::fs::read(path)?;
        let mut lines = text.split_inclusive(|&byte| byte == b'\n');
        let Some(first) = lines.next().filter(|line| line.ends_with(b"\n")) else {
            return Ok(None);
        };
        let (name, region, created) = match serde_json::from_slice(first) {
            Ok(Change::Bucket { name, region, created }) => (name, region, created),
            Ok(_) => return Err(damaged(1, &"it does not name the bucket")),
            Err(cause) => return Err(damaged(1, &cause)),
        };
        if path.file_stem().is_none_or(|stem| stem != name.as_str()) {
            return Err(damaged(1, &"it is another bucket's"));
        }
        let mut bucket = Self::empty(path.to_owned(), name, region, created)?;
        let (mut read, mut torn) = (1, false);
        for line in lines {
            match (line.ends_with(b"\n"), serde_json::from_slice(line)) {
                (true, Ok(change)) => {
                    bucket.apply(change);
                    read += 1;
                }
                (true, Err(cause)) => return Err(damaged(read + 1, &cause)),
                (false, _) => torn = true,
            }
        }
        let now = bucket.as_changes();
        if torn || read > 2 * now.len() + 16 {
            bucket.rewrite(&now)?;
        }
        Ok(Some(bucket))
    }

    fn empty(path: PathBuf, name: String, region: String, created: i64) -> io::Result<Self> {
        let log = private_fs::options().create(true).append(true).open(&path)?;
        let (keys, uploads, settings) = Default::default();
        Ok(Self { name, region, created, keys, uploads, settings, log, path })
    }

    /// Logs a change, then applies it.
    pub(crate) fn change(&mut self, change: Change) -> io::Result<()> {
        self.append(&change)?;
        self.apply(change);
        Ok(())
    }

    /// Removes the log.
    pub(crate) fn delete(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }

    /// The latest version of a key, which may be a delete marker.
    pub(crate) fn latest(&self, key: &str) -> Option<&Version> {
        self.keys.get(key)?.last()
    }

    /// A version of a key.
    pub(crate) fn version(&self, key: &str, id: &str) -> Option<&Version> {
        self.keys.get(key)?.iter().rev().find(|version| version.id == id)
    }

    /// The blobs in use.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &str> {
        let versions = self.keys.values().flatten().filter(|version| !version.marker).map(|version| &version.blob);
        let parts = self.uploads.values().flat_map(|upload| upload.parts.values()).map(|part| &part.blob);
        versions.chain(parts).map(String::as_str)
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Bucket { .. } => {}
            Change::Put { key, version } => {
                let versions = self.keys.entry(key).or_default();
                if version.id == NULL_VERSION {
                    versions.retain(|other| other.id != NULL_VERSION);
                }
                versions.push(*version);
            }
            Change::Remove { key, id } => {
                if let Some(versions) = self.keys.get_mut(&key) {
                    versions.retain(|version| version.id != id);
                    if versions.is_empty() {
                        self.keys.remove(&key);
                    }
                }
            }
            Change::Tag { key, id, tags } => {
                let versions = self.keys.get_mut(&key).map(|versions| versions.iter_mut());
                if let Some(version) = versions.into_iter().flatten().find(|version| version.id == id) {
                    version.tags = tags;
                }
            }
            Change::Configure { name, value: Some(value) } => {
                self.settings.insert(name, value);
            }
            Change::Configure { name, value: None } => {
                self.settings.remove(&name);
            }
            Change::Begin { id, upload } => {
                self.uploads.insert(id, *upload);
            }
            Change::AddPart { id, number, part } => {
                if let Some(upload) = self.uploads.get_mut(&id) {
                    upload.parts.insert(number, *part);
                }
            }
            Change::End { id } => {
                self.uploads.remove(&id);
            }
        }
    }

    fn head(&self) -> Change {
        Change::Bucket { name: self.name.clone(), region: self.region.clone(), created: self.created }
    }

    fn as_changes(&self) -> Vec<Change> {
        let mut changes = vec![self.head()];
        for (name, value) in &self.settings {
            changes.push(Change::Configure { name: name.clone(), value: Some(value.clone()) });
        }
        for (key, versions) in &self.keys {
            for version in versions {
                changes.push(Change::Put { key: key.clone(), version: Box::new(version.clone()) });
            }
        }
        for (id, upload) in &self.uploads {
            changes.push(Change::Begin { id: id.clone(), upload: Box::new(upload.clone()) });
        }
        changes
    }

    fn append(&mut self, change: &Change) -> io::Result<()> {
        let mut line = serde_json::to_vec(change)?;
        line.push(b'\n');
        let before = self.log.metadata()?.len();
        // A full disk may leave a partial line, which must not precede the next one.
        self.log.write_all(&line).inspect_err(|_| {
            let _ = self.log.set_len(before);
        })
    }

    fn rewrite(&mut self, changes: &[Change]) -> io::Result<()> {
        let mut text = Vec::new();
        for change in changes {
            serde_json::to_writer(&mut text, change)?;
            text.push(b'\n');
        }
        crate::storage::persistence::replace(&self.path, &text)?;
        self.log = OpenOptions::new().append(true).open(&self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str, id: &str) -> Change {
        let version = Version { id: id.into(), size: 3, ..Version::default() };
        Change::Put { key: key.into(), version: Box::new(version) }
    }

    #[test]
    fn bucket_is_restored_from_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut bucket = Bucket::create(dir.path(), "b", "eu-central-1", 7).unwrap();
        bucket.change(put("a/../b", "null")).unwrap();
        bucket.change(put("a/../b", "null")).unwrap();
        bucket.change(put("ключ", "1")).unwrap();
        bucket.change(put("ключ", "2")).unwrap();
        bucket.change(Change::Remove { key: "ключ".into(), id: "1".into() }).unwrap();
        drop(bucket);
        let bucket = Bucket::open(&dir.path().join("b.jsonl")).unwrap().unwrap();
        assert_eq!(bucket.region, "eu-central-1");
        assert_eq!(bucket.keys["a/../b"].len(), 1);
        assert_eq!(bucket.latest("ключ").unwrap().id, "2");
    }

    #[test]
    fn truncated_last_line_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let mut bucket = Bucket::create(dir.path(), "b", "us-east-1", 7).unwrap();
        bucket.change(put("a", "null")).unwrap();
        drop(bucket);
        let path = dir.path().join("b.jsonl");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"put\":{\"ke").unwrap();
        let mut bucket = Bucket::open(&path).unwrap().unwrap();
        bucket.change(put("b", "null")).unwrap();
        drop(bucket);
        assert_eq!(Bucket::open(&path).unwrap().unwrap().keys.len(), 2);
    }

    #[test]
    fn grown_log_is_compacted() {
        let dir = tempfile::tempdir().unwrap();
        let mut bucket = Bucket::create(dir.path(), "b", "us-east-1", 7).unwrap();
        for _ in 0..100 {
            bucket.change(put("a", "null")).unwrap();
        }
        drop(bucket);
        let path = dir.path().join("b.jsonl");
        Bucket::open(&path).unwrap().unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 2);
    }
}
