//! Classifies a service's errors.

use super::ErrorKind;

/// Classifies by the service's code; by the HTTP status without one, as in the response to a HEAD.
pub(crate) fn classify(code: Option<&str>, status: u16, message: &str) -> ErrorKind {
    let text = message.to_lowercase();
    let code = code.unwrap_or_default();
    // Rule: a new role is rejected with the code of an invalid parameter; only the text
    // differs. For Lambda, KMS may also not see the role yet, when the environment's
    // variables are encrypted for it.
    // https://github.com/hashicorp/terraform-provider-aws/issues/14285 (role),
    // https://github.com/hashicorp/terraform-provider-aws/issues/4633 (KMS)
    let role_is_new = match code {
        "InvalidInputException" => text.contains("not authorized to perform: sts:assumerole"),
        "InvalidParameterValueException" => {
            text.contains("cannot be assumed by lambda") || text.contains("arn does not refer to a valid principal")
        }
        _ => false,
    };
    if role_is_new {
        return ErrorKind::RoleNotReady;
    }
    // Rule: Lambda uses ResourceConflictException both for an existing resource and for an operation in progress.
    // https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
    if code == "ResourceConflictException" {
        return if text.contains("already exist") || text.contains("provided already exists") {
            ErrorKind::AlreadyExists
        } else {
            ErrorKind::Conflict
        };
    }
    // Rule: new accounts have less memory and no builds at all; Lambda reports it as a validation error.
    // https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html,
    // https://github.com/rebuy-de/aws-nuke/issues/1209 (builds),
    // https://github.com/awslabs/genai-bedrock-agent-chatbot/issues/4 (memory)
    if text.contains("cannot have more than 0 builds")
        || (text.contains("memorysize") && text.contains("less than or equal to"))
    {
        return ErrorKind::LimitExceeded;
    }
    // Rule: S3 has a code of its own for a signature with a wrong time; elsewhere only the text differs.
    // https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (RequestTimeTooSkewed),
    // https://github.com/boto/botocore/issues/149 (the others' text)
    let signed_at_wrong_time = text.contains("signature expired")
        || text.contains("signature not yet current")
        || text.contains("request has expired")
        || text.contains("request is not yet valid");
    if signed_at_wrong_time {
        return ErrorKind::ClockSkewed;
    }
    match code {
        "NoSuchBucket"
        | "NoSuchKey"
        | "NoSuchUpload"
        | "NoSuchVersion"
        | "NoSuchTagSet"
        | "NoSuchEntity"
        | "NoSuchEntityException"
        | "NotFound"
        | "404"
        | "ResourceNotFoundException"
        | "RepositoryNotFoundException"
        | "RepositoryPolicyNotFoundException"
        | "ImageNotFoundException" => ErrorKind::NotFound,
        "BucketAlreadyOwnedByYou" => ErrorKind::AlreadyOwned,
        "BucketAlreadyExists"
        | "EntityAlreadyExists"
        | "EntityAlreadyExistsException"
        | "ResourceAlreadyExistsException"
        | "AlreadyExistsException"
        | "RepositoryAlreadyExistsException"
        | "ImageAlreadyExistsException" => ErrorKind::AlreadyExists,
        "AccessDenied"
        | "AccessDeniedException"
        | "AllAccessDisabled"
        | "AccountProblem"
        | "AuthorizationError"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "OptInRequired"
        | "SubscriptionRequiredException"
        | "AccountSuspendedException"
        | "403" => ErrorKind::Denied,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "PriorRequestNotComplete"
        | "TransactionInProgressException"
        | "ProvisionedThroughputExceededException"
        | "SlowDown" => ErrorKind::Throttled,
        "LimitExceeded"
        | "LimitExceededException"
        | "AccountLimitExceededException"
        | "ServiceQuotaExceededException"
        | "TooManyBuckets"
        | "TooManyTagsException"
        | "CodeStorageExceededException" => ErrorKind::LimitExceeded,
        "OperationAborted"
        | "ConditionalRequestConflict"
        | "BucketNotEmpty"
        | "InvalidBucketState"
        | "DeleteConflict"
        | "DeleteConflictException"
        | "ConcurrentModification"
        | "ConcurrentModificationException"
        | "EntityTemporarilyUnmodifiable"
        | "EntityTemporarilyUnmodifiableException"
        | "RepositoryNotEmptyException"
        | "ResourceInUseException"
        | "OperationAbortedException" => ErrorKind::Conflict,
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => ErrorKind::ExpiredCredentials,
        "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "UnrecognizedClient"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "InvalidToken"
        | "InvalidSecurity"
        | "AuthFailure" => ErrorKind::InvalidCredentials,
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => ErrorKind::ClockSkewed,
        "RequestTimeout" | "RequestTimeoutException" => ErrorKind::Timeout,
        "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "InternalServerException"
        | "ServiceException"
        | "ServerException"
        | "ServiceFailure"
        | "ServiceFailureException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => ErrorKind::Server,
        _ => match status {
            404 => ErrorKind::NotFound,
            401 => ErrorKind::InvalidCredentials,
            403 => ErrorKind::Denied,
            409 => ErrorKind::Conflict,
            408 | 504 => ErrorKind::Timeout,
            429 => ErrorKind::Throttled,
            300..=499 => ErrorKind::Invalid,
            500..=599 => ErrorKind::Server,
            _ => ErrorKind::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_role_differs_from_invalid_parameter() {
        let codebuild = "CodeBuild is not authorized to perform: sts:AssumeRole on \
                         arn:aws:iam::123456789012:role/thumbnails-1-build";
        let lambda = "The role defined for the function cannot be assumed by Lambda.";
        let kind = |code, message| classify(Some(code), 400, message);
        assert_eq!(kind("InvalidInputException", codebuild), ErrorKind::RoleNotReady);
        assert_eq!(kind("InvalidParameterValueException", lambda), ErrorKind::RoleNotReady);
        let kms = "Lambda was unable to configure access to your environment variables because the KMS key is \
                   invalid for CreateGrant. KMS Message: ARN does not refer to a valid principal.";
        assert_eq!(kind("InvalidParameterValueException", kms), ErrorKind::RoleNotReady);
        assert_eq!(kind("InvalidInputException", "Invalid project name"), ErrorKind::Invalid);
        assert_eq!(kind("InvalidParameterValueException", "Unsupported architecture"), ErrorKind::Invalid);
        // A caller who cannot assume a role is denied: waiting does not help.
        assert_eq!(kind("AccessDeniedException", codebuild), ErrorKind::Denied);
    }

    #[test]
    fn own_bucket_differs_from_another_owners() {
        let kind = |code| classify(Some(code), 409, "");
        assert_eq!(kind("BucketAlreadyOwnedByYou"), ErrorKind::AlreadyOwned);
        assert_eq!(kind("BucketAlreadyExists"), ErrorKind::AlreadyExists);
    }

    #[test]
    fn lambda_conflict_is_classified_by_its_text() {
        let kind = |message| classify(Some("ResourceConflictException"), 409, message);
        assert_eq!(kind("Function already exist: f"), ErrorKind::AlreadyExists);
        assert_eq!(
            kind(
                "The statement id (s3-invoke) provided already exists. Please provide a new statement id, \
                 or remove the existing statement."
            ),
            ErrorKind::AlreadyExists
        );
        assert_eq!(
            kind(
                "The operation cannot be performed at this time. The function is currently in the \
                 following state: Pending"
            ),
            ErrorKind::Conflict
        );
    }

    #[test]
    fn quotas_of_new_accounts_are_limits() {
        let kind = |code, message| classify(Some(code), 400, message);
        assert_eq!(
            kind("AccountLimitExceededException", "Cannot have more than 0 builds in queue for the account"),
            ErrorKind::LimitExceeded
        );
        assert_eq!(
            kind(
                "InvalidParameterValueException",
                "'MemorySize' value failed to satisfy constraint: Member must have value less than or \
                 equal to 3008"
            ),
            ErrorKind::LimitExceeded
        );
    }

    #[test]
    fn classify_separates_wrong_time_from_wrong_key() {
        let skewed = [
            ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
            ("RequestExpired", "Request has expired."),
            ("RequestInTheFuture", ""),
            ("InvalidSignatureException", "Signature expired: 20240101T000000Z is now earlier than 20240101T020000Z"),
            ("SignatureDoesNotMatch", "Signature not yet current: 20240101T020000Z is still later than …"),
            ("AccessDenied", "Request has expired"),
        ];
        for (code, message) in skewed {
            assert_eq!(classify(Some(code), 403, message), ErrorKind::ClockSkewed, "{code}: {message}");
        }
        let mismatch = "The request signature we calculated does not match the signature you provided.";
        assert_eq!(classify(Some("SignatureDoesNotMatch"), 403, mismatch), ErrorKind::InvalidCredentials);
        let expired = "The security token included in the request is expired";
        assert_eq!(classify(Some("ExpiredToken"), 403, expired), ErrorKind::ExpiredCredentials);
        assert_eq!(classify(Some("AccessDenied"), 403, "Access Denied"), ErrorKind::Denied);
    }

    #[test]
    fn every_throttling_code_is_throttling() {
        for code in
            ["ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown", "Throttling"]
        {
            assert_eq!(classify(Some(code), 400, ""), ErrorKind::Throttled, "{code}");
        }
    }

    #[test]
    fn unknown_code_is_classified_by_status() {
        for (status, kind) in [
            (400, ErrorKind::Invalid),
            (401, ErrorKind::InvalidCredentials),
            (403, ErrorKind::Denied),
            (404, ErrorKind::NotFound),
            (409, ErrorKind::Conflict),
            (429, ErrorKind::Throttled),
            (500, ErrorKind::Server),
            (504, ErrorKind::Timeout),
            (0, ErrorKind::Other),
        ] {
            assert_eq!(classify(Some("Strange"), status, ""), kind, "{status}");
            assert_eq!(classify(None, status, ""), kind, "{status}");
        }
    }
}
