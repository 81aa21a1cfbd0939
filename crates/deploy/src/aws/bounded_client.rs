//! An HTTP client for the SDK that bounds what it reads of an answer.
//!
//! The SDK reads an answer of any length into memory. Every client of this program is built on this one, so that an
//! endpoint that never stops sending ends in an error and not in a full memory.

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

/// The longest answer of an API call, in bytes. The longest that AWS sends is an invocation's payload of 6 MB.
pub const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// The bytes of all answers that this process has read into memory; see [`answer_bytes`].
static ANSWER_BYTES: AtomicU64 = AtomicU64::new(0);

/// How many bytes of answers this process has read into memory so far: what a listing of many pages is bounded by.
pub(super) fn answer_bytes() -> u64 {
    ANSWER_BYTES.load(Ordering::Relaxed)
}

/// An answer that is longer than [`MAX_ANSWER`].
#[derive(Debug, thiserror::Error)]
#[error("the answer is longer than {} MB", MAX_ANSWER / (1024 * 1024))]
pub struct AnswerTooLong;

/// An answer that began and did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub struct AnswerBrokenOff(#[source] aws_smithy_types::byte_stream::error::Error);

/// What a client does with the objects that it downloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Downloads {
    /// Read into memory as any other answer.
    Buffered,
    /// Passed on as they come. Who reads them bounds them.
    Streamed,
}

/// A client around another one, whose answers it bounds.
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
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await.inspect_err(|error| call.failed(error))?;
            call.answered(&answer);
            // An error is no object: it is read into memory.
            if may_stream && answer.status().is_success() { Ok(answer) } else { buffer(answer).await }
        })
    }
}

/// A call as it is logged: without query and headers, in which there may be signatures.
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

/// Reads an answer's body into memory, within the time that the SDK gives to an attempt.
///
/// The SDK retries after an answer that broke off, as after any failure of the connection; not after one that is too long.
async fn buffer(mut answer: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let body = std::mem::replace(answer.body_mut(), SdkBody::taken());
    if body.content_length().is_some_and(|length| length > MAX_ANSWER as u64) {
        return Err(ConnectorError::other(AnswerTooLong.into(), None));
    }
    let mut body = ByteStream::new(body);
    // Copied together: the pieces of a body may each keep a larger buffer alive.
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| ConnectorError::io(AnswerBrokenOff(error).into()))?;
        if bytes.len() + piece.len() > MAX_ANSWER {
            return Err(ConnectorError::other(AnswerTooLong.into(), None));
        }
        ANSWER_BYTES.fetch_add(piece.len() as u64, Ordering::Relaxed);
        bytes.extend_from_slice(&piece);
    }
    *answer.body_mut() = SdkBody::from(Bytes::from(bytes));
    Ok(answer)
}
