//! Saving, loading and resetting a sandbox's state: by a signed request to the running sandbox, or in the files when it is
//! not running.

use std::io;
use std::path::{Path, PathBuf};

use axum::body::Body;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use thumbctl_sandbox_protocol::{Endpoint, share_lease};

use crate::assembly;
use crate::error::SandboxError;
use crate::gateway::Gateway;
use crate::http_agent::agent;
use crate::server_lock::lock_server;
use crate::shims::signed::{Signer, UnsignedRequest};
use crate::storage::data_dir;
use crate::storage::state::{self, StagedState};
use crate::storage::temp_files;

/// The path of the request.
pub(crate) const PATH: &str = "/_sandbox/state";

/// The service name in the signature.
const SERVICE: &str = "sandbox";

/// A change of a sandbox's whole state.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateChange {
    /// Copies the state into a new directory. A running build is saved as interrupted.
    SaveTo(PathBuf),
    /// Replaces the state by a saved one, which is moved if possible and copied otherwise.
    LoadFrom(PathBuf),
    /// Deletes the state.
    Reset,
}

/// Changes the state of a data directory, whether or not a sandbox serves it.
///
/// # Errors
/// When files cannot be read or written, or the state to load is damaged: then the previous state remains.
pub async fn change_state(data_dir: &Path, change: StateChange) -> Result<(), SandboxError> {
    let dir = data_dir::claim(data_dir)?;
    // Holds the lease, so that an attached sandbox does not end before it responds.
    let _lease = share_lease(&dir).await?;
    if let Some(endpoint) = Endpoint::find(&dir).await {
        return send(endpoint, change).await;
    }
    // Keeps another sandbox from starting meanwhile.
    let _lock = lock_server(&dir, false).await?;
    data_dir::prepare(&dir)?;
    let staged = match &change {
        StateChange::LoadFrom(from) => Some(stage(&dir, from).await?),
        StateChange::SaveTo(_) | StateChange::Reset => None,
    };
    blocking(move || match change {
        StateChange::SaveTo(to) => {
            state::recover(&dir)?;
            temp_files::remove_from_data_dir(&dir)?;
            state::copy(&dir, &to)
        }
        StateChange::LoadFrom(_) | StateChange::Reset => state::replace(&dir, staged)?.forget(),
    })
    .await
}

/// Brings a saved state into the data directory and checks that every service can read it. Does not touch the state in use.
pub(crate) async fn stage(dir: &Path, from: &Path) -> Result<StagedState, SandboxError> {
    let (dir, from) = (dir.to_owned(), from.to_owned());
    let staged = tokio::task::spawn_blocking(move || {
        let staged = state::stage(&dir, &from).map_err(|cause| match cause.kind() {
            io::ErrorKind::InvalidData => SandboxError::NotLoadable { what: cause.to_string() },
            _ => SandboxError::State(cause),
        })?;
        assembly::check(&staged.path())?;
        Ok(staged)
    });
    staged.await.map_err(|cause| SandboxError::State(io::Error::other(cause)))?
}

/// Runs blocking file operations.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, SandboxError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other).and_then(|result| result).map_err(SandboxError::State)
}

/// The outcome of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadOutcome {
    /// The state is in use.
    Loaded,
    /// The state was not loaded.
    NotLoaded,
    /// A running sandbox is loading it.
    Pending,
}

/// Writes an id for [`load_outcome`] into a state to load.
///
/// # Errors
/// When its directory cannot be written.
pub fn mark_load(state: &Path, id: &str) -> io::Result<()> {
    state::write_load_id(state, id)
}

/// The outcome of the load with this id, also after the loading process was killed.
pub async fn load_outcome(data_dir: &Path, id: &str) -> LoadOutcome {
    if state::is_being_replaced(data_dir) {
        // Without a sandbox to complete it, the next start undoes the replacement.
        return if Endpoint::find(data_dir).await.is_some() { LoadOutcome::Pending } else { LoadOutcome::NotLoaded };
    }
    if state::read_load_id(data_dir).as_deref() == Some(id) { LoadOutcome::Loaded } else { LoadOutcome::NotLoaded }
}

/// Sends the change to a running sandbox.
async fn send(endpoint: Endpoint, change: StateChange) -> Result<(), SandboxError> {
    let rejected = |message: String| SandboxError::StateRefused { message };
    let sent = tokio::task::spawn_blocking(move || {
        let signer = Signer {
            access_key: endpoint.access_key.clone(),
            secret_key: endpoint.secret_key.clone(),
            session_token: None,
            region: "us-east-1".to_owned(),
        };
        let body = serde_json::to_vec(&change).map_err(|error| error.to_string())?;
        let request = UnsignedRequest {
            method: Method::POST,
            endpoint: &endpoint.url,
            path: PATH,
            query: None,
            headers: &[],
            body: &body,
        };
        let request = signer.sign(SERVICE, &request).map_err(|error| error.to_string())?;
        let mut response = agent().run(request).map_err(|error| error.to_string())?;
        let message = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
        if response.status().is_success() { Ok(()) } else { Err(message.trim().to_owned()) }
    });
    sent.await.map_err(|error| rejected(error.to_string()))?.map_err(rejected)
}

/// Reads the change from a request signed with the administrator's keys.
pub(crate) async fn read(gateway: &Gateway, request: Request<Body>) -> Result<StateChange, Response<Body>> {
    let reject = |status, message: &str| plain(status, message);
    if request.method() != Method::POST {
        return Err(reject(StatusCode::METHOD_NOT_ALLOWED, "Use POST to change the sandbox's state."));
    }
    let body = gateway
        .owner_signed_body(request, SERVICE)
        .await
        .ok_or_else(|| reject(StatusCode::FORBIDDEN, "Sign this request with the sandbox's own keys."))?;
    serde_json::from_slice(&body)
        .map_err(|error| reject(StatusCode::BAD_REQUEST, &format!("Invalid change of the state: {error}")))
}

/// The response to a change.
pub(crate) fn response(result: Result<(), SandboxError>) -> Response<Body> {
    match result {
        Ok(()) => plain(StatusCode::OK, &json!({ "done": true }).to_string()),
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            plain(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error}{cause}"))
        }
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
