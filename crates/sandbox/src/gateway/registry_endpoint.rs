//! [`RegistryEndpoint`]: the docker registry's protocol, to which the gateway hands what comes under `/v2/`.

use async_trait::async_trait;
use axum::body::Body;
use http::{Request, Response};

/// The docker registry's protocol, under `/v2/`.
#[async_trait]
pub(crate) trait RegistryEndpoint: Send + Sync {
    /// Answers a request, which it authenticates itself.
    async fn serve(&self, request: Request<Body>) -> Response<Body>;
}
