//! `docker pull` from the sandbox's ECR.

use std::fs::{self, File};
use std::io;

use sha2::{Digest as _, Sha256};

use super::docker_push::base;
use super::image::MANIFEST;
use super::images::{ImageStore, OciManifest};
use super::reference::ImageReference;
use super::{BuildEnvironment, ShimError, expect_success};
use crate::ecr::REGISTRY_HEADER;
use crate::http_agent::{agent, reader_of};

const ACCEPTED: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

/// Pulls an image, and returns the digest of its manifest.
pub(super) fn pull(reference: &ImageReference, build: &BuildEnvironment) -> Result<String, ShimError> {
    let base = base(&reference.host, build)?;
    let auth = build.login(&reference.host).ok_or_else(|| {
        ShimError::usage(format!("no basic auth credentials for {}: run docker login first", reference.host))
    })?;
    let (agent, images) = (agent(), ImageStore::of(build));
    let get = |rest: &str| {
        let response = agent
            .get(format!("{base}/v2/{}/{rest}", reference.name))
            .header(REGISTRY_HEADER, &reference.host)
            .header("authorization", &auth)
            .header("accept", ACCEPTED)
            .call();
        expect_success(format!("pulling {reference}"), response)
    };
    let damaged = |cause: String| ShimError::usage(format!("cannot use the manifest of {reference}: {cause}"));
    let mut response = get(&format!("manifests/{}", reference.tag))?;
    let text = response.body_mut().read_to_vec().map_err(|cause| damaged(cause.to_string()))?;
    // An index has no configuration, and is refused.
    let manifest: OciManifest = serde_json::from_slice(&text).map_err(|cause| damaged(cause.to_string()))?;
    let known = [MANIFEST, "application/vnd.docker.distribution.manifest.v2+json", ""];
    if !known.contains(&manifest.media_type.as_str()) {
        return Err(damaged(format!("its type is {}", manifest.media_type)));
    }
    for part in manifest.layers.iter().chain([&manifest.config]) {
        // The digest becomes a file's name.
        let hex = part.digest.strip_prefix("sha256:").unwrap_or_default();
        if hex.len() != 64 || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(damaged(format!("{} is not a digest", part.digest)));
        }
        if images.path(&part.digest).is_file() {
            continue;
        }
        let mut response = get(&format!("blobs/{}", part.digest))?;
        let file = images.incoming()?;
        let mut out = HashingFile {
            file: File::create(&file).map_err(ShimError::io("cannot write a layer"))?,
            hash: Sha256::new(),
        };
        io::copy(&mut reader_of(&mut response, part.size), &mut out).map_err(ShimError::io("cannot write a layer"))?;
        let hex = format!("{:x}", out.hash.finalize());
        if part.digest.strip_prefix("sha256:") != Some(&hex) {
            let _ = fs::remove_file(&file);
            return Err(damaged(format!("{} was received as sha256:{hex}", part.digest)));
        }
        images.store(&file, &hex)?;
    }
    let digest = images.add(&text)?;
    images.tag(reference, &digest)?;
    Ok(digest)
}

struct HashingFile {
    file: File,
    hash: Sha256,
}

impl io::Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
