//! AWS's errors for rejected signatures, keys and permissions, in the form of each service.

use awsim_core::{AwsError, Protocol};

use crate::authz::access_control::AccessDenied;
use crate::authz::signature_error::SignatureError;

/// Why an access key or its session is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadKey {
    Unknown,
    /// The session token is missing or belongs to another key.
    WrongToken,
    Expired,
}

/// The families of services by their error codes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    S3,
    Query,
    Json,
}

fn family(service: &str, protocol: Protocol) -> Family {
    match protocol {
        _ if service == "s3" => Family::S3,
        Protocol::AwsQuery | Protocol::Ec2Query => Family::Query,
        _ => Family::Json,
    }
}

/// The error for a denied action: status 400 for JSON over RPC, 403 otherwise.
pub(crate) fn of_access_denied(denied: &AccessDenied, service: &str, protocol: Protocol) -> AwsError {
    match (family(service, protocol), protocol) {
        (Family::S3, _) => AwsError::forbidden("AccessDenied", denied.message("\"")),
        (Family::Query, _) => AwsError::forbidden("AccessDenied", denied.message("")),
        (Family::Json, Protocol::RestJson1) => AwsError::forbidden("AccessDeniedException", denied.message("")),
        (Family::Json, _) => AwsError::bad_request("AccessDeniedException", denied.message("")),
    }
}

/// The error for a rejected signature.
pub(crate) fn of_signature_error(error: &SignatureError, service: &str, protocol: Protocol) -> AwsError {
    use Family::{Json, Query, S3};
    let family = family(service, protocol);
    let mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
    match (error, family) {
        (SignatureError::Missing, S3) => AwsError::forbidden("AccessDenied", "Access Denied"),
        (SignatureError::Missing, Query) => {
            AwsError::forbidden("MissingAuthenticationToken", "Request is missing Authentication Token")
        }
        (SignatureError::Missing, Json) => {
            AwsError::bad_request("MissingAuthenticationTokenException", "Missing Authentication Token")
        }
        (SignatureError::Incomplete(why), S3) => AwsError::bad_request(
            "AuthorizationHeaderMalformed",
            format!("The authorization header is malformed; {why}."),
        ),
        (SignatureError::BadParameter(why), S3) => AwsError::bad_request("AuthorizationQueryParametersError", *why),
        (SignatureError::Incomplete(why) | SignatureError::BadParameter(why), Query) => {
            AwsError::bad_request("IncompleteSignature", sentence(why))
        }
        (SignatureError::Incomplete(why) | SignatureError::BadParameter(why), Json) => {
            AwsError::bad_request("IncompleteSignatureException", sentence(why))
        }
        // Only S3 checks this.
        (SignatureError::HeaderNotSigned, _) => {
            AwsError::forbidden("AccessDenied", "There were headers present in the request which were not signed")
        }
        (SignatureError::Mismatch, S3 | Query) => AwsError::forbidden("SignatureDoesNotMatch", mismatch),
        (SignatureError::Mismatch, Json) => AwsError::forbidden("InvalidSignatureException", mismatch),
        (SignatureError::Expired, S3) => AwsError::forbidden("AccessDenied", "Request has expired"),
        (SignatureError::Skewed, S3) => AwsError::forbidden(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        (SignatureError::Expired | SignatureError::Skewed, Query) => {
            AwsError::forbidden("SignatureDoesNotMatch", "Signature expired: the request's time is too far from now")
        }
        (SignatureError::Expired | SignatureError::Skewed, Json) => AwsError::forbidden(
            "InvalidSignatureException",
            "Signature expired: the request's time is too far from now",
        ),
    }
}

fn sentence(why: &str) -> String {
    format!("{}.", why.trim_end_matches('.'))
}

/// The error for a rejected key.
pub(crate) fn of_key(bad: BadKey, service: &str, protocol: Protocol) -> AwsError {
    use Family::{Json, Query, S3};
    let invalid = "The security token included in the request is invalid.";
    match (bad, family(service, protocol)) {
        (BadKey::Unknown, S3) => AwsError::forbidden(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
        (BadKey::WrongToken, S3) => {
            AwsError::bad_request("InvalidToken", "The provided token is malformed or otherwise invalid.")
        }
        (BadKey::Expired, S3) => AwsError::bad_request("ExpiredToken", "The provided token has expired."),
        (BadKey::Unknown | BadKey::WrongToken, Query) => AwsError::forbidden("InvalidClientTokenId", invalid),
        (BadKey::Unknown | BadKey::WrongToken, Json) => AwsError::bad_request("UnrecognizedClientException", invalid),
        (BadKey::Expired, Query) => {
            AwsError::forbidden("ExpiredToken", "The security token included in the request is expired")
        }
        (BadKey::Expired, Json) => {
            AwsError::bad_request("ExpiredTokenException", "The security token included in the request is expired")
        }
    }
}
