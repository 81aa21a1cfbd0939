//! Lambda's calls to the sandbox's other services, as a trait, so that tests need no other service.

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
use crate::service_registry::ServiceRegistry;
use crate::storage::blobs::Blob;

/// The service principal that assumes execution roles.
const PRINCIPAL: &str = "lambda.amazonaws.com";

/// A container image as described by its registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceImage {
    /// The manifest's digest, `sha256:…`.
    pub digest: String,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    pub working_dir: String,
    /// From the lowest to the topmost.
    pub layers: Vec<SourceLayer>,
}

/// One layer's file in the registry.
#[derive(Debug, Clone)]
pub(crate) struct SourceLayer {
    pub media_type: String,
    pub path: PathBuf,
}

/// Calls from Lambda to the sandbox's other services.
#[async_trait]
pub(crate) trait InternalCaller: Send + Sync + 'static {
    /// The account number.
    fn account(&self) -> &str;
    /// The sandbox's address.
    fn endpoint(&self) -> &str;
    /// Lambda's own directory.
    fn directory(&self) -> PathBuf;
    /// The simulated latencies.
    fn latencies(&self) -> &Latencies;
    /// Calls CloudWatch Logs with a function's execution role, or as the sandbox itself without one.
    async fn log(
        &self,
        role: Option<&TemporaryCredentials>,
        region: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, AwsError>;
    /// Returns credentials of a function's execution role.
    async fn assume_role(&self, role_arn: &str, session: &str) -> Result<TemporaryCredentials, AwsError>;
    /// Saves Lambda's state.
    fn save(&self);
    /// Finds an image in a region's ECR.
    fn image(&self, uri: &str, region: &str) -> Result<SourceImage, SourceError>;
    /// The hash and size of an S3 object in a region.
    fn object(&self, region: &str, bucket: &str, key: &str, version: Option<&str>) -> Result<(String, u64), AwsError>;
    /// Stores bytes as a blob.
    async fn store_blob(&self, bytes: &[u8]) -> io::Result<Blob>;
    /// The path of the blob with this hash.
    fn blob(&self, sha256: &str) -> PathBuf;
}

/// Why an image cannot be a function's code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// The message is AWS's.
    #[error("Source image {0} does not exist. Provide a valid source image.")]
    Missing(String),
    /// Not in the account's ECR, or not in the function's region.
    #[error("Source image {0} is not valid. Provide a valid source image.")]
    Foreign(String),
    #[error("The image manifest, config or layer media type for the source image {uri} is not supported.")]
    Unsupported { uri: String, source: ResolveError },
}

/// The implementation backed by the sandbox's services.
pub(crate) struct SandboxCaller {
    services: Arc<ServiceRegistry>,
    images: ImageResolver,
    s3: Arc<S3>,
}

impl SandboxCaller {
    pub(crate) fn new(services: Arc<ServiceRegistry>, images: ImageResolver, s3: Arc<S3>) -> Self {
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
            Some(role) => self.services.call_as(&role.access_key, "logs", region, operation, input).await,
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

    async fn store_blob(&self, bytes: &[u8]) -> io::Result<Blob> {
        let mut writer = self.services.blobs().writer().await?;
        writer.write(bytes).await?;
        writer.finish().await
    }

    fn blob(&self, sha256: &str) -> PathBuf {
        self.services.blobs().path(sha256)
    }
}
