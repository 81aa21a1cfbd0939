//! ECR: repositories, images and layers, served by ECR's own API and by the registry protocol under `/v2/`.
//!
//! `awsim-ecr` is not used: it neither checks nor stores layers, has no `/v2/`, and names repositories after `localhost`.
//! Layers are streamed to the sandbox's blobs, never whole in memory.

mod image;
mod layer;
mod manifest;
pub(crate) mod permissions;
mod registry;
mod repository;
mod resolve;
mod token;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use awsim_core::{AwsError, Protocol, RequestContext, ServiceHandler};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::layer::LayerUploads;
use self::repository::Repository;
use crate::authz::access_control::AccessControl;
use crate::service_registry::{BlobUser, ServiceRegistry};

pub(crate) use self::registry::{REGISTRY_HEADER, Registry};
pub(crate) use self::resolve::{ImageResolver, ResolveError};

/// The service's name, in signatures and in snapshots.
const SERVICE: &str = "ecr";

/// The registry's data, shared by both APIs.
pub(crate) struct EcrStore {
    services: Arc<ServiceRegistry>,
    state: Mutex<EcrState>,
    uploads: LayerUploads,
}

/// The saved state, without unfinished layer uploads, which clients restart.
#[derive(Serialize, Deserialize)]
struct EcrState {
    /// Signs passwords and download links, so that they stay valid over restarts without being stored.
    secret: String,
    /// Repositories by region, then by name.
    regions: BTreeMap<String, BTreeMap<String, Repository>>,
}

impl Default for EcrState {
    fn default() -> Self {
        Self { secret: uuid::Uuid::new_v4().to_string(), regions: BTreeMap::new() }
    }
}

impl EcrStore {
    fn lock(&self) -> MutexGuard<'_, EcrState> {
        crate::sync::lock(&self.state)
    }
}

impl EcrState {
    fn repository(&self, at: &RepositoryRef<'_>) -> Result<&Repository, AwsError> {
        self.regions.get(at.region).and_then(|names| names.get(at.name)).ok_or_else(|| at.not_found())
    }

    fn repository_mut(&mut self, at: &RepositoryRef<'_>) -> Result<&mut Repository, AwsError> {
        self.regions.get_mut(at.region).and_then(|names| names.get_mut(at.name)).ok_or_else(|| at.not_found())
    }
}

/// The account, region and name of a repository.
struct RepositoryRef<'a> {
    account: &'a str,
    region: &'a str,
    name: &'a str,
}

impl<'a> RepositoryRef<'a> {
    /// The repository named by a request to ECR's API.
    fn of(input: &'a Value, ctx: &'a RequestContext) -> Result<Self, AwsError> {
        if let Some(registry) = input["registryId"].as_str()
            && registry != ctx.account_id
        {
            return Err(AwsError::bad_request(
                "RepositoryNotFoundException",
                format!("The registry with id '{registry}' does not exist in the sandbox"),
            ));
        }
        Ok(Self { account: &ctx.account_id, region: &ctx.region, name: text(input, "repositoryName")? })
    }

    fn not_found(&self) -> AwsError {
        AwsError::bad_request(
            "RepositoryNotFoundException",
            format!(
                "The repository with name '{}' does not exist in the registry with id '{}'",
                self.name, self.account
            ),
        )
    }
}

/// A required member of the request.
fn text<'a>(input: &'a Value, member: &str) -> Result<&'a str, AwsError> {
    input[member].as_str().ok_or_else(|| invalid(format!("{member} is required")))
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidParameterException", message)
}

/// The time in seconds with a fraction, as in awsJson.
fn now() -> f64 {
    Utc::now().timestamp_millis() as f64 / 1000.0
}

/// ECR's own API.
pub(crate) struct EcrService {
    store: Arc<EcrStore>,
}

impl EcrService {
    /// Creates an empty registry.
    pub(crate) fn new(services: Arc<ServiceRegistry>) -> Self {
        Self { store: Arc::new(EcrStore { services, state: Mutex::default(), uploads: LayerUploads::default() }) }
    }

    /// The registry protocol, for requests to `/v2/`.
    pub(crate) fn registry(&self, access: Arc<AccessControl>) -> Registry {
        Registry::new(Arc::clone(&self.store), access)
    }

    /// The resolver of image URIs, for Lambda.
    pub(crate) fn image_resolver(&self) -> ImageResolver {
        ImageResolver::new(Arc::clone(&self.store))
    }
}

impl BlobUser for EcrService {
    fn blobs_in_use(&self) -> Vec<String> {
        let state = self.store.lock();
        let repositories = state.regions.values().flat_map(BTreeMap::values);
        repositories
            .flat_map(|repository| repository.layers.keys())
            .filter_map(|digest| manifest::hex_of(digest))
            .map(str::to_owned)
            .collect()
    }
}

#[async_trait]
impl ServiceHandler for EcrService {
    fn service_name(&self) -> &str {
        SERVICE
    }

    fn protocol(&self) -> Protocol {
        Protocol::AwsJson1_1
    }

    async fn handle(&self, operation: &str, input: Value, ctx: &RequestContext) -> Result<Value, AwsError> {
        let store = &*self.store;
        let input = &input;
        match operation {
            "GetAuthorizationToken" => Ok(store.authorization(ctx)),

            "InitiateLayerUpload" => store.initiate_upload(input, ctx).await,
            "UploadLayerPart" => store.upload_part(input, ctx).await,
            "CompleteLayerUpload" => store.complete_upload(input, ctx).await,
            "BatchCheckLayerAvailability" => store.check_layers(input, ctx),
            "GetDownloadUrlForLayer" => store.download_url(input, ctx),

            "PutImage" => store.put_image(input, ctx),
            "BatchGetImage" => store.get_images(input, ctx),
            "DescribeImages" => store.describe_images(input, ctx),
            "ListImages" => store.list_images(input, ctx),
            "BatchDeleteImage" => store.delete_images(input, ctx),

            _ => store.repository_operation(operation, input, ctx),
        }
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(&*self.store.lock()).ok()
    }

    fn restore(&self, data: &[u8]) -> Result<(), String> {
        *self.store.lock() = serde_json::from_slice(data).map_err(|error| error.to_string())?;
        Ok(())
    }
}
