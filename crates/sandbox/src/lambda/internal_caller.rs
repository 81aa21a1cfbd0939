//! What Lambda asks of the rest of the sandbox, as a trait, so that functions can be tried without the other services.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use awsim_core::AwsError;
use serde_json::Value;

use super::errors;
use crate::authz::sessions::TemporaryCredentials;
use crate::ecr::{ImageResolver, ResolveError};
use crate::latency::Latencies;
use crate::s3::S3;
use crate::services::Services;
use crate::storage::blobs::Blob;

/// The service principal as which Lambda assumes execution roles.
const PRINCIPAL: &str = "lambda.amazonaws.com";

/// A container image, as its registry describes it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceImage {
    /// The manifest's digest, `sha256:…`.
    pub digest: String,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    pub working_dir: String,
    /// From the lowest to the uppermost.
    pub layers: Vec<SourceLayer>,
}

/// One layer's bytes, as they are in the registry.
#[derive(Debug, Clone)]
pub(crate) struct SourceLayer {
    pub media_type: String,
    pub path: PathBuf,
}

/// What Lambda asks of the rest of the sandbox.
#[async_trait]
pub(crate) trait InternalCaller: Send + Sync + 'static {
    /// The account number.
    fn account(&self) -> &str;
    /// Where the sandbox answers.
    fn endpoint(&self) -> &str;
    /// Lambda's own directory.
    fn directory(&self) -> PathBuf;
    /// How long things take.
    fn latencies(&self) -> &Latencies;
    /// Calls CloudWatch Logs as a function's execution role; without one, as the house itself.
    async fn log(
        &self,
        role: Option<&TemporaryCredentials>,
        region: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, AwsError>;
    /// Credentials of a function's execution role.
    async fn assume_role(&self, role_arn: &str, session: &str) -> Result<TemporaryCredentials, AwsError>;
    /// Writes Lambda's state down now.
    fn save(&self);
    /// Finds an image in the ECR of a region.
    fn image(&self, uri: &str, region: &str) -> Result<SourceImage, SourceError>;
    /// The hash and the size of an object in the S3 of a region.
    fn object(&self, region: &str, bucket: &str, key: &str, version: Option<&str>) -> Result<(String, u64), AwsError>;
    /// Keeps bytes.
    async fn keep(&self, bytes: &[u8]) -> io::Result<Blob>;
    /// Where bytes that are kept are, by their hash.
    fn blob(&self, sha256: &str) -> PathBuf;
}

/// Why an image cannot be a function's code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// In AWS's words.
    #[error("Source image {0} does not exist. Provide a valid source image.")]
    Missing(String),
    /// Not in the account's ECR, or not in the function's region.
    #[error("Source image {0} is not valid. Provide a valid source image.")]
    Foreign(String),
    #[error("The image manifest, config or layer media type for the source image {uri} is not supported.")]
    Unsupported { uri: String, source: ResolveError },
}

/// The sandbox as Lambda's house.
pub(crate) struct SandboxCaller {
    services: Arc<Services>,
    images: ImageResolver,
    s3: Arc<S3>,
}

impl SandboxCaller {
    pub(crate) fn new(services: Arc<Services>, images: ImageResolver, s3: Arc<S3>) -> Self {
        Self { services, images, s3 }
    }
}

#[async_trait]
impl InternalCaller for SandboxCaller {
    fn account(&self) -> &str {
        self.services.account()
    }

    fn endpoint(&self) -> &str {
        self.services.endpoint()
    }

    fn directory(&self) -> PathBuf {
        self.services.data_dir().join("lambda")
    }

    fn latencies(&self) -> &Latencies {
        self.services.latencies()
    }

    async fn log(
        &self,
        role: Option<&TemporaryCredentials>,
        region: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, AwsError> {
        match role {
            Some(role) => self.services.call_as(role, "logs", region, operation, input).await,
            None => self.services.call("logs", region, operation, input).await,
        }
    }

    async fn assume_role(&self, role_arn: &str, session: &str) -> Result<TemporaryCredentials, AwsError> {
        self.services.assume_role(role_arn, PRINCIPAL, session).await
    }

    fn save(&self) {
        self.services.save("lambda");
    }

    fn image(&self, uri: &str, region: &str) -> Result<SourceImage, SourceError> {
        let image = self.images.resolve(uri).map_err(|error| match error {
            ResolveError::NotFound(_) => SourceError::Missing(uri.to_owned()),
            ResolveError::NotEcr(_) => SourceError::Foreign(uri.to_owned()),
            source => SourceError::Unsupported { uri: uri.to_owned(), source },
        })?;
        if image.region != region {
            return Err(SourceError::Foreign(uri.to_owned()));
        }
        let layers = image.layers.into_iter();
        Ok(SourceImage {
            digest: image.digest,
            entrypoint: image.config.entrypoint,
            cmd: image.config.cmd,
            env: image.config.env,
            working_dir: image.config.working_dir,
            layers: layers.map(|layer| SourceLayer { media_type: layer.media_type, path: layer.path }).collect(),
        })
    }

    fn object(&self, region: &str, bucket: &str, key: &str, version: Option<&str>) -> Result<(String, u64), AwsError> {
        let failed = |code: &str, message: &str| {
            errors::invalid_parameter(format!(
                "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
            ))
        };
        let object = self.s3.object(bucket, key, version).map_err(|error| failed(&error.code, &error.message))?;
        if object.region != region {
            return Err(failed(
                "PermanentRedirect",
                &format!(
                    "The bucket is in this region: {}. Please use this region to retry the request",
                    object.region
                ),
            ));
        }
        Ok((object.sha256, object.size))
    }

    async fn keep(&self, bytes: &[u8]) -> io::Result<Blob> {
        let mut writer = self.services.blobs().writer().await?;
        writer.write(bytes).await?;
        writer.finish().await
    }

    fn blob(&self, sha256: &str) -> PathBuf {
        self.services.blobs().path(sha256)
    }
}
