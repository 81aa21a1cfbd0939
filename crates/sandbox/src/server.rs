//! The server on the loopback address: one per data directory.

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
use crate::storage::{state, temp_files};

/// The time that running requests have to finish when the sandbox ends.
const GRACE_PERIOD: Duration = Duration::from_secs(2);

/// The interval at which an attached sandbox checks for remaining users.
const LEASE_CHECK: Duration = Duration::from_millis(100);

/// The place of the state.
#[derive(Debug, Clone)]
pub enum DataDir {
    /// A directory that remains.
    Persistent(PathBuf),
    /// A temporary directory, deleted at the end.
    Ephemeral,
}

/// Called with the endpoint once the sandbox accepts requests.
pub type OnReady = Box<dyn FnOnce(&Endpoint) + Send>;

/// The options of [`serve`].
pub struct ServeOptions {
    /// The place of the state.
    pub data_dir: DataDir,
    /// The port; any free one if it is `None`.
    pub port: Option<u16>,
    /// Another data directory in which clients are to find this sandbox.
    pub announce_in: Option<PathBuf>,
    /// Whether to end with the last client that holds the lease.
    pub attached: bool,
    /// Called with the endpoint once the sandbox accepts requests.
    pub on_ready: Option<OnReady>,
    /// Called after every request.
    pub on_request: Option<OnRequest>,
    /// Ends the sandbox when it resolves.
    pub shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// The faults to inject.
    pub faults: Vec<FaultRule>,
    /// The function's source for builds in the sandbox: path within the crate, content.
    pub function_files: FunctionFiles,
    /// The simulated latency and the strictness.
    pub behaviour: Behaviour,
    /// The administrator's access key and its secret; generated if it is `None`.
    pub keys: Option<(String, String)>,
}

/// Serves requests until `shutdown` resolves or, if attached, until the last client leaves. Returns at once if it is attached
/// and another sandbox serves the data directory.
///
/// # Errors
/// When the port, the data directory or the state in it cannot be used.
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
        .and_then(|()| temp_files::remove_from_data_dir(&dir))
        .map_err(|source| SandboxError::unwritable(&dir, source))?;
    let supervisor = Arc::new(Supervisor::start(InstanceConfig {
        dir: dir.clone(),
        endpoint: endpoint.clone(),
        root,
        behaviour: options.behaviour,
        faults: options.faults,
        on_request: options.on_request,
        function_files: options.function_files,
    })?);
    announcement::publish(&endpoint, &dir).map_err(|source| SandboxError::unwritable(&dir, source))?;
    let announced_in =
        options.announce_in.map(|other| data_dir::claim(&other)).transpose()?.filter(|other| *other != dir);
    if let Some(other) = &announced_in {
        announcement::announce(other, &dir).map_err(|source| SandboxError::unwritable(other, source))?;
    }
    if let Some(on_ready) = options.on_ready {
        on_ready(&endpoint);
    }
    let lease = open_lock(&dir, LEASE_FILE).map_err(|source| SandboxError::unwritable(&dir, source))?;
    let abandoned = async {
        if options.attached {
            wait_until_unused(&lease).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let (shutdown, attached) = (options.shutdown, options.attached);
    let shutdown = async {
        shutdown.await;
        if !attached && lease.try_lock().is_err() {
            print_error("\nThe sandbox is in use: it ends with the last command. Press Ctrl-C again to end it now.\n");
            wait_until_unused(&lease).await;
        }
    };
    accept(listener, supervisor.clone(), async {
        tokio::select! {
            () = shutdown => {}
            () = abandoned => {}
        }
    })
    .await;
    // If the last command's end was the reason, the lease is locked now: the next command waits for it and then finds no
    // endpoint.
    if let Some(other) = &announced_in {
        announcement::retract(other, &dir);
    }
    supervisor.end().await;
    announcement::unpublish(&endpoint, &dir);
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

/// Waits until no client holds the lease, and locks it.
async fn wait_until_unused(lease: &File) {
    let mut tick = tokio::time::interval(LEASE_CHECK);
    loop {
        tick.tick().await;
        if lock_unused(lease) {
            return;
        }
    }
}

/// Locks the lease if no client holds it.
fn lock_unused(lease: &File) -> bool {
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
                    connections.spawn(serve_connection(stream, supervisor.clone(), stopped.clone()));
                }
                Err(cause) => {
                    // Most likely out of file descriptors: retry when some are free.
                    crate::error::log_error(format_args!("cannot accept a connection: {cause}"));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    let _ = stop.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE_PERIOD, all).await.is_err() {
        connections.abort_all();
    }
}

/// Serves one connection until it ends.
async fn serve_connection(stream: TcpStream, supervisor: Arc<Supervisor>, mut stopped: watch::Receiver<bool>) {
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
    // An error is a lost client, an invalid request or an injected drop: the sandbox continues.
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
    fn sandbox_is_unused_after_the_last_lease_is_released() {
        let dir = tempfile::tempdir().unwrap();
        let file = || open_lock(dir.path(), LEASE_FILE).unwrap();
        let (first, second, server) = (file(), file(), file());
        first.lock_shared().unwrap();
        second.lock_shared().unwrap();
        assert!(!lock_unused(&server));
        drop(first);
        assert!(!lock_unused(&server));
        drop(second);
        assert!(lock_unused(&server));
    }
}
