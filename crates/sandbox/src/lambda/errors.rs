//! Lambda's errors, with its codes and messages.

use awsim_core::AwsError;
use http::StatusCode;

/// Adds Lambda's `Type` field, which separates user errors from service errors.
fn of_user(error: AwsError) -> AwsError {
    error.with_extra("Type", "User".into())
}

pub(crate) fn validation(message: impl Into<String>) -> AwsError {
    AwsError::validation(message)
}

pub(crate) fn invalid_parameter(message: impl Into<String>) -> AwsError {
    of_user(AwsError::bad_request("InvalidParameterValueException", message))
}

pub(crate) fn conflict(message: impl Into<String>) -> AwsError {
    of_user(AwsError::conflict("ResourceConflictException", message))
}

pub(crate) fn not_found(message: impl Into<String>) -> AwsError {
    of_user(AwsError::not_found("ResourceNotFoundException", message))
}

pub(crate) fn function_not_found(arn: &str) -> AwsError {
    not_found(format!("Function not found: {arn}"))
}

pub(crate) fn precondition_failed() -> AwsError {
    of_user(AwsError::precondition_failed(
        "PreconditionFailedException",
        "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias/GetPolicy API to \
         retrieve the latest RevisionId",
    ))
}

pub(crate) fn too_many_requests(reason: &str, message: &str) -> AwsError {
    let mut error = AwsError::bad_request("TooManyRequestsException", message).with_extra("Reason", reason.into());
    error.status = StatusCode::TOO_MANY_REQUESTS;
    of_user(error)
}

pub(crate) fn too_large(message: impl Into<String>) -> AwsError {
    let mut error = AwsError::bad_request("RequestEntityTooLargeException", message);
    error.status = StatusCode::PAYLOAD_TOO_LARGE;
    of_user(error)
}

pub(crate) fn invalid_content(message: impl Into<String>) -> AwsError {
    of_user(AwsError::bad_request("InvalidRequestContentException", message))
}
