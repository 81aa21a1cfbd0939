//! Layers: multipart uploads, availability and download links.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use awsim_core::AwsError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::manifest::hex_of;
use super::{Ecr, RepositoryRef, invalid, text};
use crate::operation::{ApiCall, ApiResult};
use crate::storage::blobs::{Blob, BlobWriter};

/// The part size requested from clients. ECR allows 20 MiB; small parts keep memory use low.
const PART_SIZE: u64 = 5 * 1024 * 1024;

/// Uploads in progress by id, each with its own lock, so that layers upload in parallel.
#[derive(Default)]
pub(super) struct LayerUploads(Mutex<HashMap<String, Arc<LayerUpload>>>);

/// One upload; `None` after its completion.
pub(super) struct LayerUpload(pub(super) tokio::sync::Mutex<Option<UploadState>>);

/// The bytes received so far.
pub(super) struct UploadState {
    region: String,
    repository: String,
    writer: BlobWriter,
}

impl UploadState {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.writer.write(bytes).await
    }

    pub(super) fn received(&self) -> u64 {
        self.writer.len()
    }
}

/// A failed layer upload.
#[derive(Debug, thiserror::Error)]
pub(super) enum LayerError {
    #[error("the upload '{0}' was not found")]
    UnknownUpload(String),
    #[error("'{0}' is not a sha256 digest")]
    NotADigest(String),
    #[error("the uploaded bytes have the digest '{found}', not '{expected}'")]
    Mismatch { expected: String, found: String },
    #[error("the repository '{0}' was not found")]
    UnknownRepository(String),
    #[error("cannot write the layer")]
    Io(#[from] std::io::Error),
}

impl Ecr {
    /// Starts an upload and returns its id.
    pub(super) async fn begin_upload(&self, at: &RepositoryRef<'_>) -> Result<String, LayerError> {
        self.lock().repository(at).map_err(|_| LayerError::UnknownRepository(at.name.to_owned()))?;
        let incoming = UploadState {
            region: at.region.to_owned(),
            repository: at.name.to_owned(),
            writer: self.services.blobs().writer().await?,
        };
        let id = uuid::Uuid::new_v4().to_string();
        let upload = Arc::new(LayerUpload(tokio::sync::Mutex::new(Some(incoming))));
        self.uploads().insert(id.clone(), upload);
        Ok(id)
    }

    /// The upload with this id, if it belongs to this repository.
    pub(super) async fn upload(&self, at: &RepositoryRef<'_>, id: &str) -> Result<Arc<LayerUpload>, LayerError> {
        let unknown = || LayerError::UnknownUpload(id.to_owned());
        let upload = self.uploads().get(id).cloned().ok_or_else(unknown)?;
        let here = upload
            .0
            .lock()
            .await
            .as_ref()
            .is_some_and(|incoming| incoming.region == at.region && incoming.repository == at.name);
        here.then_some(upload).ok_or_else(unknown)
    }

    /// Completes an upload as a layer; its bytes must have the client's digest.
    pub(super) async fn finish_upload(
        &self,
        at: &RepositoryRef<'_>,
        id: &str,
        digest: &str,
    ) -> Result<Blob, LayerError> {
        let expected = hex_of(digest).ok_or_else(|| LayerError::NotADigest(digest.to_owned()))?;
        let upload = self.upload(at, id).await?;
        self.uploads().remove(id);
        let incoming = upload.0.lock().await.take();
        let incoming = incoming.ok_or_else(|| LayerError::UnknownUpload(id.to_owned()))?;
        let blob = incoming.writer.finish().await?;
        if blob.sha256 != expected {
            return Err(LayerError::Mismatch { expected: digest.to_owned(), found: format!("sha256:{}", blob.sha256) });
        }
        self.lock()
            .repository_mut(at)
            .map_err(|_| LayerError::UnknownRepository(at.name.to_owned()))?
            .layers
            .insert(digest.to_owned(), blob.len);
        Ok(blob)
    }

    /// Discards an upload.
    pub(super) fn drop_upload(&self, id: &str) {
        self.uploads().remove(id);
    }

    fn uploads(&self) -> MutexGuard<'_, HashMap<String, Arc<LayerUpload>>> {
        crate::sync::lock(&self.uploads.0)
    }

    pub(super) async fn initiate_upload(&self, ApiCall { input, context: ctx, .. }: ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        let id = self.begin_upload(&at).await.map_err(|error| refusal(error, &at))?;
        Ok(json!({ "uploadId": id, "partSize": PART_SIZE }))
    }

    pub(super) async fn upload_part(&self, ApiCall { input, context: ctx, .. }: ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        let id = text(input, "uploadId")?;
        let bytes = STANDARD
            .decode(text(input, "layerPartBlob")?)
            .map_err(|error| invalid(format!("layerPartBlob is not base64: {error}")))?;
        let (Some(first), Some(last)) = (input["partFirstByte"].as_u64(), input["partLastByte"].as_u64()) else {
            return Err(invalid("partFirstByte and partLastByte are required"));
        };
        let upload = self.upload(&at, id).await.map_err(|error| refusal(error, &at))?;
        let mut slot = upload.0.lock().await;
        let incoming = slot.as_mut().ok_or_else(|| refusal(LayerError::UnknownUpload(id.to_owned()), &at))?;
        if first != incoming.received() || last + 1 != first + bytes.len() as u64 {
            // ECR reports the last valid byte, so that a client can resume.
            return Err(AwsError::bad_request(
                "InvalidLayerPartException",
                format!(
                    "The part covers bytes {first} to {last} with {} bytes, but byte {} is expected next",
                    bytes.len(),
                    incoming.received()
                ),
            )
            .with_extra("registryId", json!(at.account))
            .with_extra("repositoryName", json!(at.name))
            .with_extra("uploadId", json!(id))
            .with_extra("lastValidByteReceived", json!(incoming.received().saturating_sub(1))));
        }
        incoming.write(&bytes).await.map_err(|error| refusal(error.into(), &at))?;
        Ok(json!({
            "registryId": at.account,
            "repositoryName": at.name,
            "uploadId": id,
            "lastByteReceived": last,
        }))
    }

    pub(super) async fn complete_upload(&self, ApiCall { input, context: ctx, .. }: ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        let id = text(input, "uploadId")?;
        let digests = input["layerDigests"].as_array().map(Vec::as_slice).unwrap_or_default();
        let [digest] = digests else {
            return Err(invalid("layerDigests must have exactly one digest"));
        };
        let digest = digest.as_str().unwrap_or_default();
        let upload = self.upload(&at, id).await.map_err(|error| refusal(error, &at))?;
        if upload.0.lock().await.as_ref().map(|it| it.received()) == Some(0) {
            return Err(AwsError::bad_request("EmptyUploadException", format!("The upload '{id}' has no parts")));
        }
        if self.lock().repository(&at)?.layers.contains_key(digest) {
            self.drop_upload(id);
            return Err(AwsError::bad_request(
                "LayerAlreadyExistsException",
                format!("Layer with digest '{digest}' already exists in the repository with name '{}'", at.name),
            ));
        }
        self.finish_upload(&at, id, digest).await.map_err(|error| refusal(error, &at))?;
        Ok(json!({
            "registryId": at.account,
            "repositoryName": at.name,
            "uploadId": id,
            "layerDigest": digest,
        }))
    }

    pub(super) fn check_layers(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        let state = self.lock();
        let repository = state.repository(&at)?;
        let (mut layers, mut failures) = (Vec::new(), Vec::new());
        for digest in input["layerDigests"].as_array().into_iter().flatten() {
            let digest = digest.as_str().unwrap_or_default();
            if hex_of(digest).is_none() {
                failures.push(json!({
                    "layerDigest": digest,
                    "failureCode": "InvalidLayerDigest",
                    "failureReason": "Invalid layer digest",
                }));
                continue;
            }
            layers.push(match repository.layers.get(digest) {
                Some(size) => json!({
                    "layerDigest": digest,
                    "layerAvailability": "AVAILABLE",
                    "layerSize": size,
                }),
                None => json!({ "layerDigest": digest, "layerAvailability": "UNAVAILABLE" }),
            });
        }
        Ok(json!({ "layers": layers, "failures": failures }))
    }

    pub(super) fn download_url(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        let digest = text(input, "layerDigest")?;
        if !self.lock().repository(&at)?.layers.contains_key(digest) {
            return Err(AwsError::bad_request(
                "LayersNotFoundException",
                format!("Layer with digest '{digest}' was not found in the repository with name '{}'", at.name),
            ));
        }
        let endpoint = self.services.endpoint();
        Ok(json!({
            "layerDigest": digest,
            // No repository name starts with an underscore.
            "downloadUrl": format!("{endpoint}/v2/_layers/{digest}?token={}", self.layer_token(digest)),
        }))
    }
}

/// The error of ECR's own API for a failed upload.
fn refusal(error: LayerError, at: &RepositoryRef<'_>) -> AwsError {
    let message = error.to_string();
    match error {
        LayerError::UnknownUpload(_) => AwsError::bad_request("UploadNotFoundException", message),
        LayerError::NotADigest(_) => invalid(message),
        LayerError::Mismatch { .. } => AwsError::bad_request("InvalidLayerException", message),
        LayerError::UnknownRepository(_) => at.not_found(),
        LayerError::Io(cause) => AwsError::internal(format!("{message}: {cause}")),
    }
}
