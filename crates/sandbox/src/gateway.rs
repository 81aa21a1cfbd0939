//! [`Gateway`]: routes every request to its service, and its response back.

pub(crate) mod chunked;
mod pipeline;
pub(crate) mod registry_endpoint;
pub(crate) mod request_body;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use awsim_core::{AwsError, Protocol, RequestContext, protocol};
use axum::body::Body;
use bytes::Bytes;
use futures::FutureExt;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use thumbctl_sandbox_protocol::READY_PATH;

use crate::account::ACCOUNT;
use crate::authz::access_control::AccessControl;
use crate::authz::auth_error;
use crate::authz::authentication::{Authenticated, AuthenticationError};
use crate::authz::caller::Caller;
use crate::authz::signature::{Credential, Payload};
use crate::gateway::chunked::{Chunked, Incoming};
use crate::gateway::registry_endpoint::RegistryEndpoint;
use crate::gateway::request_body::{BodyReader, discard};
use crate::lambda;
use crate::operation::{AnyService, ApiCall};
use crate::query;
use crate::s3::{self, S3, S3Error, S3Result, Target};
use crate::service_registry::ServiceRegistry;

/// A log entry of one request.
#[derive(Debug, Clone)]
pub struct RequestLog {
    /// The service's signing name.
    pub service: String,
    /// The operation, as far as it is known.
    pub operation: String,
    /// The HTTP status of the response.
    pub status: u16,
    /// The duration.
    pub took: Duration,
}

/// Called after every request.
pub type OnRequest = Arc<dyn Fn(&RequestLog) + Send + Sync>;

/// Ends the connection without a response.
#[derive(Debug, thiserror::Error)]
#[error("the connection was dropped on purpose")]
pub(crate) struct Dropped;

/// The path of a request: host check, signature, and then the [`pipeline`] of all calls.
pub(crate) struct Gateway {
    pub services: Arc<ServiceRegistry>,
    pub s3: Arc<S3>,
    pub access: Arc<AccessControl>,
    pub registry: OnceLock<Arc<dyn RegistryEndpoint>>,
    pub bodies: BodyReader,
    pub on_request: Option<OnRequest>,
    /// The response to [`READY_PATH`].
    pub instance: String,
}

impl Gateway {
    /// Responds to a request.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, Dropped> {
        let started = Instant::now();
        let mut log = (String::new(), String::new());
        let handled = AssertUnwindSafe(self.route(request, &mut log)).catch_unwind().await;
        let result = handled.unwrap_or_else(|_| {
            // The panic hook has printed the panic.
            Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, "The sandbox has a bug: this call made it panic."))
        });
        if let (Some(on_request), Ok(response), false) = (&self.on_request, &result, log.0.is_empty()) {
            on_request(&RequestLog {
                service: log.0,
                operation: log.1,
                status: response.status().as_u16(),
                took: started.elapsed(),
            });
        }
        result
    }

    /// The body of a request signed for `service` with the administrator's keys; nothing for any other signature.
    pub(crate) async fn owner_signed_body(&self, request: Request<Body>, service: &str) -> Option<Bytes> {
        if !is_own_host(request.headers().get("host")) {
            return None;
        }
        let (parts, body) = request.into_parts();
        let credential = Credential::read(&parts).ok().filter(|credential| credential.service == service)?;
        let authenticated =
            self.access.authenticate(&self.bodies, credential, &parts, body, Protocol::AwsJson1_1).await;
        let (sender, body) = authenticated.ok()?;
        matches!(sender.caller, Caller::Root).then_some(body)
    }

    async fn route(&self, request: Request<Body>, log: &mut (String, String)) -> Result<Response<Body>, Dropped> {
        // Against DNS rebinding: a web page whose name resolves to 127.0.0.1 sends that name.
        if !is_own_host(request.headers().get("host")) {
            return Ok(plain(StatusCode::FORBIDDEN, "Use the host localhost or 127.0.0.1."));
        }
        let path = request.uri().path();
        if path == READY_PATH {
            return Ok(plain(StatusCode::OK, &self.instance));
        }
        if let Some(token) = path.strip_prefix(lambda::PACKAGE_PATH) {
            return Ok(self.package(token).await);
        }
        if (path == "/v2" || path.starts_with("/v2/"))
            && !is_sigv4(&request)
            && !is_presigned(&request)
            && let Some(registry) = self.registry.get()
        {
            let path = path.to_owned();
            *log = ("registry".to_owned(), format!("{} {path}", request.method()));
            let operation = registry_endpoint::operation(request.method());
            let serve = |request| registry.serve(request).map(Ok);
            let served = self.services.run("registry", &operation, || path, || Ok(request), serve).await?;
            return Ok(served.unwrap_or_else(|error: AwsError| plain(error.status, &error.message)));
        }
        let (parts, body) = request.into_parts();
        let request_id = uuid::Uuid::new_v4().to_string();
        let credential = match Credential::read(&parts) {
            Ok(credential) => credential,
            Err(error) => {
                let (service, protocol) = guess(&parts);
                if is_form(&parts) {
                    // An upload by a browser, whose signature is in the form.
                    return Ok(S3Error::not_implemented("PostObject").into_response(
                        false,
                        parts.uri.path(),
                        &request_id,
                    ));
                }
                *log = (service.to_owned(), "unsigned".to_owned());
                let error = auth_error::of_signature_error(&error, service, protocol);
                discard(&parts, body).await;
                return Ok(error_response(service, protocol, error, &parts, &request_id));
            }
        };
        credential.service.clone_into(&mut log.0);
        let mut response = if credential.service == "s3" {
            self.route_s3(credential, parts, body, request_id.clone(), log).await?
        } else {
            self.route_service(credential, parts, body, &request_id, log).await?
        };
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            let name = if log.0 == "s3" { "x-amz-request-id" } else { "x-amzn-requestid" };
            response.headers_mut().entry(name).or_insert(id);
        }
        Ok(response)
    }

    /// Serves a deployment package by its download link, which is the permission, as on AWS.
    async fn package(&self, token: &str) -> Response<Body> {
        let path = self.services.functions().and_then(|functions| functions.package(token));
        let file = match path {
            Some(path) => tokio::fs::File::open(path).await.ok(),
            None => None,
        };
        let Some(file) = file else {
            return plain(StatusCode::FORBIDDEN, "The link is invalid or has expired.");
        };
        let mut response = Response::new(Body::from_stream(tokio_util::io::ReaderStream::new(file)));
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/zip"));
        response
    }

    async fn route_s3(
        &self,
        credential: Credential,
        parts: Parts,
        body: Body,
        request_id: String,
        log: &mut (String, String),
    ) -> Result<Response<Body>, Dropped> {
        let head = parts.method == http::Method::HEAD;
        let path = parts.uri.path().to_owned();
        let respond = |error: S3Error| error.into_response(head, &path, &request_id);
        let target = Target::read(&parts);
        if let Ok(target) = &target {
            target.operation.info.name.clone_into(&mut log.1);
        }
        let authenticated = self.authenticate_s3(credential, &parts);
        let (sender, target) = match authenticated.and_then(|sender| Ok((sender, target?))) {
            Ok(authenticated) => authenticated,
            Err(error) => return Ok(respond(error)),
        };
        let operation = target.operation.info;
        let authorize = || {
            let context = context(&sender, &parts, &request_id);
            let authorizer = self.s3.authorize(&self.access, context, &target, &parts)?;
            let body = match &sender.credential.payload {
                Payload::Chunked { signed } => {
                    let signer = signed.then(|| sender.credential.chunk_signer(&sender.secret));
                    Incoming::Chunked(Box::new(Chunked::new(body, signer)))
                }
                _ => Incoming::Plain(body),
            };
            Ok(s3::Call {
                target,
                parts,
                body,
                payload: sender.credential.payload,
                region: sender.credential.region,
                principal: sender.caller.id(),
                authorizer,
                request_id: request_id.clone(),
            })
        };
        let serve = |call| self.s3.serve(call).map(Ok);
        let served = self.services.run("s3", &operation, || path.clone(), authorize, serve).await?;
        Ok(served.unwrap_or_else(respond))
    }

    /// Authenticates a request to S3 by its head.
    fn authenticate_s3(&self, credential: Credential, parts: &Parts) -> S3Result<Authenticated> {
        if credential.payload == Payload::Whole {
            return Err(S3Error::new(
                400,
                "InvalidRequest",
                "Missing required header for this request: x-amz-content-sha256",
            ));
        }
        Ok(self.access.authenticate_head(credential, parts, Protocol::RestXml)?)
    }

    async fn route_service(
        &self,
        credential: Credential,
        parts: Parts,
        body: Body,
        request_id: &str,
        log: &mut (String, String),
    ) -> Result<Response<Body>, Dropped> {
        let handler = self.services.handler(&credential.service);
        let declared = handler.as_ref().map_or(Protocol::AwsJson1_1, |handler| handler.protocol());
        let service = credential.service.clone();
        // Before the body is read, the head alone determines the protocol of the response.
        let early = protocol::effective_protocol(declared, &parts.headers, &Bytes::new());
        let (sender, body) = match self.access.authenticate(&self.bodies, credential, &parts, body, early).await {
            Ok(authenticated) => authenticated,
            Err(AuthenticationError::Rejected(error)) => {
                return Ok(error_response(&service, early, error, &parts, request_id));
            }
            Err(AuthenticationError::HungUp) => return Err(Dropped),
        };
        let protocol = protocol::effective_protocol(declared, &parts.headers, &body);
        let fail = |error| Ok(error_response(&service, protocol, error, &parts, request_id));
        let Some(handler) = handler else {
            return fail(not_implemented(&format!("The sandbox has no service '{service}'.")));
        };
        let parsed = match parse(protocol, &parts, &body, handler.as_ref()) {
            Ok(parsed) => parsed,
            Err(error) => return fail(name_unknown(error, &service)),
        };
        parsed.operation.clone_into(&mut log.1);
        let Some((operation, requires)) = handler.find(&parsed.operation) else {
            return fail(name_unknown(AwsError::unknown_operation(&parsed.operation), &service));
        };
        let (input, context) = (parsed.input, context(&sender, &parts, request_id));
        let subject = || format!("{} {input}", parts.uri.path());
        let authorize = || {
            let call = ApiCall { operation: operation.name, input: &input, context: &context };
            self.access.authorize(&call, requires, protocol)
        };
        let serve = |()| handler.handle(operation.name, &input, &context);
        match self.services.run(&service, &operation, subject, authorize, serve).await? {
            Err(error) => fail(name_unknown(error, &service)),
            Ok(value) => {
                let (status, headers, body) =
                    protocol::serialize_response(protocol, operation.name, &value, request_id);
                let mut response = Response::new(Body::from(body));
                *response.status_mut() = status;
                *response.headers_mut() = headers;
                Ok(response)
            }
        }
    }
}

fn parse(
    protocol: Protocol,
    parts: &Parts,
    body: &Bytes,
    handler: &dyn AnyService,
) -> Result<protocol::ParsedRequest, AwsError> {
    if matches!(protocol, Protocol::AwsQuery | Protocol::Ec2Query) {
        query::check(body)?;
    }
    // The body of Invoke is a payload, not the operation's members.
    let wrapped = match handler.name() {
        "lambda" => crate::lambda::wrap_payload(&parts.uri, &parts.headers, body),
        _ => None,
    };
    let body = wrapped.as_ref().unwrap_or(body);
    let parsed = protocol::parse_request(protocol, &parts.method, &parts.uri, &parts.headers, body, &handler.routes())?;
    // Handlers rely on an object: the input of every operation is a structure.
    if !parsed.input.is_object() {
        return Err(AwsError::bad_request("SerializationException", "The request's body is not a JSON object"));
    }
    Ok(parsed)
}

fn context(sender: &Authenticated, parts: &Parts, request_id: &str) -> RequestContext {
    let mut context = RequestContext::new_with_account(&sender.credential.service, &sender.credential.region, ACCOUNT);
    context.access_key = Some(sender.credential.access_key.clone());
    request_id.clone_into(&mut context.request_id);
    context.method = parts.method.to_string();
    context.uri = parts.uri.to_string();
    context.source_ip = Some("127.0.0.1".to_owned());
    context.endpoint_authority = parts.headers.get("host").and_then(|host| host.to_str().ok()).map(str::to_owned);
    context
}

/// The error for what the sandbox does not implement: status 501.
fn not_implemented(message: &str) -> AwsError {
    let mut error = AwsError::bad_request("NotImplemented", message);
    error.status = StatusCode::NOT_IMPLEMENTED;
    error
}

fn name_unknown(error: AwsError, service: &str) -> AwsError {
    if error.code == "UnknownOperationException" {
        not_implemented(&format!("The sandbox's '{service}' does not have this operation: {}", error.message))
    } else {
        error
    }
}

/// Whether it is a form with a file.
fn is_form(parts: &Parts) -> bool {
    let kind = parts.headers.get("content-type").map_or(&b""[..], HeaderValue::as_bytes);
    parts.method == http::Method::POST && kind.starts_with(b"multipart/form-data")
}

/// Guesses the service and the protocol of an unsigned request.
fn guess(parts: &Parts) -> (&'static str, Protocol) {
    let path = parts.uri.path();
    let content = parts.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
    if parts.headers.contains_key("x-amz-target") || path.starts_with("/20") {
        ("unknown", Protocol::AwsJson1_1)
    } else if content.contains("x-www-form-urlencoded") {
        ("unknown", Protocol::AwsQuery)
    } else {
        ("s3", Protocol::RestXml)
    }
}

fn error_response(
    service: &str,
    protocol: Protocol,
    error: AwsError,
    parts: &Parts,
    request_id: &str,
) -> Response<Body> {
    if service == "s3" {
        let head = parts.method == http::Method::HEAD;
        return S3Error::from(error).into_response(head, parts.uri.path(), request_id);
    }
    let (status, headers, body) = protocol::serialize_error(protocol, &error, request_id);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Whether it has a presigned URL of either signature version, which docker does not use.
fn is_presigned(request: &Request<Body>) -> bool {
    request.uri().query().is_some_and(|query| query.contains("X-Amz-Signature=") || query.contains("AWSAccessKeyId="))
}

fn is_sigv4(request: &Request<Body>) -> bool {
    request.headers().get("authorization").is_some_and(|value| value.as_bytes().starts_with(b"AWS4-HMAC-SHA256"))
}

/// `127.0.0.1`, `localhost`, and `*.localhost`, with or without a port.
fn is_own_host(host: Option<&HeaderValue>) -> bool {
    let Some(host) = host.and_then(|host| host.to_str().ok()) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) => return false,
        None => host,
    };
    let name = name.to_ascii_lowercase();
    name == "127.0.0.1" || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_host_names_are_accepted() {
        let own = |host: &str| is_own_host(Some(&HeaderValue::from_str(host).unwrap()));
        for good in ["127.0.0.1:80", "localhost", "LOCALHOST:1", "pics.localhost:80", "pics.s3.localhost"] {
            assert!(own(good), "{good}");
        }
        for bad in ["evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example:1", "[::1]:80", ""] {
            assert!(!own(bad), "{bad}");
        }
        assert!(!is_own_host(None));
    }
}
