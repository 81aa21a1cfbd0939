//! One error for every call to AWS: what was called, what kind of failure it is, in one sentence, with its causes.

mod classify;

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::bounded_client::{AnswerBrokenOff, AnswerTooLong};
use super::clock::ClockDifference;
use super::operation::AwsOperation;

pub(crate) use classify::classify;

/// What kind of failure a call to AWS ended in: what a caller decides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// What was asked for is not there.
    NotFound,
    /// Something of that name is there already; for a bucket: someone else's.
    AlreadyExists,
    /// The bucket is there already, and it is ours.
    AlreadyOwned,
    /// The caller is known, but may not do this.
    Denied,
    /// Too many requests in too little time.
    Throttled,
    /// Something else is going on with the same resource, or it still has contents or users.
    Conflict,
    /// The role was created a moment ago, and the service cannot assume it yet.
    RoleNotReady,
    /// The account's limits do not allow it.
    LimitExceeded,
    /// No credentials, or credentials that AWS does not know.
    InvalidCredentials,
    /// Credentials that were good once.
    ExpiredCredentials,
    /// The request itself is wrong.
    Invalid,
    /// AWS failed.
    Server,
    /// The clocks of this machine and of the service differ by so much that signatures are refused.
    ClockSkewed,
    /// The endpoint sends more than any answer may hold.
    Oversized,
    /// No answer in time.
    Timeout,
    /// The endpoint cannot be reached, or hung up.
    Network,
    /// A file on this side could not be read or written.
    File,
    /// Anything else.
    Other,
}

/// A call to AWS that failed.
///
/// Its text is one sentence and never holds credentials; [`AwsError::hint`] says what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{service} {operation} failed: {}{message}", Code(.code.as_deref()))]
pub struct AwsError {
    /// The service, as people write it: `S3`, `CodeBuild`.
    pub service: &'static str,
    /// The API operation: `CreateBucket`.
    pub operation: &'static str,
    /// The kind of failure.
    pub kind: ErrorKind,
    /// The service's own error code, if it answered with one.
    pub code: Option<String>,
    /// What the service, or the connection, said.
    pub message: String,
    /// What lies below: the connection's errors, or the answer's status and request id.
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

/// The answer behind a service error: what AWS's support asks for.
#[derive(Debug, thiserror::Error)]
#[error("the answer was HTTP {status}, request id {request_id}")]
struct Answer {
    status: u16,
    request_id: String,
}

impl AwsError {
    /// An error that this layer found by itself, such as a function that went to `Failed`.
    pub fn new(service: &'static str, operation: &'static str, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { service, operation, kind, code: None, message: message.into(), source: None }
    }

    /// A file on this side that could not be read or written during a call.
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

    /// Makes an error from what the SDK's client answered to an operation; to be used with `map_err`.
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
                    let message = if text.is_empty() { format!("the answer was HTTP {status}") } else { text };
                    let (kind, message) = name_clock(kind, code.is_some(), message, clock);
                    Self {
                        service,
                        operation,
                        kind,
                        message,
                        code,
                        source: request_id
                            .map(|request_id| Box::new(Answer { status, request_id }) as Box<dyn Error + Send + Sync>),
                    }
                }
                // Nothing that the service's protocol knows: to a HEAD there is no body, and whatever stands in between
                // (a proxy, a load balancer) answers in its own words. The status tells.
                SdkError::ServiceError(_) | SdkError::ResponseError(_)
                    if status.is_some_and(|status| status >= 300) =>
                {
                    let status = status.unwrap_or_default();
                    let message = format!("the answer was HTTP {status}");
                    let (kind, message) = name_clock(classify(None, status, ""), false, message, clock);
                    Self { source: error.into_source().ok(), ..Self::new(service, operation, kind, message) }
                }
                SdkError::TimeoutError(_) => Self {
                    source: error.into_source().ok(),
                    ..Self::new(service, operation, ErrorKind::Timeout, "no answer in time")
                },
                other => {
                    let stage = Stage::of(&other);
                    match other.into_source() {
                        Ok(source) => Self::without_answer(service, operation, source, stage),
                        Err(error) => Self::new(service, operation, ErrorKind::Other, clean(&error.to_string())),
                    }
                }
            }
        }
    }

    fn without_answer(
        service: &'static str,
        operation: &'static str,
        source: Box<dyn Error + Send + Sync>,
        stage: Stage,
    ) -> Self {
        if let Some(too_long) = find::<AnswerTooLong>(source.as_ref()) {
            // The connector's errors around it say nothing more.
            return Self::new(service, operation, ErrorKind::Oversized, too_long.to_string());
        }
        let stage = if find::<AnswerBrokenOff>(source.as_ref()).is_some() { Stage::Answer } else { stage };
        let chain = causes(source.as_ref());
        let deepest = chain.last().cloned().unwrap_or_default();
        let all = chain.join(": ").to_lowercase();
        // Credentials are looked for when the request is signed: the SDK reports that as a failure to dispatch.
        let (kind, message) = if all.contains("credential") || all.contains("sso token") {
            if all.contains("expired") {
                (ErrorKind::ExpiredCredentials, format!("the credentials have expired ({deepest})"))
            } else if all.contains("no credentials found in chain") || all.contains("imds") {
                // The SDK lists everywhere that it has looked, or says what the last place, a virtual machine's, has
                // answered: neither is what is wrong, and both are among the causes.
                (ErrorKind::InvalidCredentials, "no credentials were found".to_owned())
            } else {
                (ErrorKind::InvalidCredentials, format!("no usable credentials ({deepest})"))
            }
        } else if all.contains("identity") && all.contains("no ") {
            (ErrorKind::InvalidCredentials, format!("no usable credentials ({deepest})"))
        } else {
            match stage {
                Stage::Request => (ErrorKind::Invalid, deepest),
                Stage::TimedOut => (ErrorKind::Timeout, format!("the endpoint did not answer in time ({deepest})")),
                Stage::Connection => (ErrorKind::Network, format!("cannot reach the endpoint ({deepest})")),
                Stage::Answer => (ErrorKind::Network, format!("the answer could not be read ({deepest})")),
            }
        };
        Self { source: Some(source), ..Self::new(service, operation, kind, clean(&message)) }
    }

    /// An answer that lacks what it should hold.
    pub(crate) fn lacks(service: &'static str, operation: &'static str, what: &str) -> Self {
        Self::new(service, operation, ErrorKind::Other, format!("the answer does not hold {what}"))
    }

    /// Whether the resource is simply not there.
    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }

    /// Whether the service's own error code is `code`.
    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

/// How far a call came that has no answer.
enum Stage {
    Request,
    Connection,
    TimedOut,
    Answer,
}

impl Stage {
    fn of<E, R>(error: &SdkError<E, R>) -> Self {
        match error {
            SdkError::ConstructionFailure(_) => Self::Request,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => Self::TimedOut,
            SdkError::DispatchFailure(_) => Self::Connection,
            _ => Self::Answer,
        }
    }
}

/// `Ok(Some)` for what is there, `Ok(None)` for what is not, and the error for everything else.
pub(crate) fn optional<T>(answer: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a deletion found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It was there, and is not any more.
    Now,
    /// It had gone before.
    AlreadyGone,
}

/// Tells "deleted" from "was not there": both are what destroy wants.
pub(crate) fn deleted<T>(answer: Result<T, AwsError>) -> Result<Deleted, AwsError> {
    Ok(match optional(answer)? {
        Some(_) => Deleted::Now,
        None => Deleted::AlreadyGone,
    })
}

/// Names the clock where it is, or may be, why a signature was refused.
///
/// The answer to a HEAD has no code: there, a clock that is off by more than services allow is taken for the reason. With a
/// code, the service has said what the reason is. The SDK corrects its signatures after such a refusal and tries again, but
/// only if the refusal has a code.
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

/// One line, and nothing of the request in it: a refused signature is answered with the canonical request, which holds
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
    #[error("what the service said")]
    struct Said(ErrorMetadata);

    impl ProvideErrorMetadata for Said {
        fn meta(&self) -> &ErrorMetadata {
            &self.0
        }
    }

    fn answer(status: u16) -> Response {
        Response::new(StatusCode::try_from(status).unwrap(), SdkBody::empty())
    }

    fn said(status: u16, code: Option<&str>, message: Option<&str>) -> AwsError {
        let mut meta = ErrorMetadata::builder().custom("aws_request_id", "REQ1");
        if let Some(code) = code {
            meta = meta.code(code);
        }
        if let Some(message) = message {
            meta = meta.message(message);
        }
        let error = SdkError::service_error(Said(meta.build()), answer(status));
        AwsError::from_sdk(S3Operation::CreateBucket)(error)
    }

    fn connection(error: ConnectorError) -> AwsError {
        AwsError::from_sdk::<Said, _>(S3Operation::CreateBucket)(SdkError::dispatch_failure(error))
    }

    #[test]
    fn a_service_error_is_one_sentence_with_the_request_id_below() {
        let error = said(403, Some("AccessDenied"), Some("Access\n  Denied"));
        assert_eq!(error.to_string(), "S3 CreateBucket failed: AccessDenied: Access Denied");
        assert_eq!(error.kind, ErrorKind::Denied);
        assert_eq!(error.source().unwrap().to_string(), "the answer was HTTP 403, request id REQ1");
    }

    #[test]
    fn an_answer_without_a_body_is_told_by_its_status() {
        let error = said(404, None, None);
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert_eq!(error.to_string(), "S3 CreateBucket failed: the answer was HTTP 404");
    }

    #[test]
    fn an_answer_that_is_not_the_services_own_is_told_by_its_status_too() {
        let error = SdkError::response_error("unexpected token '<'", answer(503));
        let error = AwsError::from_sdk::<Said, _>(S3Operation::CreateBucket)(error);
        assert_eq!(error.kind, ErrorKind::Server);
        let error = SdkError::response_error("cut short", answer(200));
        let error = AwsError::from_sdk::<Said, _>(S3Operation::CreateBucket)(error);
        assert_eq!(error.kind, ErrorKind::Network);
        assert_eq!(error.to_string(), "S3 CreateBucket failed: the answer could not be read (cut short)");
    }

    #[test]
    fn a_refused_connection_keeps_its_causes() {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "refused by peer");
        let error = connection(ConnectorError::io(refused.into()));
        assert_eq!(error.kind, ErrorKind::Network);
        assert_eq!(error.to_string(), "S3 CreateBucket failed: cannot reach the endpoint (refused by peer)");
        assert!(causes(&error).contains(&"refused by peer".to_owned()));
    }

    #[test]
    fn a_connection_that_times_out_is_a_timeout() {
        let error = connection(ConnectorError::timeout("connect took 3 s".into()));
        assert_eq!(error.kind, ErrorKind::Timeout);
        let error =
            AwsError::from_sdk::<Said, _>(S3Operation::CreateBucket)(SdkError::timeout_error("operation timeout"));
        assert_eq!(error.kind, ErrorKind::Timeout);
    }

    #[test]
    fn missing_and_expired_credentials_are_told_from_a_broken_network() {
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
    fn a_refused_signature_does_not_give_the_session_token_away() {
        let error = said(
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
    fn what_is_not_there_is_told_from_what_failed() {
        let gone = || Err::<(), _>(said(404, Some("NoSuchBucket"), None));
        assert_eq!(deleted(Ok(())).unwrap(), Deleted::Now);
        assert_eq!(deleted(gone()).unwrap(), Deleted::AlreadyGone);
        assert_eq!(optional(gone()).unwrap(), None);
        assert!(optional(Err::<(), _>(said(500, None, None))).is_err());
    }

    #[test]
    fn errors_stay_small_enough_to_be_returned() {
        assert!(size_of::<AwsError>() < 128);
    }
}
