//! The server: one a data directory, on the loopback address.

use std::fs::File;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use thumbctl_platform::terminal::print_error;
use thumbctl_sandbox_protocol::{Endpoint, LEASE_FILE, open_lock};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::announcement;
use crate::authz::access_control::RootKeys;
use crate::behaviour::Behaviour;
use crate::codebuild::FunctionFiles;
use crate::error::SandboxError;
use crate::fault::FaultRule;
use crate::gateway::OnRequest;
use crate::instance::{InstanceConfig, Supervisor};
use crate::server_lock::lock_server;
use crate::storage::data_dir;
use crate::storage::scratch::Scratch;
use crate::storage::{state, temporaries};

/// How long requests that are under way when the sandbox ends may take.
const GRACE: Duration = Duration::from_secs(2);

/// How often an attached sandbox looks whether anyone is left.
const LEASE_CHECK: Duration = Duration::from_millis(100);

/// Where the state is.
#[derive(Debug, Clone)]
pub enum DataDir {
    /// Here, from one time to the next.
    Persistent(PathBuf),
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
    /// The data directory in which others look for a sandbox, if they are to find this one though it has another.
    pub announce_in: Option<PathBuf>,
    /// Whether to end as soon as nobody has joined any more.
    pub attached: bool,
    /// Told where the sandbox answers, once it does.
    pub on_ready: Option<OnReady>,
    /// Told of every call.
    pub on_request: Option<OnRequest>,
    /// Ends the sandbox when it is ready.
    pub shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// What is to go wrong.
    pub faults: Vec<FaultRule>,
    /// The function's source, which builds in the sandbox are given: path within the crate, content.
    pub function_files: FunctionFiles,
    /// How quick and how strict it is.
    pub behaviour: Behaviour,
    /// The administrator's access key and its secret; made anew if they are not given.
    pub keys: Option<(String, String)>,
}

/// Serves until told to end. An attached sandbox that finds another serving its data directory leaves that to it.
pub async fn serve(options: ServeOptions) -> Result<(), SandboxError> {
    let scratch = match &options.data_dir {
        DataDir::Persistent(_) => None,
        DataDir::Ephemeral => Some(Scratch::new()?),
    };
    let dir = match (&options.data_dir, &scratch) {
        (DataDir::Persistent(dir), _) => dir.clone(),
        (_, Some(scratch)) => scratch.path().to_owned(),
        (DataDir::Ephemeral, None) => unreachable!("an ephemeral sandbox has a scratch directory"),
    };
    let dir = data_dir::claim(&dir)?;
    let Some(_server_lock) = lock_server(&dir, options.attached).await? else {
        return Ok(());
    };
    let listener = bind(options.port).await?;
    let port = listener.local_addr().map_err(SandboxError::Socket)?.port();
    let root = options.keys.map_or_else(RootKeys::generate, RootKeys::from);
    let endpoint = announcement::endpoint(port, &root, &options.behaviour.pace);
    data_dir::prepare(&dir)?;
    state::recover(&dir)
        .and_then(|()| temporaries::remove_from_data_dir(&dir))
        .map_err(|source| SandboxError::unwritable(&dir, source))?;
    let supervisor = Arc::new(Supervisor::begin(InstanceConfig {
        dir: dir.clone(),
        endpoint: endpoint.clone(),
        root,
        behaviour: options.behaviour,
        faults: options.faults,
        on_request: options.on_request,
        function_files: options.function_files,
    })?);
    announcement::publish(&endpoint, &dir).map_err(|source| SandboxError::unwritable(&dir, source))?;
    let usual = options.announce_in.map(|usual| data_dir::claim(&usual)).transpose()?.filter(|usual| *usual != dir);
    if let Some(usual) = &usual {
        announcement::announce(usual, &dir).map_err(|source| SandboxError::unwritable(usual, source))?;
    }
    if let Some(on_ready) = options.on_ready {
        on_ready(&endpoint);
    }
    let lease = open_lock(&dir, LEASE_FILE).map_err(|source| SandboxError::unwritable(&dir, source))?;
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
            print_error(
                "\nOther commands still use the sandbox: it ends with the last of them, or at once with another Ctrl-C.\n",
            );
            deserted(&lease).await;
        }
    };
    accept(listener, supervisor.clone(), async {
        tokio::select! {
            () = shutdown => {}
            () = left_alone => {}
        }
    })
    .await;
    // The lease's lock is held, if it was the end of the last command that ended this: the next one waits for it, and
    // finds no endpoint then.
    if let Some(usual) = &usual {
        announcement::retract(usual, &dir);
    }
    supervisor.end().await;
    announcement::unpublish(&dir);
    Ok(())
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
        if is_deserted(lease) {
            return;
        }
    }
}

/// Takes the lease, if nobody holds it any more.
fn is_deserted(lease: &File) -> bool {
    lease.try_lock().is_ok()
}

async fn accept(listener: TcpListener, supervisor: Arc<Supervisor>, end: impl Future<Output = ()>) {
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut end = pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, supervisor.clone(), stopped.clone()));
                }
                Err(cause) => {
                    // No descriptors left, most likely: some will be freed.
                    crate::error::log_error(format_args!("a connection cannot be taken: {cause}"));
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
async fn converse(stream: TcpStream, supervisor: Arc<Supervisor>, mut stopped: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let supervisor = supervisor.clone();
        async move { supervisor.answer(request.map(Body::new)).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(60))
        .max_buf_size(128 * 1024)
        .max_headers(1024)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sandbox_is_deserted_only_when_its_last_lease_is_released() {
        let dir = tempfile::tempdir().unwrap();
        let file = || open_lock(dir.path(), LEASE_FILE).unwrap();
        let (first, second, server) = (file(), file(), file());
        first.lock_shared().unwrap();
        second.lock_shared().unwrap();
        assert!(!is_deserted(&server));
        drop(first);
        assert!(!is_deserted(&server));
        drop(second);
        assert!(is_deserted(&server));
    }
}
