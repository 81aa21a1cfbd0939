//! An HTTP client for the SDK with bounded responses.
//!
//! The SDK reads a response of any length into memory. Every client of this program uses this one, so that an
//! endless response causes an error instead of a full memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;

/// The maximum size of an API response, in bytes. AWS's largest is an invocation's payload of 6 MB.
pub const MAX_RESPONSE: usize = 16 * 1024 * 1024;

/// The bytes of all responses read into memory by this process; see [`response_bytes`].
static RESPONSE_BYTES: AtomicU64 = AtomicU64::new(0);

/// Returns the number of response bytes read into memory by this process: the basis for the bounds of listings.
pub(super) fn response_bytes() -> u64 {
    RESPONSE_BYTES.load(Ordering::Relaxed)
}

/// A response longer than [`MAX_RESPONSE`].
#[derive(Debug, thiserror::Error)]
#[error("the response is longer than {} MB", MAX_RESPONSE / (1024 * 1024))]
pub(super) struct ResponseTooLong;

/// An incomplete response.
#[derive(Debug, thiserror::Error)]
#[error("the response is incomplete")]
pub(super) struct ResponseIncomplete(#[source] aws_smithy_types::byte_stream::error::Error);

/// How a client handles downloaded objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Downloads {
    /// Read into memory like other responses.
    Buffered,
    /// Streamed. The reader bounds them.
    Streamed,
}

/// A client that bounds the responses of another one.
#[derive(Debug, Clone)]
pub struct BoundedClient {
    inner: SharedHttpClient,
    downloads: Downloads,
}

impl BoundedClient {
    /// Wraps a client.
    pub fn new(inner: SharedHttpClient, downloads: Downloads) -> Self {
        Self { inner, downloads }
    }
}

impl HttpClient for BoundedClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(BoundedConnector { inner, downloads: self.downloads })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[derive(Debug)]
struct BoundedConnector {
    inner: SharedHttpConnector,
    downloads: Downloads,
}

impl HttpConnector for BoundedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let may_stream = self.downloads == Downloads::Streamed && request.method() == "GET";
        let call = LoggedCall::of(&request);
        let response = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let response = response.await.inspect_err(|error| call.failed(error))?;
            call.answered(&response);
            // An error response is not an object: it is read into memory.
            if may_stream && response.status().is_success() { Ok(response) } else { buffer(response).await }
        })
    }
}

/// A call as it is logged: without query and headers, which may contain signatures.
struct LoggedCall {
    started: Instant,
    method: String,
    url: String,
    /// The operation, where a header names it.
    target: String,
}

impl LoggedCall {
    fn of(request: &HttpRequest) -> Self {
        let url = request.uri().split('?').next().unwrap_or_default().to_owned();
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        Self { started: Instant::now(), method: request.method().to_owned(), url, target }
    }

    fn answered(&self, response: &HttpResponse) {
        tracing::debug!(
            method = self.method,
            url = self.url,
            target = self.target,
            status = response.status().as_u16(),
            milliseconds = self.started.elapsed().as_millis(),
            request_id = response.headers().get("x-amzn-requestid").or(response.headers().get("x-amz-request-id")),
            "call"
        );
    }

    fn failed(&self, error: &ConnectorError) {
        tracing::debug!(method = self.method, url = self.url, target = self.target, ?error, "call failed");
    }
}

/// Reads a response's body into memory, within the SDK's attempt timeout.
///
/// The SDK retries after an incomplete response, as after any connection error; not after one that is too long.
async fn buffer(mut response: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    if body.content_length().is_some_and(|length| length > MAX_RESPONSE as u64) {
        return Err(ConnectorError::other(ResponseTooLong.into(), None));
    }
    let mut body = ByteStream::new(body);
    // Copied: the parts of a body may each keep a larger buffer in memory.
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| ConnectorError::io(ResponseIncomplete(error).into()))?;
        if bytes.len() + piece.len() > MAX_RESPONSE {
            return Err(ConnectorError::other(ResponseTooLong.into(), None));
        }
        RESPONSE_BYTES.fetch_add(piece.len() as u64, Ordering::Relaxed);
        bytes.extend_from_slice(&piece);
    }
    *response.body_mut() = SdkBody::from(Bytes::from(bytes));
    Ok(response)
}
