//! `docker push`: streams the missing blobs to the registry, then the manifest.

use std::fs::File;

use http::Response;
use ureq::{Body, SendBody};

use super::images::{BlobDescriptor, ImageStore, OciManifest};
use super::reference::ImageReference;
use super::{BuildEnvironment, ShimError, expect_success};
use crate::ecr::REGISTRY_HEADER;
use crate::http_agent::agent;

/// Whether a registry's host is ECR's.
pub(super) fn is_ecr(host: &str) -> bool {
    host.contains(".dkr.ecr.") && host.ends_with(".amazonaws.com")
}

/// The base URL of a registry: the sandbox, if the host is ECR's.
pub(super) fn base<'a>(host: &str, build: &'a BuildEnvironment) -> Result<&'a str, ShimError> {
    if !is_ecr(host) {
        return Err(ShimError::usage(format!(
            "the registry '{host}' is not the sandbox's: <account>.dkr.ecr.<region>.amazonaws.com"
        )));
    }
    build.endpoint()
}

pub(super) fn run(reference: &ImageReference, build: &BuildEnvironment) -> Result<(), ShimError> {
    let images = ImageStore::of(build);
    let (digest, text) = images.find(reference)?;
    let manifest: OciManifest = serde_json::from_str(&text)
        .map_err(|cause| ShimError::usage(format!("the manifest of {reference} is damaged: {cause}")))?;
    let push = ImagePush {
        base: base(&reference.host, build)?,
        auth: build.login(&reference.host).ok_or_else(|| {
            ShimError::usage(format!("no basic auth credentials for {}: run docker login first", reference.host))
        })?,
        agent: agent(),
        reference,
    };
    println!("The push refers to repository [{}]", reference.repository());
    super::apply_latency(super::PUSH_DURATION);
    for part in manifest.layers.iter().chain([&manifest.config]) {
        push.part(part, &images)?;
    }
    let url = push.url(&format!("manifests/{}", reference.tag));
    let response = push
        .agent
        .put(&url)
        .header(REGISTRY_HEADER, &reference.host)
        .header("authorization", &push.auth)
        .header("content-type", &manifest.media_type)
        .send(&*text);
    expect_success(format!("pushing the manifest of {reference}"), response)?;
    println!("{}: digest: {digest} size: {}", reference.tag, text.len());
    Ok(())
}

struct ImagePush<'a> {
    base: &'a str,
    auth: String,
    agent: ureq::Agent,
    reference: &'a ImageReference,
}

impl ImagePush<'_> {
    fn part(&self, part: &BlobDescriptor, images: &ImageStore) -> Result<(), ShimError> {
        let short = part.digest.get(7..19).unwrap_or(&part.digest);
        let what = || format!("pushing {short} to {}", self.reference.repository());
        let known = self
            .agent
            .head(self.url(&format!("blobs/{}", part.digest)))
            .header(REGISTRY_HEADER, &self.reference.host)
            .header("authorization", &self.auth)
            .call();
        if known.is_ok_and(|response| response.status().is_success()) {
            println!("{short}: Layer already exists");
            return Ok(());
        }
        let started = self
            .agent
            .post(self.url("blobs/uploads/"))
            .header(REGISTRY_HEADER, &self.reference.host)
            .header("authorization", &self.auth)
            .send_empty();
        let location = location(&expect_success(what(), started)?);
        let separator = if location.contains('?') { '&' } else { '?' };
        let file = File::open(images.path(&part.digest)).map_err(ShimError::io(what()))?;
        let sent = self
            .agent
            .put(format!("{}{location}{separator}digest={}", self.base, part.digest))
            .header(REGISTRY_HEADER, &self.reference.host)
            .header("authorization", &self.auth)
            .header("content-type", "application/octet-stream")
            .header("content-length", part.size.to_string())
            .send(SendBody::from_owned_reader(file));
        expect_success(what(), sent)?;
        println!("{short}: Pushed");
        Ok(())
    }

    fn url(&self, rest: &str) -> String {
        format!("{}/v2/{}/{rest}", self.base, self.reference.name)
    }
}

/// The upload's location; the sandbox returns a path.
fn location(response: &Response<Body>) -> String {
    response.headers().get("location").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
