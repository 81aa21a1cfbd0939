//! [`Supervisor`]: runs one instance of the services after another, so that a running server can load another state.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use http::{Request, Response};
use thumbctl_sandbox_protocol::Endpoint;
use tokio::sync::{Mutex, watch};

use crate::assembly::{Assembly, Settings};
use crate::authz::access_control::RootKeys;
use crate::behaviour::Behaviour;
use crate::cloudformation::CloudFormation;
use crate::codebuild::CodeBuildService;
use crate::codebuild::FunctionFiles;
use crate::control::{self, StateChange, blocking};
use crate::error::SandboxError;
use crate::fault::FaultRule;
use crate::gateway::request_body::BodyReader;
use crate::gateway::{Dropped, Gateway, OnRequest};
use crate::lambda::LambdaService;
use crate::storage::state::{self, StagedState};

/// The time that running calls have to finish before the state is saved or replaced.
const CALLS_END: Duration = Duration::from_secs(2);

/// What all instances of a sandbox share.
pub(crate) struct InstanceConfig {
    pub dir: PathBuf,
    pub endpoint: Endpoint,
    pub root: RootKeys,
    pub behaviour: Behaviour,
    pub faults: Vec<FaultRule>,
    pub on_request: Option<OnRequest>,
    pub function_files: FunctionFiles,
}

/// The running services.
struct Instance {
    gateway: Gateway,
    codebuild: Arc<CodeBuildService>,
    lambda: Arc<LambdaService>,
    cloudformation: Arc<CloudFormation>,
}

impl Instance {
    /// Creates the services with their saved state.
    fn start(config: &InstanceConfig) -> Result<Self, SandboxError> {
        let InstanceConfig { dir, endpoint, .. } = config;
        let assembly = Assembly::open(
            dir,
            Settings {
                url: &endpoint.url,
                root: config.root.clone(),
                behaviour: config.behaviour.clone(),
                faults: config.faults.clone(),
                function_files: config.function_files,
            },
        )?;
        let Assembly { services, s3, access, registry, codebuild, lambda, cloudformation } = assembly;
        let used = services.blobs_in_use();
        let swept = services.blobs().sweep(|hash| used.contains(hash));
        swept.map_err(|source| SandboxError::unwritable(dir, source))?;
        services.set_function_invoker(lambda.clone());
        codebuild.clear_leftovers();
        lambda.clear_leftovers();
        services.rehydrate().map_err(|what| SandboxError::Damaged { dir: dir.to_owned(), what })?;
        let gateway = Gateway {
            services,
            s3,
            access,
            registry,
            bodies: BodyReader::default(),
            on_request: config.on_request.clone(),
            instance: endpoint.instance.clone(),
        };
        Ok(Self { gateway, codebuild, lambda, cloudformation })
    }

    /// Ends running builds, functions and stack operations.
    async fn end(&self) {
        // CloudFormation first: it calls the other services.
        self.cloudformation.close().await;
        self.codebuild.close().await;
        self.lambda.shut_down().await;
    }
}

/// Runs one instance after another. Calls between two instances wait for the next one.
pub(crate) struct Supervisor {
    config: InstanceConfig,
    current: watch::Sender<Option<Arc<Instance>>>,
    /// Whether the last instance has ended.
    ended: watch::Sender<bool>,
    /// One change at a time.
    changing: Mutex<()>,
}

impl Supervisor {
    /// Starts the first instance.
    pub(crate) fn start(config: InstanceConfig) -> Result<Self, SandboxError> {
        let first = Arc::new(Instance::start(&config)?);
        Ok(Self {
            config,
            current: watch::Sender::new(Some(first)),
            ended: watch::Sender::new(false),
            changing: Mutex::default(),
        })
    }

    /// Responds to a request. Requests to [`control::PATH`] change the state.
    pub(crate) async fn answer(self: &Arc<Self>, request: Request<Body>) -> Result<Response<Body>, Dropped> {
        let Some(instance) = self.current().await else {
            return Err(Dropped);
        };
        if request.uri().path() != control::PATH {
            return instance.gateway.answer(request).await;
        }
        match control::read(&instance.gateway, request).await {
            Err(refusal) => Ok(refusal),
            Ok(change) => {
                // A held instance counts as a running call.
                drop(instance);
                // In a task of its own, so that a client that hangs up does not cancel it.
                let supervisor = self.clone();
                let changed = tokio::spawn(async move { supervisor.change(change).await }).await;
                Ok(control::response(changed.unwrap_or_else(|cause| Err(SandboxError::State(io::Error::other(cause))))))
            }
        }
    }

    /// Ends the last instance.
    pub(crate) async fn end(&self) {
        let _guard = self.changing.lock().await;
        self.ended.send_replace(true);
        if let Some(instance) = self.current.send_replace(None) {
            instance.end().await;
            instance.gateway.services.close();
        }
    }

    async fn current(&self) -> Option<Arc<Instance>> {
        let (mut current, mut ended) = (self.current.subscribe(), self.ended.subscribe());
        tokio::select! {
            instance = current.wait_for(Option::is_some) => instance.ok()?.clone(),
            _ = ended.wait_for(|ended| *ended) => None,
        }
    }

    /// Saves, replaces or resets the whole state. Calls wait meanwhile.
    async fn change(&self, change: StateChange) -> Result<(), SandboxError> {
        let _guard = self.changing.lock().await;
        // Checked before the services stop, since a damaged state is rejected.
        let staged = match &change {
            StateChange::LoadFrom(from) => Some(control::stage(&self.config.dir, from).await?),
            StateChange::SaveTo(_) | StateChange::Reset => None,
        };
        let Some(instance) = self.current.send_replace(None) else {
            return Err(SandboxError::ShuttingDown);
        };
        let dir = self.config.dir.clone();
        match change {
            StateChange::SaveTo(to) => {
                // A copy must not contain a resource that its stack has not recorded.
                instance.cloudformation.close().await;
                let instance = drain(instance).await;
                instance.gateway.services.save_all();
                let saved = blocking(move || state::copy(&dir, &to)).await;
                instance.cloudformation.reopen();
                self.current.send_replace(Some(instance));
                saved
            }
            StateChange::LoadFrom(_) | StateChange::Reset => self.replace(instance, staged).await,
        }
    }

    /// Ends an instance and starts one with another state, or with the previous state if that fails.
    async fn replace(&self, instance: Arc<Instance>, staged: Option<StagedState>) -> Result<(), SandboxError> {
        instance.end().await;
        let instance = drain(instance).await;
        instance.gateway.services.close();
        drop(instance);
        let dir = self.config.dir.clone();
        let replaced = blocking(move || state::replace(&dir, staged)).await;
        let (instance, result) = match replaced {
            Err(error) => (Instance::start(&self.config), Err(error)),
            Ok(replaced) => match Instance::start(&self.config) {
                // The previous state is deleted once the new one is in use.
                Ok(instance) => (Ok(instance), replaced.forget().map_err(SandboxError::State)),
                Err(error) => {
                    let undone = replaced.undo().map_err(SandboxError::State);
                    (Instance::start(&self.config), undone.and(Err(error)))
                }
            },
        };
        match instance {
            Ok(instance) => {
                self.current.send_replace(Some(Arc::new(instance)));
                result
            }
            Err(error) => {
                // No instance is left: calls are dropped, and the caller gets the error.
                self.ended.send_replace(true);
                Err(error)
            }
        }
    }
}

/// Waits until the running calls have finished, at most for [`CALLS_END`].
async fn drain(instance: Arc<Instance>) -> Arc<Instance> {
    let deadline = Instant::now() + CALLS_END;
    let mut delay = Duration::from_millis(1);
    while Arc::strong_count(&instance) > 1 && Instant::now() < deadline {
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(Duration::from_millis(50));
    }
    instance
}
