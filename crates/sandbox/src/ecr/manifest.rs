//! Image manifests, as far as a registry needs them.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A part of an image: digest and media type. Its size is taken from the stored blob.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) digest: String,
    #[serde(default)]
    pub(super) media_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestDocument {
    schema_version: u8,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

/// A parsed manifest.
pub(super) struct Manifest {
    pub(super) media_type: String,
    pub(super) artifact_type: Option<String>,
    pub(super) content: ManifestContent,
}

/// The content of a manifest.
pub(super) enum ManifestContent {
    /// One image: its configuration and its layers.
    Image { config: Descriptor, layers: Vec<Descriptor> },
    /// Several manifests: for several architectures, or with attestations.
    Index(Vec<Descriptor>),
}

/// An invalid manifest.
#[derive(Debug, thiserror::Error)]
pub(super) enum ManifestError {
    #[error("the manifest is not JSON of the expected form")]
    Json(#[from] serde_json::Error),
    #[error("schema version {0} is not supported")]
    Version(u8),
    #[error("media type '{0}' is not supported")]
    MediaType(String),
    #[error("an image manifest needs a config")]
    NoConfig,
}

impl Manifest {
    /// Reads a manifest; its own media type takes precedence over the request's.
    pub(super) fn read(text: &str, given: Option<&str>) -> Result<Self, ManifestError> {
        let document: ManifestDocument = serde_json::from_str(text)?;
        if document.schema_version != 2 {
            return Err(ManifestError::Version(document.schema_version));
        }
        let media_type = document
            .media_type
            .or_else(|| given.map(str::to_owned))
            // OCI manifests may omit the field; the content shows which of the two it is.
            .unwrap_or_else(|| {
                let index = document.config.is_none() && !document.manifests.is_empty();
                if index { OCI_INDEX } else { OCI_MANIFEST }.to_owned()
            });
        let content = match media_type.as_str() {
            OCI_MANIFEST | DOCKER_MANIFEST => ManifestContent::Image {
                config: document.config.ok_or(ManifestError::NoConfig)?,
                layers: document.layers,
            },
            OCI_INDEX | DOCKER_LIST => ManifestContent::Index(document.manifests),
            _ => return Err(ManifestError::MediaType(media_type)),
        };
        Ok(Self { media_type, artifact_type: document.artifact_type, content })
    }
}

/// The digest of bytes in the form `sha256:…`.
pub(super) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

/// The hexadecimal part of a valid digest.
pub(super) fn hex_of(digest: &str) -> Option<&str> {
    digest
        .strip_prefix("sha256:")
        .filter(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)))
}
