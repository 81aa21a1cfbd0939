//! [`Assembly`]: creates the services with the state of a data directory.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use thumbctl_sandbox_protocol::DataDirError;

use crate::authz::access_control::{AccessControl, RootKeys};
use crate::behaviour::Behaviour;
use crate::cloudformation::CloudFormation;
use crate::codebuild::{BuildHost, CodeBuildService, FunctionFiles};
use crate::ecr::Ecr;
use crate::error::SandboxError;
use crate::fault::FaultRule;
use crate::gateway::registry_endpoint::RegistryEndpoint;
use crate::iam::Iam;
use crate::lambda::LambdaService;
use crate::logs::Logs;
use crate::s3::S3;
use crate::service_registry::ServiceRegistry;
use crate::storage::blobs::is_hash;
use crate::sts::Sts;

/// All services with their state, not yet started.
pub(crate) struct Assembly {
    pub services: Arc<ServiceRegistry>,
    pub s3: Arc<S3>,
    pub access: Arc<AccessControl>,
    pub registry: OnceLock<Arc<dyn RegistryEndpoint>>,
    pub codebuild: Arc<CodeBuildService>,
    pub lambda: Arc<LambdaService>,
    pub cloudformation: Arc<CloudFormation>,
}

/// The parameters of [`Assembly::open`].
pub(crate) struct Settings<'a> {
    /// The sandbox's URL.
    pub url: &'a str,
    pub root: RootKeys,
    pub behaviour: Behaviour,
    pub faults: Vec<FaultRule>,
    pub function_files: FunctionFiles,
}

impl Assembly {
    /// Creates the services and restores their state.
    pub(crate) fn open(dir: &Path, settings: Settings<'_>) -> Result<Self, SandboxError> {
        let unwritable = |source| SandboxError::unwritable(dir, source);
        let damaged = |what| SandboxError::Damaged { dir: dir.to_owned(), what };
        let unreadable = |cause: io::Error| match cause.kind() {
            io::ErrorKind::InvalidData => damaged(cause.to_string()),
            _ => unwritable(cause),
        };
        let Settings { url, root, behaviour, faults, function_files } = settings;
        let services = ServiceRegistry::new(url.to_owned(), dir.to_owned(), behaviour, faults);
        let services = Arc::new(services.map_err(unreadable)?);
        let s3 = Arc::new(S3::open(services.clone()).map_err(unreadable)?);
        let iam = Arc::new(Iam::new(services.clone()));
        let store = iam.store();
        services.register(iam).map_err(damaged)?;
        let enforce_iam = services.behaviour().enforce_iam;
        let access = Arc::new(AccessControl::new(root, store, services.sessions().clone(), enforce_iam));
        services.set_access(access.clone());
        services.register(Arc::new(Sts::new(services.clone(), access.clone()))).map_err(damaged)?;
        services.register(Arc::new(Logs::new(&services).map_err(unwritable)?)).map_err(damaged)?;
        let ecr = Arc::new(Ecr::new(services.clone()));
        services.register(ecr.clone()).map_err(damaged)?;
        services.add_blob_user(ecr.clone());
        let registry = OnceLock::from(Arc::new(ecr.registry(access.clone())) as Arc<dyn RegistryEndpoint>);
        let build_host = BuildHost { program: std::env::current_exe().map_err(unwritable)?, function: function_files };
        let codebuild = Arc::new(CodeBuildService::new(services.clone(), build_host));
        services.register(codebuild.clone()).map_err(damaged)?;
        let lambda = Arc::new(LambdaService::new(services.clone(), ecr.image_resolver(), s3.clone()));
        services.register(lambda.clone()).map_err(damaged)?;
        lambda.check_queue().map_err(unreadable)?;
        services.add_blob_user(lambda.clone());
        let cloudformation = CloudFormation::new(services.clone(), s3.clone());
        services.register(cloudformation.clone()).map_err(damaged)?;
        services.add_blob_user(s3.clone());
        // Hashes are used as paths.
        if let Some(hash) = services.blobs_in_use().into_iter().find(|hash| !is_hash(hash)) {
            return Err(damaged(format!("'{}' is not a SHA-256 hash", thumbctl_platform::text::clean(&hash))));
        }
        Ok(Self { services, s3, access, registry, codebuild, lambda, cloudformation })
    }
}

/// Checks that every service can read the state in `dir`, and that no blob is missing. Starts nothing.
pub(crate) fn check(dir: &Path) -> Result<(), SandboxError> {
    let settings = Settings {
        url: "http://127.0.0.1:0",
        root: RootKeys::generate(),
        behaviour: Behaviour::default(),
        faults: Vec::new(),
        function_files: || &[],
    };
    let unloadable = |what| SandboxError::NotLoadable { what };
    let assembly = Assembly::open(dir, settings).map_err(|error| match error {
        SandboxError::Damaged { what, .. } => unloadable(what),
        SandboxError::DataDir(DataDirError::Unwritable { source, .. }) => unloadable(source.to_string()),
        other => other,
    })?;
    let services = assembly.services;
    let missing = services.blobs_in_use().into_iter().find(|hash| !services.blobs().path(hash).is_file());
    services.discard();
    missing.map_or(Ok(()), |hash| Err(unloadable(format!("blobs/{}/{hash} is missing", &hash[..2]))))
}
