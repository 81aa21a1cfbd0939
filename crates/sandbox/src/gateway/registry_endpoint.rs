//! [`RegistryEndpoint`]: the docker registry's protocol, to which the gateway routes the paths below `/v2/`.

use async_trait::async_trait;
use axum::body::Body;
use http::{Method, Request, Response};

use crate::latency::CallLatency;
use crate::operation::OperationInfo;

/// The docker registry's protocol below `/v2/`.
#[async_trait]
pub(crate) trait RegistryEndpoint: Send + Sync {
    /// Authenticates a request and responds to it.
    async fn serve(&self, request: Request<Body>) -> Response<Body>;
}

/// The operation of a request, named by its method. The registry checks permissions and saves its state itself, since
/// both depend on the path.
pub(crate) fn operation(method: &Method) -> OperationInfo {
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    let name = methods.into_iter().find(|name| method == name).unwrap_or("OTHER");
    OperationInfo { name, changes_state: false, latency: CallLatency::REGISTRY }
}
