//! The Lambda Runtime API, with one listener per process, so that a process gets only its own events.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode, header};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use super::runtime_listener::{RuntimeListener, is_runtime_client};
use crate::sync::lock;

/// The largest response of a function, in bytes.
pub(crate) const MAX_RESPONSE: usize = 6 * 1024 * 1024 + 100;
/// The most bytes read of a body: enough to distinguish a large response from a broken client.
const MAX_BODY: usize = MAX_RESPONSE + 1024 * 1024;

/// An event for a function.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeEvent {
    pub request_id: String,
    pub function_arn: String,
    pub payload: Bytes,
    pub deadline: SystemTime,
}

/// A message from a process.
#[derive(Debug)]
pub(crate) enum RuntimeMessage {
    /// A request for the next event, after the initialisation or the last event.
    Next,
    /// The response to its event.
    Response(Bytes),
    /// A response above Lambda's limit.
    ResponseTooLarge(usize),
    /// The error of its event.
    Error(Bytes),
    /// The error of its initialisation.
    InitError(Bytes),
}

/// The service's side of one process's Runtime API. Dropping it stops the server.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    address: SocketAddr,
    exchange: Arc<Exchange>,
    messages: mpsc::Receiver<RuntimeMessage>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Exchange {
    authority: String,
    events: mpsc::Sender<RuntimeEvent>,
    next: Mutex<mpsc::Receiver<RuntimeEvent>>,
    messages: mpsc::Sender<RuntimeMessage>,
    /// The request id of the pending event.
    current: std::sync::Mutex<Option<String>>,
}

impl RuntimeApi {
    /// Listens on a loopback address.
    pub(crate) async fn listen() -> std::io::Result<Self> {
        let listener = RuntimeListener::bind().await?;
        let address = listener.address();
        let (events, next) = mpsc::channel(1);
        let (sender, messages) = mpsc::channel(16);
        let exchange = Arc::new(Exchange {
            authority: address.to_string(),
            events,
            next: Mutex::new(next),
            messages: sender,
            current: std::sync::Mutex::default(),
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next_event))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(middleware::from_fn_with_state(exchange.clone(), runtime_client_only))
            .with_state(exchange.clone());
        let server = tokio::spawn(async move {
            // Ends only when the task is aborted: axum retries failed accepts.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, exchange, messages, server })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Queues an event for the process's next request. One at a time.
    pub(crate) fn send_event(&self, event: RuntimeEvent) {
        *lock(&self.exchange.current) = Some(event.request_id.clone());
        // Never full: the process has requested an event, so the previous one was taken.
        let _ = self.exchange.events.try_send(event);
    }

    /// Waits for the process's next message.
    pub(crate) async fn next_message(&mut self) -> Option<RuntimeMessage> {
        self.messages.recv().await
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Refuses requests that a web page makes a browser send to this machine's ports.
async fn runtime_client_only(State(exchange): State<Arc<Exchange>>, request: Request, next: Next) -> Response {
    if is_runtime_client(request.headers(), &exchange.authority) {
        next.run(request).await
    } else {
        answer(StatusCode::FORBIDDEN, r#"{"errorMessage":"Forbidden","errorType":"Forbidden"}"#)
    }
}

async fn next_event(State(exchange): State<Arc<Exchange>>) -> Response {
    // Full only if a process sends many requests at once, where one is enough.
    let _ = exchange.messages.try_send(RuntimeMessage::Next);
    let Some(event) = exchange.next.lock().await.recv().await else {
        return answer(StatusCode::GONE, "{}");
    };
    let deadline = event.deadline.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis();
    Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", &event.request_id)
        .header("Lambda-Runtime-Deadline-Ms", deadline.to_string())
        .header("Lambda-Runtime-Invoked-Function-Arn", &event.function_arn)
        .header("Lambda-Runtime-Trace-Id", trace_id())
        .body(Body::from(event.payload))
        .unwrap_or_else(|_| answer(StatusCode::INTERNAL_SERVER_ERROR, "{}"))
}

async fn response(State(exchange): State<Arc<Exchange>>, Path(id): Path<String>, body: Bytes) -> Response {
    if !exchange.take_pending(&id) {
        return unknown_request();
    }
    if body.len() > MAX_RESPONSE {
        let _ = exchange.messages.send(RuntimeMessage::ResponseTooLarge(body.len())).await;
        return answer(
            StatusCode::PAYLOAD_TOO_LARGE,
            r#"{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}"#,
        );
    }
    exchange.accept(RuntimeMessage::Response(body)).await
}

async fn error(
    State(exchange): State<Arc<Exchange>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !exchange.take_pending(&id) {
        return unknown_request();
    }
    exchange.accept(RuntimeMessage::Error(error_document(&headers, body))).await
}

async fn init_error(State(exchange): State<Arc<Exchange>>, headers: HeaderMap, body: Bytes) -> Response {
    exchange.accept(RuntimeMessage::InitError(error_document(&headers, body))).await
}

impl Exchange {
    /// Takes the pending event if its id is `id`. Each event takes one answer.
    fn take_pending(&self, id: &str) -> bool {
        let mut current = lock(&self.current);
        let expected = current.as_deref() == Some(id);
        if expected {
            *current = None;
        }
        expected
    }

    async fn accept(&self, messages: RuntimeMessage) -> Response {
        let _ = self.messages.send(messages).await;
        answer(StatusCode::ACCEPTED, r#"{"status":"OK"}"#)
    }
}

/// The error document; built from the header if the body is not JSON.
fn error_document(headers: &HeaderMap, body: Bytes) -> Bytes {
    if serde_json::from_slice::<serde_json::Value>(&body).is_ok() {
        return body;
    }
    let kind = headers
        .get("lambda-runtime-function-error-type")
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or("Runtime.Unknown");
    let message = String::from_utf8_lossy(&body);
    Bytes::from(serde_json::json!({ "errorType": kind, "errorMessage": message }).to_string())
}

fn unknown_request() -> Response {
    answer(StatusCode::BAD_REQUEST, r#"{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}"#)
}

fn answer(status: StatusCode, json: &'static str) -> Response {
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

/// X-Ray's form: a version, the seconds, 96 bits, a parent of 64 bits.
fn trace_id() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (root, parent) = (uuid::Uuid::new_v4().simple().to_string(), uuid::Uuid::new_v4().simple().to_string());
    format!("Root=1-{seconds:08x}-{};Parent={};Sampled=0", &root[..24], &parent[..16])
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// Sends an initialisation error, and returns the response's status.
    async fn report(address: SocketAddr, headers: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nhost: {address}\r\ncontent-length: 2\r\nconnection: close\r\n"
        );
        stream.write_all(format!("{head}{headers}\r\n{{}}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn browser_requests_are_refused() {
        let mut api = RuntimeApi::listen().await.unwrap();
        for headers in ["origin: http://example.com\r\n", "sec-fetch-site: cross-site\r\n", "host: example.com\r\n"] {
            assert!(["400", "403"].contains(&report(api.address(), headers).await.as_str()), "{headers}");
        }
        assert!(api.messages.try_recv().is_err());
        assert_eq!(report(api.address(), "").await, "202");
        assert!(matches!(api.next_message().await, Some(RuntimeMessage::InitError(_))));
    }
}
