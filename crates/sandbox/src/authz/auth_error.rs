//! Why a request is not even looked at, in the words of the service that it was meant for.

use awsim_core::{AwsError, Protocol};

use crate::authz::access::Denied;
use crate::authz::signature::Distrust;

/// A key or its session that is not (or no longer) good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadKey {
    Unknown,
    /// The session token is missing or another key's.
    WrongToken,
    Expired,
}

/// The three families of clients: each has names of its own for the same thing.
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

/// The error for what policies do not allow. JSON over RPC answers 400 where the others answer 403.
pub(crate) fn of_denied(denied: &Denied, service: &str, protocol: Protocol) -> AwsError {
    match (family(service, protocol), protocol) {
        (Family::S3, _) => AwsError::forbidden("AccessDenied", denied.told("\"")),
        (Family::Query, _) => AwsError::forbidden("AccessDenied", denied.told("")),
        (Family::Json, Protocol::RestJson1) => AwsError::forbidden("AccessDeniedException", denied.told("")),
        (Family::Json, _) => AwsError::bad_request("AccessDeniedException", denied.told("")),
    }
}

/// The error for a signature that is not believed.
pub(crate) fn of_distrust(distrust: &Distrust, service: &str, protocol: Protocol) -> AwsError {
    use Family::{Json, Query, S3};
    let family = family(service, protocol);
    let mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
    match (distrust, family) {
        (Distrust::Missing, S3) => AwsError::forbidden("AccessDenied", "Access Denied"),
        (Distrust::Missing, Query) => {
            AwsError::forbidden("MissingAuthenticationToken", "Request is missing Authentication Token")
        }
        (Distrust::Missing, Json) => {
            AwsError::bad_request("MissingAuthenticationTokenException", "Missing Authentication Token")
        }
        (Distrust::Incomplete(why), S3) => AwsError::bad_request(
            "AuthorizationHeaderMalformed",
            format!("The authorization header is malformed; {why}."),
        ),
        (Distrust::BadParameter(why), S3) => AwsError::bad_request("AuthorizationQueryParametersError", *why),
        (Distrust::Incomplete(why) | Distrust::BadParameter(why), Query) => {
            AwsError::bad_request("IncompleteSignature", sentence(why))
        }
        (Distrust::Incomplete(why) | Distrust::BadParameter(why), Json) => {
            AwsError::bad_request("IncompleteSignatureException", sentence(why))
        }
        // Only S3 asks.
        (Distrust::HeaderNotSigned, _) => {
            AwsError::forbidden("AccessDenied", "There were headers present in the request which were not signed")
        }
        (Distrust::Mismatch, S3 | Query) => AwsError::forbidden("SignatureDoesNotMatch", mismatch),
        (Distrust::Mismatch, Json) => AwsError::forbidden("InvalidSignatureException", mismatch),
        (Distrust::Expired, S3) => AwsError::forbidden("AccessDenied", "Request has expired"),
        (Distrust::Skewed, S3) => AwsError::forbidden(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        (Distrust::Expired | Distrust::Skewed, Query) => {
            AwsError::forbidden("SignatureDoesNotMatch", "Signature expired: the request's time is too far from now")
        }
        (Distrust::Expired | Distrust::Skewed, Json) => AwsError::forbidden(
            "InvalidSignatureException",
            "Signature expired: the request's time is too far from now",
        ),
    }
}

fn sentence(why: &str) -> String {
    format!("{}.", why.trim_end_matches('.'))
}

/// The error for a key that is not good.
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
