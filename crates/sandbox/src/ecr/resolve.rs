//! Resolves an image URI for Lambda: one architecture, its configuration, its layers as files.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::manifest::{Descriptor, Manifest, ManifestContent, hex_of};
use super::{Ecr, RepositoryRef};

/// Resolves image URIs.
#[derive(Clone)]
pub(crate) struct ImageResolver(Arc<Ecr>);

/// An image for a function.
#[derive(Debug)]
pub(crate) struct ResolvedImage {
    /// `sha256:` and the hash of the manifest.
    pub(crate) digest: String,
    /// The region of its registry.
    pub(crate) region: String,
    /// Its container configuration.
    pub(crate) config: ContainerConfig,
    /// From the lowest to the topmost.
    pub(crate) layers: Vec<ResolvedLayer>,
}

/// An image's container configuration.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ContainerConfig {
    /// `ENTRYPOINT`.
    pub(crate) entrypoint: Vec<String>,
    /// `CMD`.
    pub(crate) cmd: Vec<String>,
    /// `ENV`, each as `NAME=value`.
    pub(crate) env: Vec<String>,
    /// `WORKDIR`, empty if there is none.
    pub(crate) working_dir: String,
    /// OCI's name: `amd64`, `arm64`.
    pub(crate) architecture: String,
    /// `linux`, or the system of the docker shim's host.
    pub(crate) os: String,
}

/// A layer's file.
#[derive(Debug)]
pub(crate) struct ResolvedLayer {
    /// The media type, which shows the compression.
    pub(crate) media_type: String,
    /// The path of the blob, which must not be changed.
    pub(crate) path: PathBuf,
}

/// Why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    /// Not a URI of the sandbox's registry.
    #[error("'{0}' is not an image of this account's ECR")]
    NotEcr(String),
    /// No such repository or image.
    #[error("source image {0} does not exist")]
    NotFound(String),
    /// A list of manifests: several architectures, or attestations.
    #[error(
        "the image manifest or layer media type for the source image {uri} is not supported ({media_type}): Lambda takes \
         an image for one architecture, without attestations"
    )]
    NotOneImage {
        /// The image.
        uri: String,
        /// The manifest's media type.
        media_type: String,
    },
    /// The manifest or the configuration is invalid.
    #[error("the image {uri} cannot be read: {reason}")]
    Damaged {
        /// The image.
        uri: String,
        /// The cause.
        reason: String,
    },
}

impl ImageResolver {
    pub(super) fn new(store: Arc<Ecr>) -> Self {
        Self(store)
    }

    /// Resolves `<registry>/<name>:<tag>` or `<registry>/<name>@sha256:…`.
    pub(crate) fn resolve(&self, uri: &str) -> Result<ResolvedImage, ResolveError> {
        let services = &self.0.services;
        let not_ecr = || ResolveError::NotEcr(uri.to_owned());
        let missing = || ResolveError::NotFound(uri.to_owned());
        let damaged = |reason: String| ResolveError::Damaged { uri: uri.to_owned(), reason };

        let (host, path) = uri.split_once('/').ok_or_else(not_ecr)?;
        let region = region_of_host(services.account(), host).ok_or_else(not_ecr)?;
        let (name, reference) = match path.split_once('@') {
            Some((name, digest)) => (name.split(':').next().unwrap_or(name), digest),
            None => path.rsplit_once(':').unwrap_or((path, "latest")),
        };
        let (digest, text, media_type) = {
            let state = self.0.lock();
            let at = RepositoryRef { account: services.account(), region, name };
            let repository = state.repository(&at).map_err(|_| missing())?;
            let digest = repository.digest(reference).ok_or_else(missing)?;
            let image = &repository.images[digest];
            (digest.to_owned(), image.manifest.clone(), image.media_type.clone())
        };

        let manifest = Manifest::read(&text, Some(&media_type)).map_err(|error| damaged(error.to_string()))?;
        let ManifestContent::Image { config, layers } = manifest.content else {
            return Err(ResolveError::NotOneImage { uri: uri.to_owned(), media_type });
        };
        let file = |part: &Descriptor| {
            let hex = hex_of(&part.digest).ok_or_else(|| damaged(format!("'{}' is not a digest", part.digest)))?;
            Ok::<_, ResolveError>(services.blobs().path(hex))
        };
        let config =
            std::fs::read(file(&config)?).map_err(|error| damaged(format!("its configuration is missing: {error}")))?;
        let config: ConfigFile = serde_json::from_slice(&config)
            .map_err(|error| damaged(format!("its configuration is not valid: {error}")))?;
        if config.architecture.is_empty() || config.architecture == "unknown" {
            // Provenance attestations pushed by buildx have the architecture "unknown".
            return Err(ResolveError::NotOneImage { uri: uri.to_owned(), media_type });
        }
        let layers = layers
            .iter()
            .map(|layer| Ok(ResolvedLayer { path: file(layer)?, media_type: layer.media_type.clone() }))
            .collect::<Result<_, ResolveError>>()?;
        Ok(ResolvedImage { digest, region: region.to_owned(), config: config.into(), layers })
    }
}

/// The region in `<account>.dkr.ecr.<region>.amazonaws.com`.
pub(super) fn region_of_host<'a>(account: &str, host: &'a str) -> Option<&'a str> {
    let host = host.strip_suffix(":443").unwrap_or(host);
    host.strip_prefix(account)?
        .strip_prefix(".dkr.ecr.")?
        .strip_suffix(".amazonaws.com")
        .filter(|region| !region.is_empty() && !region.contains('.'))
}

/// An image's configuration file.
#[derive(Deserialize)]
struct ConfigFile {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    config: RunConfig,
}

/// The run configuration. Docker writes `null` for unset values.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RunConfig {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
}

impl From<ConfigFile> for ContainerConfig {
    fn from(file: ConfigFile) -> Self {
        Self {
            entrypoint: file.config.entrypoint.unwrap_or_default(),
            cmd: file.config.cmd.unwrap_or_default(),
            env: file.config.env.unwrap_or_default(),
            working_dir: file.config.working_dir.unwrap_or_default(),
            architecture: file.architecture,
            os: file.os,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::region_of_host;

    #[test]
    fn only_own_account_registry_is_ecr() {
        let own = "000000000000.dkr.ecr.eu-west-1.amazonaws.com";
        assert_eq!(region_of_host("000000000000", own), Some("eu-west-1"));
        for foreign in
            ["docker.io", "111111111111.dkr.ecr.eu-west-1.amazonaws.com", "000000000000.dkr.ecr..amazonaws.com"]
        {
            assert_eq!(region_of_host("000000000000", foreign), None, "{foreign}");
        }
    }
}
