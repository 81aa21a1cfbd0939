//! The throttling and internal errors of each service.

use awsim_core::AwsError;

use super::error;

/// The throttling error.
pub(super) fn throttled(service: &str) -> AwsError {
    let (status, code, message) = match service {
        "s3" => (503, "SlowDown", "Please reduce your request rate."),
        "lambda" => (429, "TooManyRequestsException", "Rate Exceeded."),
        "registry" => (429, "TOOMANYREQUESTS", "Rate exceeded"),
        "iam" | "sts" | "cloudformation" => (400, "Throttling", "Rate exceeded"),
        _ => (400, "ThrottlingException", "Rate exceeded"),
    };
    error(status, code.to_owned(), message.to_owned())
}

/// The internal error.
pub(super) fn failed(service: &str) -> AwsError {
    let (code, message) = match service {
        "s3" => ("InternalError", "We encountered an internal error. Please try again."),
        "lambda" => ("ServiceException", "An error occurred and the request cannot be processed."),
        "iam" => {
            ("ServiceFailure", "The request processing has failed because of an unknown error, exception or failure.")
        }
        "ecr" => ("ServerException", "These errors are usually caused by a server-side issue."),
        "logs" => ("ServiceUnavailableException", "The service cannot complete the request."),
        _ => {
            ("InternalFailure", "The request processing has failed because of an unknown error, exception or failure.")
        }
    };
    error(500, code.to_owned(), message.to_owned())
}
