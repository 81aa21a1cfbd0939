//! The images of a build, in its home directory: blobs by hash, and names of manifests.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::reference::ImageReference;
use super::{BuildEnvironment, ShimError};

/// A descriptor of a manifest's blob.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlobDescriptor {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
}

/// An OCI image manifest.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OciManifest {
    pub(super) schema_version: u8,
    /// Optional in OCI.
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) config: BlobDescriptor,
    pub(super) layers: Vec<BlobDescriptor>,
}

/// The images of one build.
pub(super) struct ImageStore {
    directory: PathBuf,
}

impl ImageStore {
    pub(super) fn of(build: &BuildEnvironment) -> Self {
        Self { directory: build.home.join(".thumbctl-images") }
    }

    /// Returns the path of a new blob's file, to be stored by [`Self::store`].
    pub(super) fn incoming(&self) -> Result<PathBuf, ShimError> {
        let path = self.directory.join(format!("incoming-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&self.directory)
            .map_err(ShimError::io(format!("cannot create {}", self.directory.display())))?;
        Ok(path)
    }

    /// Stores a written file as the blob with this hash.
    pub(super) fn store(&self, file: &std::path::Path, hex: &str) -> Result<(), ShimError> {
        fs::rename(file, self.blob(hex)).map_err(ShimError::io("cannot store a layer"))
    }

    /// Stores bytes, and returns their digest.
    pub(super) fn add(&self, bytes: &[u8]) -> Result<String, ShimError> {
        let hex = format!("{:x}", Sha256::digest(bytes));
        let file = self.incoming()?;
        fs::write(&file, bytes).map_err(ShimError::io(format!("cannot write {}", file.display())))?;
        self.store(&file, &hex)?;
        Ok(format!("sha256:{hex}"))
    }

    /// The path of the blob with this digest.
    pub(super) fn path(&self, digest: &str) -> PathBuf {
        self.blob(digest.strip_prefix("sha256:").unwrap_or(digest))
    }

    fn blob(&self, hex: &str) -> PathBuf {
        self.directory.join(hex)
    }

    /// The manifest with this digest.
    pub(super) fn manifest(&self, digest: &str) -> Result<OciManifest, ShimError> {
        let bytes = self.read(digest)?;
        serde_json::from_slice(&bytes)
            .map_err(|cause| ShimError::usage(format!("the manifest {digest} is damaged: {cause}")))
    }

    /// The JSON with this digest.
    pub(super) fn json(&self, digest: &str) -> Result<serde_json::Value, ShimError> {
        let bytes = self.read(digest)?;
        serde_json::from_slice(&bytes).map_err(|cause| ShimError::usage(format!("{digest} is damaged: {cause}")))
    }

    fn read(&self, digest: &str) -> Result<Vec<u8>, ShimError> {
        fs::read(self.path(digest)).map_err(ShimError::io(format!("{digest} is missing")))
    }

    /// Sets a name for a manifest.
    pub(super) fn tag(&self, reference: &ImageReference, digest: &str) -> Result<(), ShimError> {
        let mut names = self.names();
        names.insert(reference.to_string(), digest.to_owned());
        self.write_names(&names)
    }

    /// Removes a name.
    pub(super) fn untag(&self, reference: &ImageReference) -> Result<(), ShimError> {
        let mut names = self.names();
        if names.remove(&reference.to_string()).is_none() {
            return Err(ShimError::usage(format!("Error response from daemon: No such image: {reference}")));
        }
        self.write_names(&names)
    }

    fn write_names(&self, names: &BTreeMap<String, String>) -> Result<(), ShimError> {
        let text =
            serde_json::to_vec(names).map_err(|cause| ShimError::usage(format!("cannot write names: {cause}")))?;
        fs::write(self.names_file(), text).map_err(ShimError::io("cannot write the images' names"))
    }

    /// The digest and text of a name's manifest.
    pub(super) fn find(&self, reference: &ImageReference) -> Result<(String, String), ShimError> {
        let digest = self
            .names()
            .remove(&reference.to_string())
            .ok_or_else(|| ShimError::usage(format!("An image does not exist locally with the tag: {reference}")))?;
        let text = fs::read_to_string(self.path(&digest))
            .map_err(ShimError::io(format!("the manifest of {reference} is missing")))?;
        Ok((digest, text))
    }

    /// All names and their digests.
    pub(super) fn names(&self) -> BTreeMap<String, String> {
        fs::read(self.names_file()).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn names_file(&self) -> PathBuf {
        self.directory.join("names.json")
    }
}
