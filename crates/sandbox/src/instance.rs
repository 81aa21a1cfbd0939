//! The supervisor of the services: from the state that they had to the one that they leave. While the server goes on, one instance
//! can follow another, with another state.

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
use crate::storage::state::{self, Staged};

/// How long calls that are under way may take before the state is looked at.
const CALLS_END: Duration = Duration::from_secs(2);

/// What every instance of a sandbox has in common.
pub(crate) struct InstanceConfig {
    pub dir: PathBuf,
    pub endpoint: Endpoint,
    pub root: RootKeys,
    pub behaviour: Behaviour,
    pub faults: Vec<FaultRule>,
    pub on_request: Option<OnRequest>,
    pub function_files: FunctionFiles,
}

/// All services, at work.
struct Instance {
    gateway: Gateway,
    codebuild: Arc<CodeBuildService>,
    lambda: Arc<LambdaService>,
    cloudformation: Arc<CloudFormation>,
}

impl Instance {
    /// Makes the services, with the state that they had.
    fn begin(config: &InstanceConfig) -> Result<Self, SandboxError> {
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
        let Assembly { services, s3, access, faults, registry, codebuild, lambda, cloudformation } = assembly;
        let wanted = services.blobs_in_use();
        let swept = services.blobs().sweep(|hash| wanted.contains(hash));
        swept.map_err(|source| SandboxError::unwritable(dir, source))?;
        services.set_function_invoker(lambda.clone());
        codebuild.clear_leftovers();
        lambda.clear_leftovers();
        services.rehydrate().map_err(|what| SandboxError::Damaged { dir: dir.to_owned(), what })?;
        let gateway = Gateway {
            services,
            s3,
            access,
            faults,
            registry,
            bodies: BodyReader::default(),
            on_request: config.on_request.clone(),
            instance: endpoint.instance.clone(),
        };
        Ok(Self { gateway, codebuild, lambda, cloudformation })
    }

    /// Ends what is running.
    async fn end(&self) {
        // The first: it calls the others.
        self.cloudformation.close().await;
        self.codebuild.close().await;
        self.lambda.shut_down().await;
    }
}

/// One instance after the other. Calls that come between two of them wait for the next.
pub(crate) struct Supervisor {
    config: InstanceConfig,
    now: watch::Sender<Option<Arc<Instance>>>,
    /// Whether there will be no instance any more.
    over: watch::Sender<bool>,
    /// One change at a time.
    changing: Mutex<()>,
}

impl Supervisor {
    /// Begins the first one.
    pub(crate) fn begin(config: InstanceConfig) -> Result<Self, SandboxError> {
        let first = Arc::new(Instance::begin(&config)?);
        Ok(Self {
            config,
            now: watch::Sender::new(Some(first)),
            over: watch::Sender::new(false),
            changing: Mutex::default(),
        })
    }

    /// Answers one request.
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
                // Held, it would be one of the calls whose end is waited for.
                drop(instance);
                // In a task of its own: who asks and hangs up must not stop it in the middle.
                let supervisor = self.clone();
                let changed = tokio::spawn(async move { supervisor.change(change).await }).await;
                Ok(control::response(changed.unwrap_or_else(|cause| Err(SandboxError::State(io::Error::other(cause))))))
            }
        }
    }

    /// Ends the last one.
    pub(crate) async fn end(&self) {
        let _one = self.changing.lock().await;
        self.over.send_replace(true);
        if let Some(instance) = self.now.send_replace(None) {
            instance.end().await;
            instance.gateway.services.close();
        }
    }

    async fn current(&self) -> Option<Arc<Instance>> {
        let (mut now, mut over) = (self.now.subscribe(), self.over.subscribe());
        tokio::select! {
            instance = now.wait_for(Option::is_some) => instance.ok()?.clone(),
            _ = over.wait_for(|over| *over) => None,
        }
    }

    /// Does something with the whole state. Calls wait meanwhile.
    async fn change(&self, change: StateChange) -> Result<(), SandboxError> {
        let _one = self.changing.lock().await;
        // Checked before the services are stopped: it may have to be refused.
        let staged = match &change {
            StateChange::LoadFrom(from) => Some(control::stage(&self.config.dir, from).await?),
            StateChange::SaveTo(_) | StateChange::Reset => None,
        };
        let Some(instance) = self.now.send_replace(None) else {
            return Err(SandboxError::ShuttingDown);
        };
        let dir = self.config.dir.clone();
        match change {
            StateChange::SaveTo(to) => {
                // A copy must not have a resource of which the stack does not know that it is being made.
                instance.cloudformation.close().await;
                let instance = quiet(instance).await;
                instance.gateway.services.save_all();
                let saved = blocking(move || state::copy(&dir, &to)).await;
                instance.cloudformation.reopen();
                self.now.send_replace(Some(instance));
                saved
            }
            StateChange::LoadFrom(_) | StateChange::Reset => self.replace(instance, staged).await,
        }
    }

    /// Ends a instance and begins one with another state; should that not be possible, one with the state that there was.
    async fn replace(&self, instance: Arc<Instance>, staged: Option<Staged>) -> Result<(), SandboxError> {
        instance.end().await;
        let instance = quiet(instance).await;
        instance.gateway.services.close();
        drop(instance);
        let dir = self.config.dir.clone();
        let replaced = blocking(move || state::replace(&dir, staged)).await;
        let (instance, result) = match replaced {
            Err(error) => (Instance::begin(&self.config), Err(error)),
            Ok(replaced) => match Instance::begin(&self.config) {
                // What was there before goes only when the new state is known to be good.
                Ok(instance) => (Ok(instance), replaced.forget().map_err(SandboxError::State)),
                Err(error) => {
                    let undone = replaced.undo().map_err(SandboxError::State);
                    (Instance::begin(&self.config), undone.and(Err(error)))
                }
            },
        };
        match instance {
            Ok(instance) => {
                self.now.send_replace(Some(Arc::new(instance)));
                result
            }
            Err(error) => {
                // Nothing can answer any more: calls are dropped, and whoever asked is told why.
                self.over.send_replace(true);
                Err(error)
            }
        }
    }
}

/// Waits until the calls that are under way have been answered, for as long as that takes a usual call.
async fn quiet(instance: Arc<Instance>) -> Arc<Instance> {
    let deadline = Instant::now() + CALLS_END;
    let mut delay = Duration::from_millis(1);
    while Arc::strong_count(&instance) > 1 && Instant::now() < deadline {
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(Duration::from_millis(50));
    }
    instance
}
