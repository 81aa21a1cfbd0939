//! [`RegistryEndpoint`]: the docker registry's protocol, to which the gateway routes the paths below `/v2/`.

use async_trait::async_trait;
use axum::body::Body;
use http::{Request, Response};

/// The docker registry's protocol below `/v2/`.
#[async_trait]
pub(crate) trait RegistryEndpoint: Send + Sync {
    /// Authenticates a request and responds to it.
    async fn serve(&self, request: Request<Body>) -> Response<Body>;
}
