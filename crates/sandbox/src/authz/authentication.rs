//! Authentication: checks as much as possible before it reads the body.

use awsim_core::{AwsError, Protocol};
use axum::body::Body;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;

use crate::authz::access_control::AccessControl;
use crate::authz::auth_error::{self, BadKey};
use crate::authz::caller::Caller;
use crate::authz::canonical::sha256_hex;
use crate::authz::signature::{Credential, Payload};
use crate::authz::signature_error::SignatureError;
use crate::gateway::request_body::{BodyReader, BodyRejection, discard};

/// The authenticated sender of a request.
pub(crate) struct Authenticated {
    pub credential: Credential,
    pub caller: Caller,
    pub secret: String,
}

/// Why a request is not authenticated.
pub(crate) enum AuthenticationError {
    /// The response is this error.
    Rejected(AwsError),
    /// The client hung up.
    HungUp,
}

impl AccessControl {
    /// Authenticates a request to S3 by its head.
    pub(crate) fn authenticate_head(
        &self,
        credential: Credential,
        parts: &Parts,
        protocol: Protocol,
    ) -> Result<Authenticated, AwsError> {
        let (caller, secret) = self.identify(&credential, protocol)?;
        let checked = credential.verify(parts, &secret, "");
        checked.map_err(|error| auth_error::of_signature_error(&error, &credential.service, protocol))?;
        Ok(Authenticated { credential, caller, secret })
    }

    /// Authenticates a request whose body is signed, and reads the body.
    ///
    /// The access key and the time are checked first, and the signature too if the head declares the body's hash. Otherwise
    /// the body is read within the limits for unknown senders.
    pub(crate) async fn authenticate(
        &self,
        bodies: &BodyReader,
        credential: Credential,
        parts: &Parts,
        body: Body,
        protocol: Protocol,
    ) -> Result<(Authenticated, Bytes), AuthenticationError> {
        let reject = |credential: &Credential, error: &SignatureError| {
            AuthenticationError::Rejected(auth_error::of_signature_error(error, &credential.service, protocol))
        };
        let checked = self.identify(&credential, protocol).and_then(|(caller, secret)| {
            let declared = declared_hash(&credential);
            let verified = match &declared {
                Some(hash) => credential.verify(parts, &secret, hash),
                None => credential.check_time(),
            };
            verified.map_err(|error| auth_error::of_signature_error(&error, &credential.service, protocol))?;
            Ok((caller, secret, declared))
        });
        let (caller, secret, declared) = match checked {
            Ok(checked) => checked,
            Err(error) => {
                discard(parts, body).await;
                return Err(AuthenticationError::Rejected(error));
            }
        };
        let body = match declared {
            Some(declared) => {
                let body = bodies.read_verified(parts, body).await?;
                if sha256_hex(&body) != declared {
                    return Err(reject(&credential, &SignatureError::Mismatch));
                }
                body
            }
            None => {
                let (body, _reservation) = bodies.read_unverified(parts, body).await?;
                credential.verify(parts, &secret, &sha256_hex(&body)).map_err(|error| reject(&credential, &error))?;
                body
            }
        };
        Ok((Authenticated { credential, caller, secret }, body))
    }

    /// The holder of the request's access key and its secret. The session must be valid.
    fn identify(&self, credential: &Credential, protocol: Protocol) -> Result<(Caller, String), AwsError> {
        let bad_key = |bad| auth_error::of_key(bad, &credential.service, protocol);
        let (caller, secret) = self.holder(&credential.access_key).ok_or_else(|| bad_key(BadKey::Unknown))?;
        if let Caller::Session(session) = &caller {
            if credential.token.as_deref() != Some(session.session_token.as_str()) {
                return Err(bad_key(BadKey::WrongToken));
            }
            if session.is_expired() {
                return Err(bad_key(BadKey::Expired));
            }
        }
        Ok((caller, secret))
    }
}

/// The hash of the body as declared in the head and signed.
fn declared_hash(credential: &Credential) -> Option<String> {
    match &credential.payload {
        Payload::Hashed(hash) => Some(hash.to_ascii_lowercase()),
        _ => None,
    }
}

impl From<BodyRejection> for AuthenticationError {
    fn from(rejection: BodyRejection) -> Self {
        let (status, code, message) = match rejection {
            BodyRejection::HungUp => return Self::HungUp,
            BodyRejection::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLargeException",
                "Request must be smaller than 16777216 bytes",
            ),
            BodyRejection::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "RequestTimeoutException",
                "The request's body did not arrive within 60 s",
            ),
            BodyRejection::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                "The sandbox is reading as many large requests as it can; try again",
            ),
        };
        let mut error = AwsError::bad_request(code, message);
        error.status = status;
        Self::Rejected(error)
    }
}
