//! ECR: repositories, images and layers, served by ECR's own API and by the registry protocol under `/v2/`.
//!
//! `awsim-ecr` is not used: it neither checks nor stores layers, has no `/v2/`, and names repositories after `localhost`.
//! Layers are streamed to the sandbox's blobs, never whole in memory.

mod image;
mod layer;
mod manifest;
mod permissions;
mod registry;
mod repository;
mod resolve;
mod token;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use awsim_core::{AwsError, Protocol, RequestContext};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::layer::LayerUploads;
use self::permissions::{of_new_repository, of_registry, of_repositories};
use self::repository::Repository;
use crate::authz::access_control::AccessControl;
use crate::latency::CallLatency;
use crate::operation::Handler::{Async, Sync};
use crate::operation::{Operation, Service, boxed};
use crate::service_registry::{BlobUser, ServiceRegistry};

pub(crate) use self::registry::{REGISTRY_HEADER, Registry};
pub(crate) use self::repository::arn as repository_arn;
pub(crate) use self::resolve::{ImageResolver, ResolveError};

/// The service's name, in signatures and in snapshots.
const SERVICE: &str = "ecr";

/// The service: the registry's data, shared by both APIs.
pub(crate) struct Ecr {
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

impl Ecr {
    /// Creates an empty registry.
    pub(crate) fn new(services: Arc<ServiceRegistry>) -> Self {
        Self { services, state: Mutex::default(), uploads: LayerUploads::default() }
    }

    /// The registry protocol, for requests to `/v2/`.
    pub(crate) fn registry(self: &Arc<Self>, access: Arc<AccessControl>) -> Registry {
        Registry::new(Arc::clone(self), access)
    }

    /// The resolver of image URIs, for Lambda.
    pub(crate) fn image_resolver(self: &Arc<Self>) -> ImageResolver {
        ImageResolver::new(Arc::clone(self))
    }

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

impl BlobUser for Ecr {
    fn blobs_in_use(&self) -> Vec<String> {
        let state = self.lock();
        let repositories = state.regions.values().flat_map(BTreeMap::values);
        repositories
            .flat_map(|repository| repository.layers.keys())
            .filter_map(|digest| manifest::hex_of(digest))
            .map(str::to_owned)
            .collect()
    }
}

type EcrOperation = Operation<Ecr>;

const ECR: CallLatency = CallLatency::ECR;
const ECR_REPOSITORY: CallLatency = CallLatency::ECR_REPOSITORY;

impl Service for Ecr {
    const NAME: &'static str = SERVICE;
    const PROTOCOL: Protocol = Protocol::AwsJson1_1;
    const REFERENCE: &'static str = "https://docs.aws.amazon.com/AmazonECR/latest/APIReference/";
    const OPERATIONS: &'static [Operation<Self>] = &[
        EcrOperation::read("GetAuthorizationToken", ECR, of_registry, Sync(Self::authorization)),
        // An unfinished upload is not part of the saved state.
        EcrOperation::read("InitiateLayerUpload", ECR, of_repositories, boxed!(initiate_upload)),
        EcrOperation::read("UploadLayerPart", ECR, of_repositories, boxed!(upload_part)),
        EcrOperation::write("CompleteLayerUpload", ECR, of_repositories, boxed!(complete_upload)),
        EcrOperation::read("BatchCheckLayerAvailability", ECR, of_repositories, Sync(Self::check_layers)),
        EcrOperation::read("GetDownloadUrlForLayer", ECR, of_repositories, Sync(Self::download_url)),
        EcrOperation::write("PutImage", ECR, of_repositories, Sync(Self::put_image)),
        EcrOperation::read("BatchGetImage", ECR, of_repositories, Sync(Self::get_images)),
        EcrOperation::read("DescribeImages", ECR, of_repositories, Sync(Self::describe_images)),
        EcrOperation::read("ListImages", ECR, of_repositories, Sync(Self::list_images)),
        EcrOperation::write("BatchDeleteImage", ECR, of_repositories, Sync(Self::delete_images)),
        EcrOperation::write("CreateRepository", ECR_REPOSITORY, of_new_repository, Sync(Self::create_repository)),
        EcrOperation::read("DescribeRepositories", ECR, of_repositories, Sync(Self::describe_repositories)),
        EcrOperation::write("DeleteRepository", ECR_REPOSITORY, of_repositories, Sync(Self::delete_repository)),
        EcrOperation::write("TagResource", ECR, of_repositories, Sync(Self::repository_tags)),
        EcrOperation::write("UntagResource", ECR, of_repositories, Sync(Self::repository_tags)),
        EcrOperation::read("ListTagsForResource", ECR, of_repositories, Sync(Self::repository_tags)),
        EcrOperation::write("SetRepositoryPolicy", ECR, of_repositories, Sync(Self::repository_policy)),
        EcrOperation::read("GetRepositoryPolicy", ECR, of_repositories, Sync(Self::repository_policy)),
        EcrOperation::write("DeleteRepositoryPolicy", ECR, of_repositories, Sync(Self::repository_policy)),
        EcrOperation::write("PutLifecyclePolicy", ECR, of_repositories, Sync(Self::lifecycle_policy)),
        EcrOperation::read("GetLifecyclePolicy", ECR, of_repositories, Sync(Self::lifecycle_policy)),
        EcrOperation::write("DeleteLifecyclePolicy", ECR, of_repositories, Sync(Self::lifecycle_policy)),
        EcrOperation::write("PutImageTagMutability", ECR, of_repositories, Sync(Self::put_tag_mutability)),
        EcrOperation::write("PutImageScanningConfiguration", ECR, of_repositories, Sync(Self::put_scanning)),
    ];

    fn snapshot(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(&*self.lock()).ok()
    }

    fn restore(&self, data: &[u8]) -> Result<(), String> {
        *self.lock() = serde_json::from_slice(data).map_err(|error| error.to_string())?;
        Ok(())
    }
}
