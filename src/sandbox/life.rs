//! The lives of the services: from the state that they had to the one that they leave. While the server goes on, one life
//! can follow another, with another state.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::body::Body;
use http::{Request, Response};
use tokio::sync::{Mutex, watch};

use super::access::{Access, RootKeys};
use super::behaviour::Behaviour;
use super::cloudformation::CloudFormation;
use super::codebuild::{BuildHost, CodeBuildService};
use super::control::{self, StateChange};
use super::ecr::EcrService;
use super::endpoint::Endpoint;
use super::error::SandboxError;
use super::fault::{FaultRule, Faults};
use super::front::{Dropped, Front, OnRequest, Registry};
use super::iam::Iam;
use super::lambda::LambdaService;
use super::logs::Logs;
use super::request_body::BodyReader;
use super::s3::S3;
use super::services::Services;
use super::state;
use super::sts::Sts;

/// How long calls that are under way may take before the state is looked at.
const CALLS_END: Duration = Duration::from_secs(2);

/// What every life of a sandbox has in common.
pub(crate) struct Setting {
    pub dir: PathBuf,
    pub endpoint: Endpoint,
    pub root: RootKeys,
    pub behaviour: Behaviour,
    pub faults: Vec<FaultRule>,
    pub on_request: Option<OnRequest>,
}

/// All services, at work.
struct Life {
    front: Front,
    codebuild: Arc<CodeBuildService>,
    lambda: Arc<LambdaService>,
    cloudformation: Arc<CloudFormation>,
}

impl Life {
    /// Makes the services, with the state that they had.
    fn begin(setting: &Setting) -> Result<Self, SandboxError> {
        let Setting { dir, endpoint, behaviour, .. } = setting;
        let unwritable = |source| SandboxError::unwritable(dir, source);
        let damaged = |what| SandboxError::Damaged { dir: dir.to_owned(), what };
        let services =
            Arc::new(Services::new(endpoint.url.clone(), dir.to_owned(), behaviour.clone()).map_err(unwritable)?);
        let faults = Arc::new(Faults::new(setting.faults.clone(), behaviour.pace.seed));
        services.set_faults(faults.clone());
        let s3 = Arc::new(S3::open(services.clone()).map_err(|cause| match cause.kind() {
            io::ErrorKind::InvalidData => damaged(cause.to_string()),
            _ => unwritable(cause),
        })?);
        let iam = Arc::new(Iam::new(services.clone()));
        let store = iam.store();
        services.register(iam).map_err(damaged)?;
        let access = Arc::new(Access::new(
            setting.root.clone(),
            store,
            services.sessions().clone(),
            services.behaviour().enforce_iam,
        ));
        services.set_access(access.clone());
        services.register(Arc::new(Sts::new(services.clone(), access.clone()))).map_err(damaged)?;
        services.register(Arc::new(Logs::new(&services).map_err(unwritable)?)).map_err(damaged)?;
        let ecr = Arc::new(EcrService::new(services.clone()));
        services.register(ecr.clone()).map_err(damaged)?;
        services.add_blob_user(ecr.clone());
        let registry = OnceLock::from(Arc::new(ecr.registry(access.clone())) as Arc<dyn Registry>);
        let build_host = BuildHost {
            program: std::env::current_exe().map_err(unwritable)?,
            function: crate::assets::function_files,
        };
        let codebuild = Arc::new(CodeBuildService::new(services.clone(), build_host));
        services.register(codebuild.clone()).map_err(damaged)?;
        let lambda = Arc::new(LambdaService::new(services.clone(), ecr.images(), s3.clone()));
        services.register(lambda.clone()).map_err(damaged)?;
        services.set_functions(lambda.clone());
        services.add_blob_user(lambda.clone());

        let cloudformation = CloudFormation::new(services.clone(), s3.clone());
        services.register(cloudformation.clone()).map_err(damaged)?;

        services.add_blob_user(s3.clone());
        let wanted = services.blobs_in_use();
        services.blobs().sweep(|hash| wanted.contains(hash)).map_err(unwritable)?;
        services.rehydrate().map_err(damaged)?;
        let front = Front {
            services,
            s3,
            access,
            faults,
            registry,
            bodies: BodyReader::default(),
            on_request: setting.on_request.clone(),
            instance: endpoint.instance.clone(),
        };
        Ok(Self { front, codebuild, lambda, cloudformation })
    }

    /// Ends what is running.
    async fn end(&self) {
        // The first: it calls the others.
        self.cloudformation.close().await;
        self.codebuild.close().await;
        self.lambda.shut_down().await;
    }
}

/// One life after the other. Calls that come between two of them wait for the next.
pub(crate) struct Lives {
    setting: Setting,
    now: watch::Sender<Option<Arc<Life>>>,
    /// Whether there will be no life any more.
    over: watch::Sender<bool>,
    /// One change at a time.
    changing: Mutex<()>,
}

impl Lives {
    /// Begins the first one.
    pub(crate) fn begin(setting: Setting) -> Result<Self, SandboxError> {
        let first = Arc::new(Life::begin(&setting)?);
        Ok(Self {
            setting,
            now: watch::Sender::new(Some(first)),
            over: watch::Sender::new(false),
            changing: Mutex::default(),
        })
    }

    /// Answers one request.
    pub(crate) async fn answer(self: &Arc<Self>, request: Request<Body>) -> Result<Response<Body>, Dropped> {
        let Some(life) = self.current().await else {
            return Err(Dropped);
        };
        if request.uri().path() != control::PATH {
            return life.front.answer(request).await;
        }
        match control::read(&life.front, request).await {
            Err(refusal) => Ok(refusal),
            Ok(change) => {
                // Held, it would be one of the calls whose end is waited for.
                drop(life);
                // In a task of its own: who asks and hangs up must not stop it in the middle.
                let lives = self.clone();
                let changed = tokio::spawn(async move { lives.change(change).await }).await;
                Ok(control::response(changed.unwrap_or_else(|cause| Err(SandboxError::State(io::Error::other(cause))))))
            }
        }
    }

    /// Ends the last one.
    pub(crate) async fn end(&self) {
        let _one = self.changing.lock().await;
        self.over.send_replace(true);
        if let Some(life) = self.now.send_replace(None) {
            life.end().await;
            life.front.services.close();
        }
    }

    async fn current(&self) -> Option<Arc<Life>> {
        let (mut now, mut over) = (self.now.subscribe(), self.over.subscribe());
        tokio::select! {
            life = now.wait_for(Option::is_some) => life.ok()?.clone(),
            _ = over.wait_for(|over| *over) => None,
        }
    }

    /// Does something with the whole state. Calls wait meanwhile.
    async fn change(&self, change: StateChange) -> Result<(), SandboxError> {
        let _one = self.changing.lock().await;
        let Some(life) = self.now.send_replace(None) else {
            return Err(SandboxError::Ending);
        };
        let dir = self.setting.dir.clone();
        match change {
            StateChange::SaveTo(to) => {
                // A copy must not have a resource of which the stack does not know that it is being made.
                life.cloudformation.close().await;
                let life = quiet(life).await;
                life.front.services.save_all();
                let saved = blocking(move || state::copy(&dir, &to)).await;
                life.cloudformation.reopen();
                self.now.send_replace(Some(life));
                saved
            }
            StateChange::LoadFrom(from) => self.replace(life, Some(from)).await,
            StateChange::Reset => self.replace(life, None).await,
        }
    }

    /// Ends a life and begins one with another state; should that not be possible, one with the state that there was.
    async fn replace(&self, life: Arc<Life>, from: Option<PathBuf>) -> Result<(), SandboxError> {
        life.end().await;
        let life = quiet(life).await;
        life.front.services.close();
        drop(life);
        let dir = self.setting.dir.clone();
        let replaced = blocking(move || state::replace(&dir, from.as_deref())).await;
        let (life, result) = match replaced {
            Err(error) => (Life::begin(&self.setting), Err(error)),
            Ok(replaced) => match Life::begin(&self.setting) {
                // What was there before goes only when the new state is known to be good.
                Ok(life) => (Ok(life), replaced.forget().map_err(SandboxError::State)),
                Err(error) => {
                    let undone = replaced.undo().map_err(SandboxError::State);
                    (Life::begin(&self.setting), undone.and(Err(error)))
                }
            },
        };
        match life {
            Ok(life) => {
                self.now.send_replace(Some(Arc::new(life)));
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
async fn quiet(life: Arc<Life>) -> Arc<Life> {
    let deadline = Instant::now() + CALLS_END;
    let mut delay = Duration::from_millis(1);
    while Arc::strong_count(&life) > 1 && Instant::now() < deadline {
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(Duration::from_millis(50));
    }
    life
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, SandboxError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other).and_then(|result| result).map_err(SandboxError::State)
}
