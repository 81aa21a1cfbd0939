//! The server: one a data directory, on the loopback address.

use std::fs::{File, TryLockError};
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::access::{Access, RootKeys};
use super::behaviour::Behaviour;
use super::codebuild::{BuildHost, CodeBuildService};
use super::ecr::EcrService;
use super::endpoint::{Endpoint, open_lock};
use super::error::SandboxError;
use super::fault::{Fault, Faults};
use super::front::{Front, OnRequest, Registry};
use super::iam::Iam;
use super::lambda::LambdaService;
use super::logs::Logs;
use super::persistence::create_private_dir;
use super::s3::S3;
use super::services::Services;
use super::sts::Sts;

/// How long requests that are under way when the sandbox ends may take.
const GRACE: Duration = Duration::from_secs(2);

/// How often an attached sandbox looks whether anyone is left.
const LEASE_CHECK: Duration = Duration::from_millis(100);

/// How long one that serves the same data may take to end, before it is taken for one that stays.
const ENDING: Duration = Duration::from_secs(1);

/// Where the state is.
#[derive(Debug, Clone)]
pub enum DataDir {
    /// Here, from one time to the next.
    Kept(PathBuf),
    /// Nowhere, after the end.
    Ephemeral,
}

/// Told where the sandbox answers, once it does.
pub type OnReady = Box<dyn FnOnce(&Endpoint) + Send>;

/// How to serve.
pub struct ServeOptions {
    /// Where the state is.
    pub data_dir: DataDir,
    /// The port, or any that is free.
    pub port: Option<u16>,
    /// Whether to end as soon as nobody has joined any more.
    pub attached: bool,
    /// Told where the sandbox answers, once it does.
    pub on_ready: Option<OnReady>,
    /// Told of every call.
    pub on_request: Option<OnRequest>,
    /// Ends the sandbox when it is ready.
    pub shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// What is to go wrong.
    pub faults: Vec<Fault>,
    /// How quick and how strict it is.
    pub behaviour: Behaviour,
    /// The administrator's access key and its secret; made anew if they are not given.
    pub keys: Option<(String, String)>,
}

/// Serves until told to end. An attached sandbox that finds another serving its data directory leaves that to it.
pub async fn serve(options: ServeOptions) -> Result<(), SandboxError> {
    let scratch = match &options.data_dir {
        DataDir::Kept(_) => None,
        DataDir::Ephemeral => Some(Scratch::new()?),
    };
    let dir = match (&options.data_dir, &scratch) {
        (DataDir::Kept(dir), _) => dir.clone(),
        (_, Some(scratch)) => scratch.0.clone(),
        (DataDir::Ephemeral, None) => unreachable!("an ephemeral sandbox has a scratch directory"),
    };
    create_private_dir(&dir).map_err(|source| SandboxError::unwritable(&dir, source))?;
    let Some(_server_lock) = lock_server(&dir, options.attached).await? else {
        return Ok(());
    };
    let listener = bind(options.port).await?;
    let port = listener.local_addr().map_err(SandboxError::Socket)?.port();
    let root = options.keys.map_or_else(RootKeys::generate, RootKeys::from);
    let endpoint = Endpoint::new(port, &root);
    let (front, codebuild, lambda) =
        build(&dir, &endpoint, root, options.behaviour, options.faults, options.on_request)?;
    let front = Arc::new(front);
    endpoint.publish(&dir).map_err(|source| SandboxError::unwritable(&dir, source))?;
    if let Some(on_ready) = options.on_ready {
        on_ready(&endpoint);
    }
    let lease = open_lock(&dir, "lease").map_err(|source| SandboxError::unwritable(&dir, source))?;
    let left_alone = async {
        if options.attached {
            deserted(&lease).await;
        } else {
            std::future::pending().await
        }
    };
    let (shutdown, attached) = (options.shutdown, options.attached);
    let shutdown = async {
        shutdown.await;
        if !attached && lease.try_lock().is_err() {
            eprintln!(
                "\nOther commands still use the sandbox: it ends with the last of them, or at once with another Ctrl-C."
            );
            deserted(&lease).await;
        }
    };
    accept(listener, front.clone(), async {
        tokio::select! {
            () = shutdown => {}
            () = left_alone => {}
        }
    })
    .await;
    // The lease's lock is held, if it was the end of the last command that ended this: the next one waits for it, and
    // finds no endpoint then.
    codebuild.close().await;
    lambda.shut_down().await;
    front.services.close();
    Endpoint::withdraw(&dir);
    Ok(())
}

/// Makes the services, with the state that they had.
fn build(
    dir: &Path,
    endpoint: &Endpoint,
    root: RootKeys,
    behaviour: Behaviour,
    faults: Vec<Fault>,
    on_request: Option<OnRequest>,
) -> Result<(Front, Arc<CodeBuildService>, Arc<LambdaService>), SandboxError> {
    let unwritable = |source| SandboxError::unwritable(dir, source);
    let damaged = |what| SandboxError::Damaged { dir: dir.to_owned(), what };
    let services = Arc::new(Services::new(endpoint.url.clone(), dir.to_owned(), behaviour).map_err(unwritable)?);
    let s3 = Arc::new(S3::open(services.clone()).map_err(|cause| match cause.kind() {
        io::ErrorKind::InvalidData => damaged(cause.to_string()),
        _ => unwritable(cause),
    })?);
    let iam = Arc::new(Iam::new());
    let store = iam.store();
    services.register(iam).map_err(damaged)?;
    let known = Arc::new(OnceLock::new());
    services.register(Arc::new(Sts::new(services.clone(), known.clone()))).map_err(damaged)?;
    services.register(Arc::new(Logs::new(&services).map_err(unwritable)?)).map_err(damaged)?;
    let access = Arc::new(Access::new(root, store, services.clone()));
    let _ = known.set(access.clone());
    let ecr = Arc::new(EcrService::new(services.clone()));
    services.register(ecr.clone()).map_err(damaged)?;
    services.add_blob_user(ecr.clone());
    let registry = OnceLock::from(Arc::new(ecr.registry(access.clone())) as Arc<dyn Registry>);
    let build_host =
        BuildHost { program: std::env::current_exe().map_err(unwritable)?, function: crate::assets::function_files };
    let codebuild = Arc::new(CodeBuildService::new(services.clone(), build_host));
    services.register(codebuild.clone()).map_err(damaged)?;
    let lambda = Arc::new(LambdaService::new(services.clone(), ecr.images()));
    services.register(lambda.clone()).map_err(damaged)?;
    services.set_functions(lambda.clone());

    services.add_blob_user(s3.clone());
    let wanted = services.blobs_in_use();
    services.blobs().sweep(|hash| wanted.contains(hash)).map_err(unwritable)?;
    services.rehydrate().map_err(damaged)?;
    let front = Front {
        services,
        s3,
        access,
        faults: Faults::new(faults),
        registry,
        on_request,
        instance: endpoint.instance.clone(),
    };
    Ok((front, codebuild, lambda))
}

/// Becomes the one server of a data directory. Nothing, if another is and this one is not needed.
async fn lock_server(dir: &Path, attached: bool) -> Result<Option<File>, SandboxError> {
    let file = open_lock(dir, "server.lock").map_err(|source| SandboxError::unwritable(dir, source))?;
    let begun = Instant::now();
    let deadline = begun + Duration::from_secs(5);
    let mut delay = Duration::from_millis(5);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(source)) => return Err(SandboxError::unwritable(dir, source)),
            Err(TryLockError::WouldBlock) => {}
        }
        // Another serves, or is about to, or is just ending: the one that a command has left a moment ago does not know yet.
        match Endpoint::find(dir).await {
            Some(_) if attached => return Ok(None),
            Some(Endpoint { url, pid, .. }) if begun.elapsed() > ENDING => {
                return Err(SandboxError::AlreadyRunning { dir: dir.to_owned(), url, pid });
            }
            _ => {}
        }
        if Instant::now() > deadline {
            return Err(SandboxError::Stuck { dir: dir.to_owned() });
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(Duration::from_millis(100));
    }
}

async fn bind(port: Option<u16>) -> Result<TcpListener, SandboxError> {
    let port = port.unwrap_or(0);
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.map_err(|cause| match cause.kind() {
        io::ErrorKind::AddrInUse => SandboxError::PortBusy { port },
        io::ErrorKind::PermissionDenied => SandboxError::PortForbidden { port },
        _ => SandboxError::Socket(cause),
    })
}

/// Waits until nobody holds the lease, and takes it for good.
async fn deserted(lease: &File) {
    let mut tick = tokio::time::interval(LEASE_CHECK);
    loop {
        tick.tick().await;
        if lease.try_lock().is_ok() {
            return;
        }
    }
}

async fn accept(listener: TcpListener, front: Arc<Front>, end: impl Future<Output = ()>) {
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut end = pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, front.clone(), stopped.clone()));
                }
                Err(cause) => {
                    // No descriptors left, most likely: some will be freed.
                    super::error::complain(format_args!("a connection cannot be taken: {cause}"));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    let _ = stop.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        connections.abort_all();
    }
}

/// One connection, to its end.
async fn converse(stream: TcpStream, front: Arc<Front>, mut stopped: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let front = front.clone();
        async move { front.answer(request.map(Body::new)).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(60))
        .max_buf_size(128 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // An error here is a client that went away or spoke nonsense, or a drop on purpose: nothing that ends the sandbox.
    tokio::select! {
        _ = &mut connection => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// A directory that is gone in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, SandboxError> {
        let dir = std::env::temp_dir().join(format!("thumbctl-sandbox-{}", uuid::Uuid::new_v4().simple()));
        create_private_dir(&dir).map_err(|source| SandboxError::unwritable(&dir, source))?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
