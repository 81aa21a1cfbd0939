//! Calls to the sandbox's services, with the rights of who works on the stack. All of CloudFormation's calls go through
//! here.

use awsim_core::{AwsError, RequestContext};
use axum::body::Body;
use http::Request;
use http::request::Parts;
use serde_json::Value;

use super::{Refused, Workplace};
use crate::sandbox::chunked::Incoming;
use crate::sandbox::permissions;
use crate::sandbox::s3::{self, Permit, S3Error, Target};
use crate::sandbox::services::ACCOUNT;
use crate::sandbox::signature::Payload;

/// IAM is the same everywhere.
const IAM_REGION: &str = "us-east-1";

/// What a service has refused.
#[derive(Debug)]
pub(super) struct Failure {
    service: &'static str,
    pub code: String,
    pub message: String,
    status: u16,
    /// The property that the service would not heed.
    unheeded: bool,
}

impl Failure {
    fn of(service: &'static str, error: AwsError) -> Self {
        Self { service, code: error.code, message: error.message, status: error.status.as_u16(), unheeded: false }
    }

    fn of_s3(error: S3Error) -> Self {
        Self { service: "s3", code: error.code, message: error.message, status: error.status.as_u16(), unheeded: false }
    }

    /// A refusal of the handler itself, before any call.
    pub(super) fn unheeded(message: String) -> Self {
        Self { service: "", code: "NotImplemented".to_owned(), message, status: 501, unheeded: true }
    }

    /// Whether what was asked for is not there.
    pub(super) fn is_missing(&self) -> bool {
        self.status == 404
            || matches!(
                self.code.as_str(),
                "NoSuchEntity"
                    | "NoSuchEntityException"
                    | "ResourceNotFoundException"
                    | "RepositoryNotFoundException"
                    | "NoSuchBucket"
            )
    }

    /// Whether a role cannot be assumed, as one that was made a moment ago cannot.
    fn is_about_a_new_role(&self) -> bool {
        self.message.contains("sts:AssumeRole") || self.message.contains("cannot be assumed by Lambda")
    }

    /// The class that CloudFormation's handlers put an error in.
    fn handler_code(&self) -> &'static str {
        match self.code.as_str() {
            code if code.contains("AlreadyExists") || code.contains("AlreadyOwned") => "AlreadyExists",
            "ResourceConflictException" => "AlreadyExists",
            code if code.contains("AccessDenied") => "AccessDenied",
            code if code.contains("Throttling") || code.contains("TooManyRequests") || code == "SlowDown" => {
                "Throttling"
            }
            code if code.contains("LimitExceeded") => "ServiceLimitExceeded",
            "NotImplemented" => "InvalidRequest",
            _ if self.is_missing() => "NotFound",
            _ if self.status >= 500 => "ServiceInternalError",
            "RepositoryNotEmptyException" | "BucketNotEmpty" => "GeneralServiceException",
            _ => "InvalidRequest",
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        let token = uuid::Uuid::new_v4();
        let name = match failure.service {
            "iam" => "Iam",
            "s3" => "S3",
            "ecr" => "Ecr",
            "lambda" => "Lambda",
            "codebuild" => "CodeBuild",
            "logs" => "CloudWatchLogs",
            other => other,
        };
        let cause = if failure.unheeded {
            failure.message.clone()
        } else {
            format!(
                "{} (Service: {name}, Status Code: {}, Request ID: {})",
                failure.message,
                failure.status,
                uuid::Uuid::new_v4()
            )
        };
        Self(format!(
            "Resource handler returned message: \"{cause}\" (RequestToken: {token}, HandlerErrorCode: {})",
            failure.handler_code()
        ))
    }
}

impl Workplace<'_> {
    fn context(&self, service: &str, region: &str) -> RequestContext {
        let mut context = RequestContext::new_with_account(service, region, ACCOUNT);
        context.access_key = self.access_key.map(str::to_owned);
        context
    }

    /// Calls a service.
    pub(super) async fn call(&self, service: &'static str, operation: &str, input: Value) -> Result<Value, Failure> {
        let region = if service == "iam" { IAM_REGION } else { self.region };
        if self.access_key.is_some()
            && let Some(access) = self.services.access()
        {
            let context = self.context(service, region);
            for need in permissions::of_call(service, operation, &input, &context, access.iam()) {
                access
                    .check(&context, &need)
                    .map_err(|denied| Failure::of(service, AwsError::forbidden("AccessDenied", denied.told(""))))?;
            }
        }
        self.services.call(service, region, operation, input).await.map_err(|error| Failure::of(service, error))
    }

    /// Calls a service that has to assume a role: one that was made a moment ago is not known everywhere yet.
    pub(super) async fn call_with_role(
        &self,
        service: &'static str,
        operation: &str,
        input: Value,
    ) -> Result<Value, Failure> {
        use crate::sandbox::latency::Span;
        use std::time::{Duration, Instant};
        let latencies = self.services.latencies();
        // Where roles are known at once, one that cannot be assumed never can.
        let patience = if latencies.of(Span::RolePropagation).is_zero() {
            Duration::ZERO
        } else {
            latencies.scaled(Duration::from_secs(60))
        };
        let deadline = Instant::now() + patience;
        loop {
            match self.call(service, operation, input.clone()).await {
                Err(failure) if failure.is_about_a_new_role() && Instant::now() < deadline => {
                    tokio::time::sleep(latencies.scaled(Duration::from_secs(1))).await;
                }
                answer => return answer,
            }
        }
    }

    /// Calls S3: `query` such as `?tagging`, or nothing for the bucket itself.
    pub(super) async fn call_s3(
        &self,
        method: http::Method,
        bucket: &str,
        query: &str,
        body: String,
    ) -> Result<String, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/{bucket}{query}"))
            .body(())
            .map_err(|cause| Failure::of_s3(S3Error::new(400, "InvalidBucketName", cause.to_string())))?;
        let (parts, ()) = request.into_parts();
        let target = Target::read(&parts).map_err(Failure::of_s3)?;
        let permit = self.permit(&target, &parts)?;
        let key = self.access_key.unwrap_or_default();
        let holder = self.services.access().and_then(|access| access.holder(key));
        let call = s3::Call {
            target,
            parts,
            body: Incoming::Plain(Body::from(body)),
            payload: Payload::Unsigned,
            region: self.region.to_owned(),
            principal: holder.map_or_else(|| ACCOUNT.to_owned(), |(caller, _)| caller.id()),
            permit,
            request_id: uuid::Uuid::new_v4().to_string(),
        };
        self.s3.answer(call).await.map_err(Failure::of_s3)
    }

    fn permit(&self, target: &Target, parts: &Parts) -> Result<Permit, Failure> {
        let access =
            self.services.access().ok_or_else(|| Failure::of("s3", AwsError::internal("nobody has access yet")))?;
        let mut context = self.context("s3", self.region);
        if context.access_key.is_none() {
            context.access_key = Some(access.root_key().to_owned());
        }
        let permit = Permit::new(access.clone(), context, self.s3.policy(&target.bucket));
        for need in permissions::of_s3(target, parts) {
            permit.check(&need).map_err(Failure::of_s3)?;
        }
        Ok(permit)
    }
}

impl Workplace<'_> {
    /// Whether there is such a bucket already.
    pub(super) fn has_bucket(&self, name: &str) -> bool {
        self.s3.has_bucket(name)
    }

    /// Sets a bucket's tags, CloudFormation's own included, which no one else may set.
    pub(super) fn tag_bucket(
        &self,
        bucket: &str,
        tags: &std::collections::BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let request = Request::builder().method("PUT").uri(format!("/{bucket}?tagging")).body(());
        let (parts, ()) = request
            .map_err(|cause| Failure::of_s3(S3Error::new(400, "InvalidBucketName", cause.to_string())))?
            .into_parts();
        let target = Target::read(&parts).map_err(Failure::of_s3)?;
        if !tags.is_empty() {
            self.permit(&target, &parts)?;
        }
        self.s3.tag_bucket(bucket, tags).map_err(Failure::of_s3)
    }
}
