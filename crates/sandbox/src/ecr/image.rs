//! Images: manifests and their tags.

use std::collections::BTreeMap;

use awsim_core::AwsError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::manifest::{Manifest, ManifestContent, digest_of};
use super::repository::{Repository, page};
use super::{Ecr, RepositoryRef, invalid, now, text};
use crate::operation::{ApiCall, ApiResult};

/// One image, with its manifest exactly as pushed.
#[derive(Serialize, Deserialize)]
pub(super) struct Image {
    pub(super) manifest: String,
    pub(super) media_type: String,
    artifact_type: Option<String>,
    pushed_at: f64,
    size: u64,
    /// Digests of the configuration and the layers.
    parts: Vec<String>,
}

/// The result of storing a manifest.
pub(super) struct StoredImage {
    pub(super) digest: String,
    /// Whether the same manifest already existed under the same tag.
    pub(super) unchanged: bool,
}

impl Repository {
    /// The digest of a tag, or the digest itself.
    pub(super) fn digest(&self, reference: &str) -> Option<&str> {
        let digest = self.tags.get(reference).map_or(reference, String::as_str);
        self.images.get_key_value(digest).map(|(digest, _)| digest.as_str())
    }

    /// Stores a manifest; its layers or manifests must exist already.
    pub(super) fn store_image(
        &mut self,
        text: &str,
        media_type: Option<&str>,
        tag: Option<&str>,
        at: &RepositoryRef<'_>,
    ) -> Result<StoredImage, AwsError> {
        let manifest = Manifest::read(text, media_type).map_err(|error| {
            let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
            invalid(format!(
                "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax or manifest' \
                 ({error}{cause})"
            ))
        })?;
        let (parts, size) = self.parts(&manifest.content, at)?;
        if let Some(tag) = tag
            && !valid_tag(tag)
        {
            return Err(invalid(format!(
                "Invalid parameter at 'imageTag' failed to satisfy constraint: '{tag}' is not a valid tag"
            )));
        }
        let digest = digest_of(text.as_bytes());
        let current = tag.and_then(|tag| self.tags.get(tag));
        let unchanged = match (tag, current) {
            (Some(_), Some(current)) => *current == digest,
            (Some(_), None) => false,
            (None, _) => self.images.contains_key(&digest),
        };
        if let (Some(tag), Some(_)) = (tag, current)
            && !unchanged
            && self.mutability == "IMMUTABLE"
        {
            return Err(AwsError::bad_request(
                "ImageTagAlreadyExistsException",
                format!(
                    "The image tag '{tag}' already exists in the '{}' repository and cannot be overwritten because the \
                     repository is immutable.",
                    at.name
                ),
            ));
        }
        self.images.entry(digest.clone()).or_insert_with(|| Image {
            manifest: text.to_owned(),
            media_type: manifest.media_type,
            artifact_type: manifest.artifact_type,
            pushed_at: now(),
            size,
            parts,
        });
        if let Some(tag) = tag {
            self.tags.insert(tag.to_owned(), digest.clone());
        }
        Ok(StoredImage { digest, unchanged })
    }

    /// The digests of an image's parts and their total size.
    fn parts(&self, content: &ManifestContent, at: &RepositoryRef<'_>) -> Result<(Vec<String>, u64), AwsError> {
        match content {
            ManifestContent::Image { config, layers } => {
                let parts: Vec<_> = std::iter::once(config).chain(layers).map(|part| part.digest.clone()).collect();
                let missing: Vec<_> =
                    parts.iter().filter(|digest| !self.layers.contains_key(*digest)).cloned().collect();
                if !missing.is_empty() {
                    return Err(AwsError::bad_request(
                        "LayersNotFoundException",
                        format!(
                            "Layers with digests '[{}]' are required for this image but were not found in the repository \
                             with name '{}' in the registry with id '{}'",
                            missing.join(", "),
                            at.name,
                            at.account
                        ),
                    ));
                }
                let size = parts.iter().filter_map(|part| self.layers.get(part)).sum();
                Ok((parts, size))
            }
            ManifestContent::Index(manifests) => {
                let mut size = 0;
                for manifest in manifests {
                    let image = self.images.get(&manifest.digest).ok_or_else(|| {
                        AwsError::bad_request(
                            "ReferencedImagesNotFoundException",
                            format!(
                                "Images with digests '[{}]' required for pushing image into repository with name '{}' in \
                                 the registry with id '{}' do not exist",
                                manifest.digest, at.name, at.account
                            ),
                        )
                    })?;
                    size += image.size;
                }
                Ok((Vec::new(), size))
            }
        }
    }

    /// Removes an image with its tags and the layers that no other image has.
    pub(super) fn remove_image(&mut self, digest: &str) -> Vec<String> {
        let tags: Vec<_> = self.tags_of(digest).map(str::to_owned).collect();
        self.tags.retain(|_, tagged| tagged != digest);
        let parts = self.images.remove(digest).map(|image| image.parts).unwrap_or_default();
        for part in parts {
            if !self.images.values().any(|image| image.parts.contains(&part)) {
                self.layers.remove(&part);
            }
        }
        tags
    }

    fn tags_of(&self, digest: &str) -> impl Iterator<Item = &str> {
        self.tags.iter().filter(move |(_, tagged)| *tagged == digest).map(|(tag, _)| tag.as_str())
    }

    /// The digest of an `imageId`, given by digest, tag, or both if they match.
    fn find(&self, id: &Value) -> Result<&str, &'static str> {
        let (digest, tag) = (id["imageDigest"].as_str(), id["imageTag"].as_str());
        let found = match (digest, tag) {
            (None, None) => return Err("MissingDigestAndTag"),
            (Some(digest), None) => self.digest(digest),
            (digest, Some(tag)) => {
                let tagged = self.tags.get(tag).and_then(|found| self.digest(found));
                if let (Some(digest), Some(tagged)) = (digest, tagged)
                    && digest != tagged
                {
                    return Err("ImageTagDoesNotMatchDigest");
                }
                tagged
            }
        };
        found.ok_or("ImageNotFound")
    }

    fn detail(&self, digest: &str, image: &Image, at: &RepositoryRef<'_>) -> Value {
        let mut detail = json!({
            "registryId": at.account,
            "repositoryName": at.name,
            "imageDigest": digest,
            "imageSizeInBytes": image.size,
            "imagePushedAt": image.pushed_at,
            "imageManifestMediaType": image.media_type,
        });
        let tags: Vec<_> = self.tags_of(digest).collect();
        if !tags.is_empty() {
            detail["imageTags"] = json!(tags);
        }
        if let Some(kind) = &image.artifact_type {
            detail["artifactMediaType"] = json!(kind);
        }
        detail
    }
}

impl Ecr {
    pub(super) fn put_image(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        let manifest = text(input, "imageManifest")?;
        let tag = input["imageTag"].as_str();
        let mut state = self.lock();
        let repository = state.repository_mut(&at)?;
        if let Some(expected) = input["imageDigest"].as_str()
            && expected != digest_of(manifest.as_bytes())
        {
            return Err(AwsError::bad_request(
                "ImageDigestDoesNotMatchException",
                format!("The manifest does not have the digest '{expected}'"),
            ));
        }
        let media_type = input["imageManifestMediaType"].as_str();
        let stored = repository.store_image(manifest, media_type, tag, &at)?;
        if stored.unchanged {
            return Err(AwsError::bad_request(
                "ImageAlreadyExistsException",
                format!(
                    "Image with digest '{}' and tag '{}' already exists in the repository with name '{}' in registry with \
                     id '{}'",
                    stored.digest,
                    tag.unwrap_or("null"),
                    at.name,
                    at.account
                ),
            ));
        }
        let mut id = json!({ "imageDigest": stored.digest });
        if let Some(tag) = tag {
            id["imageTag"] = json!(tag);
        }
        Ok(json!({ "image": {
            "registryId": at.account,
            "repositoryName": at.name,
            "imageId": id,
            "imageManifest": manifest,
            "imageManifestMediaType": repository.images[&stored.digest].media_type,
        }}))
    }

    pub(super) fn get_images(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        let state = self.lock();
        let repository = state.repository(&at)?;
        let (mut images, mut failures) = (Vec::new(), Vec::new());
        for id in image_ids(input)? {
            match repository.find(id) {
                Ok(digest) => {
                    let image = &repository.images[digest];
                    let mut full = json!({ "imageDigest": digest });
                    if !id["imageTag"].is_null() {
                        full["imageTag"] = id["imageTag"].clone();
                    }
                    images.push(json!({
                        "registryId": at.account,
                        "repositoryName": at.name,
                        "imageId": full,
                        "imageManifest": image.manifest,
                        "imageManifestMediaType": image.media_type,
                    }));
                }
                Err(code) => failures.push(failure(id, code)),
            }
        }
        Ok(json!({ "images": images, "failures": failures }))
    }

    pub(super) fn describe_images(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        let state = self.lock();
        let repository = state.repository(&at)?;
        let tagged = input["filter"]["tagStatus"].as_str();
        let mut selected = BTreeMap::new();
        if input["imageIds"].is_array() {
            for id in image_ids(input)? {
                let digest = repository.find(id).map_err(|_| image_not_found(id, &at))?;
                selected.insert(digest, &repository.images[digest]);
            }
        } else {
            selected.extend(repository.images.iter().map(|(digest, image)| (digest.as_str(), image)));
        }
        let details = selected
            .into_iter()
            .filter(|(digest, _)| matches_tag_status(tagged, repository.tags_of(digest).next().is_some()))
            .map(|(digest, image)| (digest.to_owned(), repository.detail(digest, image, &at)))
            .collect();
        page(details, "imageDetails", 100, input)
    }

    pub(super) fn list_images(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        let state = self.lock();
        let repository = state.repository(&at)?;
        let tagged = input["filter"]["tagStatus"].as_str();
        let mut ids = Vec::new();
        for digest in repository.images.keys() {
            let mut tags = repository.tags_of(digest).peekable();
            if tags.peek().is_none() && matches_tag_status(tagged, false) {
                ids.push((digest.clone(), json!({ "imageDigest": digest })));
            }
            for tag in tags.filter(|_| matches_tag_status(tagged, true)) {
                let id = json!({ "imageDigest": digest, "imageTag": tag });
                ids.push((format!("{digest} {tag}"), id));
            }
        }
        page(ids, "imageIds", 100, input)
    }

    pub(super) fn delete_images(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        let mut state = self.lock();
        let repository = state.repository_mut(&at)?;
        let (mut deleted, mut failures) = (Vec::new(), Vec::new());
        for id in image_ids(input)? {
            let digest = match repository.find(id) {
                Ok(digest) => digest.to_owned(),
                Err(code) => {
                    failures.push(failure(id, code));
                    continue;
                }
            };
            let by_tag = id["imageDigest"].is_null().then(|| id["imageTag"].as_str());
            if let Some(Some(tag)) = by_tag
                && repository.tags_of(&digest).count() > 1
            {
                // An image with other tags only loses this tag.
                repository.tags.remove(tag);
                deleted.push(json!({ "imageDigest": digest, "imageTag": tag }));
                continue;
            }
            let tags = repository.remove_image(&digest);
            if tags.is_empty() {
                deleted.push(json!({ "imageDigest": digest }));
            }
            deleted.extend(tags.iter().map(|tag| json!({ "imageDigest": digest, "imageTag": tag })));
        }
        Ok(json!({ "imageIds": deleted, "failures": failures }))
    }
}

/// The images of a request. AWS refuses an empty list.
fn image_ids(input: &Value) -> Result<&Vec<Value>, AwsError> {
    match input["imageIds"].as_array() {
        Some(ids) if (1..=100).contains(&ids.len()) => Ok(ids),
        _ => Err(invalid(
            "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length between 1 and 100'",
        )),
    }
}

fn matches_tag_status(status: Option<&str>, tagged: bool) -> bool {
    match status {
        Some("TAGGED") => tagged,
        Some("UNTAGGED") => !tagged,
        _ => true,
    }
}

fn failure(id: &Value, code: &str) -> Value {
    let reason = match code {
        "MissingDigestAndTag" => "Invalid request parameters: both tag and digest cannot be null",
        "ImageTagDoesNotMatchDigest" => "The tag does not point at the digest",
        _ => "Requested image not found",
    };
    json!({ "imageId": id, "failureCode": code, "failureReason": reason })
}

fn image_not_found(id: &Value, at: &RepositoryRef<'_>) -> AwsError {
    AwsError::bad_request(
        "ImageNotFoundException",
        format!(
            "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name \
             '{}' in the registry with id '{}'",
            id["imageDigest"].as_str().unwrap_or("null"),
            id["imageTag"].as_str().unwrap_or("null"),
            at.name,
            at.account
        ),
    )
}

fn valid_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&tag.len())
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}
