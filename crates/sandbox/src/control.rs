//! What the owner of a sandbox may do with its whole state, asked over the same port and signed with the same keys as any
//! call; or on the files themselves, when it is not running.

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
use crate::server::lock_server;
use crate::shims::signed::{Signer, UnsignedRequest};
use crate::storage::data_dir;
use crate::storage::state::{self, Staged};
use crate::storage::temporaries;

/// Where it is asked.
pub(crate) const PATH: &str = "/_sandbox/state";

/// The name that its signatures are made for.
const SERVICE: &str = "sandbox";

/// What is to become of a sandbox's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateChange {
    /// It is copied into a directory that is not there yet; the sandbox goes on. A build that runs is saved as one that
    /// was interrupted.
    SaveTo(PathBuf),
    /// It is replaced by such a copy, which is moved where that is possible.
    LoadFrom(PathBuf),
    /// It is emptied.
    Reset,
}

/// Does something with the state of a data directory, whether or not a sandbox serves it.
///
/// # Errors
/// When the files cannot be read or written, or the state that is loaded is damaged: then the one that was there stays.
pub async fn change_state(data_dir: &Path, change: StateChange) -> Result<(), SandboxError> {
    let dir = data_dir::claim(data_dir)?;
    // Joined as any command is: one that was just left by its last user must not end before it has answered.
    let _lease = share_lease(&dir).await?;
    if let Some(endpoint) = Endpoint::find(&dir).await {
        return ask(endpoint, change).await;
    }
    // Nobody else may begin to serve it meanwhile.
    let _lock = lock_server(&dir, false).await?;
    data_dir::prepare(&dir)?;
    let staged = match &change {
        StateChange::LoadFrom(from) => Some(stage(&dir, from).await?),
        StateChange::SaveTo(_) | StateChange::Reset => None,
    };
    blocking(move || match change {
        StateChange::SaveTo(to) => {
            state::recover(&dir)?;
            temporaries::remove_from_data_dir(&dir)?;
            state::copy(&dir, &to)
        }
        StateChange::LoadFrom(_) | StateChange::Reset => state::replace(&dir, staged)?.forget(),
    })
    .await
}

/// Brings a state that is to be loaded into the data directory and has every service read its part. The state in use is
/// not touched.
pub(crate) async fn stage(dir: &Path, from: &Path) -> Result<Staged, SandboxError> {
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

/// Does something with files that may take a while.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, SandboxError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other).and_then(|result| result).map_err(SandboxError::State)
}

/// What has become of a state that was to be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadOutcome {
    /// It is the sandbox's state.
    Loaded,
    /// It is not, and will not be.
    NotLoaded,
    /// A sandbox that runs is about to load it.
    Undecided,
}

/// Gives a state that is about to be loaded an id, by which [`load_outcome`] knows it.
///
/// # Errors
/// When its directory cannot be written.
pub fn mark_load(state: &Path, id: &str) -> io::Result<()> {
    state::write_load_id(state, id)
}

/// Whether the state with this id was loaded into a data directory, also when the process that loaded it was killed.
pub async fn load_outcome(data_dir: &Path, id: &str) -> LoadOutcome {
    if state::is_being_replaced(data_dir) {
        // Without a sandbox to complete it, the replacement will be undone.
        return if Endpoint::find(data_dir).await.is_some() { LoadOutcome::Undecided } else { LoadOutcome::NotLoaded };
    }
    if state::read_load_id(data_dir).as_deref() == Some(id) { LoadOutcome::Loaded } else { LoadOutcome::NotLoaded }
}

/// Asks a sandbox that runs.
async fn ask(endpoint: Endpoint, change: StateChange) -> Result<(), SandboxError> {
    let refused = |said: String| SandboxError::StateRefused { said };
    let asked = tokio::task::spawn_blocking(move || {
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
        let said = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
        if response.status().is_success() { Ok(()) } else { Err(said.trim().to_owned()) }
    });
    asked.await.map_err(|error| refused(error.to_string()))?.map_err(refused)
}

/// What a request asks for, if it comes from the sandbox's owner.
pub(crate) async fn read(front: &Gateway, request: Request<Body>) -> Result<StateChange, Response<Body>> {
    let refuse = |status, said: &str| plain(status, said);
    if request.method() != Method::POST {
        return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "The sandbox's state is changed by POST."));
    }
    let body = front
        .owners_body(request, SERVICE)
        .await
        .ok_or_else(|| refuse(StatusCode::FORBIDDEN, "This is for the sandbox's owner, by a signed request."))?;
    serde_json::from_slice(&body)
        .map_err(|error| refuse(StatusCode::BAD_REQUEST, &format!("This is no change of the state: {error}")))
}

/// Says what became of it.
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
