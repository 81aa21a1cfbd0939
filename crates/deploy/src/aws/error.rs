//! One error type for every AWS call: service, operation, kind, message and causes.

mod classify;

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::bounded_client::{ResponseIncomplete, ResponseTooLong};
use super::clock::ClockDifference;
use super::operation::AwsOperation;

pub(crate) use classify::classify;

/// The kind of a failed AWS call, for callers' decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The resource does not exist.
    NotFound,
    /// A resource of that name exists already; for a bucket: another owner's.
    AlreadyExists,
    /// The bucket exists already, with the same owner.
    AlreadyOwned,
    /// The caller has no permission.
    Denied,
    /// Throttled: too many requests.
    Throttled,
    /// Another operation on the resource is in progress, or it still has contents or users.
    Conflict,
    /// The role was just created, and the service cannot assume it yet.
    RoleNotReady,
    /// An account quota is exceeded.
    LimitExceeded,
    /// No credentials, or invalid ones.
    InvalidCredentials,
    /// Expired credentials.
    ExpiredCredentials,
    /// The request is invalid.
    Invalid,
    /// An error of AWS's own.
    Server,
    /// The clocks differ so much that signatures are rejected.
    ClockSkewed,
    /// The response exceeds the size limit.
    Oversized,
    /// No response in time.
    Timeout,
    /// The endpoint cannot be reached, or closed the connection.
    Network,
    /// A local file could not be read or written.
    File,
    /// Anything else.
    Other,
}

/// A failed AWS call.
///
/// Its text is one sentence without credentials; [`AwsError::hint`] returns what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{service} {operation} failed: {}{message}", Code(.code.as_deref()))]
pub struct AwsError {
    /// The service: `S3`, `CodeBuild`.
    pub service: &'static str,
    /// The API operation: `CreateBucket`.
    pub operation: &'static str,
    /// The kind of failure.
    pub kind: ErrorKind,
    /// The service's error code, if its response has one.
    pub code: Option<String>,
    /// The message of the service or the connection.
    pub message: String,
    /// The underlying errors: the connection's, or the response's status and request id.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

struct Code<'a>(Option<&'a str>);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(code) => write!(f, "{code}: "),
            None => Ok(()),
        }
    }
}

/// The response of a service error, for AWS support.
#[derive(Debug, thiserror::Error)]
#[error("the response was HTTP {status}, request id {request_id}")]
struct ResponseFacts {
    status: u16,
    request_id: String,
}

impl AwsError {
    /// Creates an error of this layer's own, such as for a function that went to `Failed`.
    pub fn new(service: &'static str, operation: &'static str, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { service, operation, kind, code: None, message: message.into(), source: None }
    }

    /// Creates an error for a local file that could not be read or written during a call.
    pub(crate) fn file(
        service: &'static str,
        operation: &'static str,
        path: &std::path::Path,
        error: std::io::Error,
    ) -> Self {
        Self {
            source: Some(Box::new(error)),
            ..Self::new(service, operation, ErrorKind::File, format!("cannot use the file {}", path.display()))
        }
    }

    /// Converts an SDK error of an operation; for `map_err`.
    pub(crate) fn from_sdk<E, O: AwsOperation>(operation: O) -> impl FnOnce(SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let (service, operation) = (O::SERVICE, operation.name());
        move |error| {
            let status = error.raw_response().map(|answer| answer.status().as_u16());
            let clock = error.raw_response().and_then(|answer| ClockDifference::measure(answer.headers()));
            let (code, message, request_id) = {
                let meta = error.meta();
                (
                    meta.code().map(str::to_owned),
                    meta.message().map(clean),
                    meta.extra("aws_request_id").map(str::to_owned),
                )
            };
            match error {
                SdkError::ServiceError(_) if code.is_some() || message.is_some() => {
                    let status = status.unwrap_or_default();
                    let text = message.unwrap_or_default();
                    let kind = classify(code.as_deref(), status, &text);
                    let message = if text.is_empty() { format!("the response was HTTP {status}") } else { text };
                    let (kind, message) = name_clock(kind, code.is_some(), message, clock);
                    Self {
                        service,
                        operation,
                        kind,
                        message,
                        code,
                        source: request_id.map(|request_id| {
                            Box::new(ResponseFacts { status, request_id }) as Box<dyn Error + Send + Sync>
                        }),
                    }
                }
                // Not the service's protocol: a HEAD has no body, and a proxy or a load balancer in between
                // has its own format. The status decides.
                SdkError::ServiceError(_) | SdkError::ResponseError(_)
                    if status.is_some_and(|status| status >= 300) =>
                {
                    let status = status.unwrap_or_default();
                    let message = format!("the response was HTTP {status}");
                    let (kind, message) = name_clock(classify(None, status, ""), false, message, clock);
                    Self { source: error.into_source().ok(), ..Self::new(service, operation, kind, message) }
                }
                SdkError::TimeoutError(_) => Self {
                    source: error.into_source().ok(),
                    ..Self::new(service, operation, ErrorKind::Timeout, "no response in time")
                },
                other => {
                    let stage = Stage::of(&other);
                    match other.into_source() {
                        Ok(source) => Self::without_response(service, operation, source, stage),
                        Err(error) => Self::new(service, operation, ErrorKind::Other, clean(&error.to_string())),
                    }
                }
            }
        }
    }

    fn without_response(
        service: &'static str,
        operation: &'static str,
        source: Box<dyn Error + Send + Sync>,
        stage: Stage,
    ) -> Self {
        if let Some(too_long) = find::<ResponseTooLong>(source.as_ref()) {
            // The connector's outer errors add nothing.
            return Self::new(service, operation, ErrorKind::Oversized, too_long.to_string());
        }
        let stage = if find::<ResponseIncomplete>(source.as_ref()).is_some() { Stage::Response } else { stage };
        let chain = causes(source.as_ref());
        let deepest = chain.last().cloned().unwrap_or_default();
        let all = chain.join(": ").to_lowercase();
        // Credentials are resolved when the request is signed: the SDK reports that as a dispatch failure.
        let (kind, message) = if all.contains("credential") || all.contains("sso token") {
            if all.contains("expired") {
                (ErrorKind::ExpiredCredentials, format!("the credentials have expired ({deepest})"))
            } else if all.contains("no credentials found in chain") || all.contains("imds") {
                // The SDK lists all its sources, or the last one's error, a virtual machine's: neither
                // is the cause, and both are in the causes.
                (ErrorKind::InvalidCredentials, "no credentials were found".to_owned())
            } else {
                (ErrorKind::InvalidCredentials, format!("no usable credentials ({deepest})"))
            }
        } else if all.contains("identity") && all.contains("no ") {
            (ErrorKind::InvalidCredentials, format!("no usable credentials ({deepest})"))
        } else {
            match stage {
                Stage::Request => (ErrorKind::Invalid, deepest),
                Stage::TimedOut => (ErrorKind::Timeout, format!("no response in time ({deepest})")),
                Stage::Connection => (ErrorKind::Network, format!("cannot reach the endpoint ({deepest})")),
                Stage::Response => (ErrorKind::Network, format!("cannot read the response ({deepest})")),
            }
        };
        Self { source: Some(source), ..Self::new(service, operation, kind, clean(&message)) }
    }

    /// Creates an error for a response without a required field.
    pub(crate) fn missing_field(service: &'static str, operation: &'static str, what: &str) -> Self {
        Self::new(service, operation, ErrorKind::Other, format!("the response lacks {what}"))
    }

    /// Returns whether the resource does not exist.
    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }

    /// Returns whether the service's error code is `code`.
    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

/// The stage at which a call without a response failed.
enum Stage {
    Request,
    Connection,
    TimedOut,
    Response,
}

impl Stage {
    fn of<E, R>(error: &SdkError<E, R>) -> Self {
        match error {
            SdkError::ConstructionFailure(_) => Self::Request,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => Self::TimedOut,
            SdkError::DispatchFailure(_) => Self::Connection,
            _ => Self::Response,
        }
    }
}

/// `Ok(Some)` for an existing resource, `Ok(None)` for a missing one, other errors unchanged.
pub(crate) fn optional<T>(answer: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The result of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It existed, and was deleted.
    Now,
    /// It did not exist.
    AlreadyGone,
}

/// Distinguishes a deletion from a missing resource: destroy accepts both.
pub(crate) fn deleted<T>(answer: Result<T, AwsError>) -> Result<Deleted, AwsError> {
    Ok(match optional(answer)? {
        Some(_) => Deleted::Now,
        None => Deleted::AlreadyGone,
    })
}

/// Names the clock as the cause of a rejected signature, where it is or may be.
///
/// The response to a HEAD has no code: there, a clock beyond the allowed difference is taken for the cause. With a
/// code, the service has named the cause. The SDK corrects its signatures after such an error and retries, but
/// only if the error has a code.
fn name_clock(kind: ErrorKind, has_code: bool, message: String, clock: Option<ClockDifference>) -> (ErrorKind, String) {
    let clock = clock.filter(|clock| clock.is_refused());
    match (kind, clock) {
        (ErrorKind::ClockSkewed, Some(clock)) => (kind, format!("{message} ({clock})")),
        (ErrorKind::Denied | ErrorKind::InvalidCredentials, Some(clock)) if !has_code => {
            (ErrorKind::ClockSkewed, format!("{message} ({clock})"))
        }
        _ => (kind, message),
    }
}

/// The first cause of a type.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut chain = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        chain.push(cause.to_string());
        next = cause.source();
    }
    chain
}

/// One line, without the request: the response to a rejected signature has the canonical request, with
/// the session token.
fn clean(message: &str) -> String {
    let kept = ["The Canonical String", "The String-to-Sign", "Canonical String for"]
        .iter()
        .filter_map(|start| message.find(start))
        .min()
        .map_or(message, |at| &message[..at]);
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
    use aws_smithy_runtime_api::http::{Response, StatusCode};
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::metadata::ErrorMetadata;

    use super::*;
    use crate::aws::operation::S3Operation;

    #[derive(Debug, thiserror::Error)]
    #[error("service error")]
    struct ServiceError(ErrorMetadata);

    impl ProvideErrorMetadata for ServiceError {
        fn meta(&self) -> &ErrorMetadata {
            &self.0
        }
    }

    fn answer(status: u16) -> Response {
        Response::new(StatusCode::try_from(status).unwrap(), SdkBody::empty())
    }

    fn service_error(status: u16, code: Option<&str>, message: Option<&str>) -> AwsError {
        let mut meta = ErrorMetadata::builder().custom("aws_request_id", "REQ1");
        if let Some(code) = code {
            meta = meta.code(code);
        }
        if let Some(message) = message {
            meta = meta.message(message);
        }
        let error = SdkError::service_error(ServiceError(meta.build()), answer(status));
        AwsError::from_sdk(S3Operation::CreateBucket)(error)
    }

    fn connection(error: ConnectorError) -> AwsError {
        AwsError::from_sdk::<ServiceError, _>(S3Operation::CreateBucket)(SdkError::dispatch_failure(error))
    }

    #[test]
    fn service_error_is_one_sentence_with_the_request_id_as_cause() {
        let error = service_error(403, Some("AccessDenied"), Some("Access\n  Denied"));
        assert_eq!(error.to_string(), "S3 CreateBucket failed: AccessDenied: Access Denied");
        assert_eq!(error.kind, ErrorKind::Denied);
        assert_eq!(error.source().unwrap().to_string(), "the response was HTTP 403, request id REQ1");
    }

    #[test]
    fn response_without_body_is_classified_by_status() {
        let error = service_error(404, None, None);
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert_eq!(error.to_string(), "S3 CreateBucket failed: the response was HTTP 404");
    }

    #[test]
    fn response_of_a_proxy_is_classified_by_status() {
        let error = SdkError::response_error("unexpected token '<'", answer(503));
        let error = AwsError::from_sdk::<ServiceError, _>(S3Operation::CreateBucket)(error);
        assert_eq!(error.kind, ErrorKind::Server);
        let error = SdkError::response_error("cut short", answer(200));
        let error = AwsError::from_sdk::<ServiceError, _>(S3Operation::CreateBucket)(error);
        assert_eq!(error.kind, ErrorKind::Network);
        assert_eq!(error.to_string(), "S3 CreateBucket failed: cannot read the response (cut short)");
    }

    #[test]
    fn refused_connection_keeps_its_causes() {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "refused by peer");
        let error = connection(ConnectorError::io(refused.into()));
        assert_eq!(error.kind, ErrorKind::Network);
        assert_eq!(error.to_string(), "S3 CreateBucket failed: cannot reach the endpoint (refused by peer)");
        assert!(causes(&error).contains(&"refused by peer".to_owned()));
    }

    #[test]
    fn connection_timeout_is_a_timeout() {
        let error = connection(ConnectorError::timeout("connect took 3 s".into()));
        assert_eq!(error.kind, ErrorKind::Timeout);
        let error = AwsError::from_sdk::<ServiceError, _>(S3Operation::CreateBucket)(SdkError::timeout_error(
            "operation timeout",
        ));
        assert_eq!(error.kind, ErrorKind::Timeout);
    }

    #[test]
    fn missing_and_expired_credentials_differ_from_network_errors() {
        let missing = "no providers in chain provided credentials";
        let error = connection(ConnectorError::other(missing.into(), None));
        assert_eq!(error.kind, ErrorKind::InvalidCredentials);
        assert_eq!(error.to_string(), format!("S3 CreateBucket failed: no usable credentials ({missing})"));
        for nowhere in
            ["no credentials found in chain. Attempted:\nEnvironment: …", "failed to load credentials from IMDS"]
        {
            let error = connection(ConnectorError::other(nowhere.into(), None));
            assert_eq!(error.to_string(), "S3 CreateBucket failed: no credentials were found");
        }
        let expired = "the SSO token has expired and cannot be refreshed";
        let error = connection(ConnectorError::other(expired.into(), None));
        assert_eq!(error.kind, ErrorKind::ExpiredCredentials);
    }

    #[test]
    fn rejected_signature_does_not_reveal_the_session_token() {
        let error = service_error(
            403,
            Some("InvalidSignatureException"),
            Some(
                "The request signature we calculated does not match the signature you provided.\n\n\
                 The Canonical String for this request should have been\n'POST\n\
                 x-amz-security-token:SECRETTOKEN'",
            ),
        );
        assert_eq!(error.kind, ErrorKind::InvalidCredentials);
        let printed = format!("{error} {error:?} {:?}", causes(&error));
        assert!(!printed.contains("SECRETTOKEN"), "{printed}");
    }

    #[test]
    fn missing_resource_differs_from_failure() {
        let missing = || Err::<(), _>(service_error(404, Some("NoSuchBucket"), None));
        assert_eq!(deleted(Ok(())).unwrap(), Deleted::Now);
        assert_eq!(deleted(missing()).unwrap(), Deleted::AlreadyGone);
        assert_eq!(optional(missing()).unwrap(), None);
        assert!(optional(Err::<(), _>(service_error(500, None, None))).is_err());
    }

    #[test]
    fn errors_are_small_enough_to_return() {
        assert!(size_of::<AwsError>() < 128);
    }
}
