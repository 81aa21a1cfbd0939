//! Calls to the sandbox's services with the permissions of the stack's caller. All calls of CloudFormation are here.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use awsim_core::{AwsError, RequestContext};
use axum::body::Body;
use http::request::Parts;
use http::{Method, Request};
use serde_json::Value;

use super::{HandlerContext, HandlerError};
use crate::account::ACCOUNT;
use crate::authz::signature::Payload;
use crate::fault::FaultOutcome;
use crate::gateway::chunked::Incoming;
use crate::latency::LatencySpan;
use crate::s3::{self, Authorizer, S3Error, S3Result, Target};

/// The most attempts of a failed call.
const ATTEMPTS: u32 = 5;

/// The error code of a call without a response.
const UNANSWERED: &str = "NetworkFailure";

/// The region of IAM, which is global.
const IAM_REGION: &str = "us-east-1";

/// A failed call.
#[derive(Debug)]
pub(in crate::cloudformation) struct Failure {
    service: &'static str,
    pub code: String,
    pub message: String,
    status: u16,
    /// Whether the handler failed, and not the service.
    own: bool,
    /// Whether the handler was stopped during a wait.
    stopped: bool,
}

impl Failure {
    fn of(service: &'static str, error: AwsError) -> Self {
        Self::new(service, error.status.as_u16(), error.code, error.message)
    }

    fn of_s3(error: S3Error) -> Self {
        Self::new("s3", error.status.as_u16(), error.code, error.message)
    }

    fn new(service: &'static str, status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { service, code: code.into(), message: message.into(), status, own: false, stopped: false }
    }

    /// A failure of the handler itself, before any call.
    pub(super) fn unsupported(message: String) -> Self {
        Self { own: true, ..Self::new("", 501, "NotImplemented", message) }
    }

    /// A conflict found by the handler before the creation.
    pub(super) fn there_already(service: &'static str, message: String) -> Self {
        Self::new(service, 409, "AlreadyExists", message)
    }

    /// The handler was stopped.
    fn stopped() -> Self {
        Self { stopped: true, ..Self::new("", 0, "Stopped", "") }
    }

    fn unanswered(service: &'static str) -> Self {
        Self { own: true, ..Self::new(service, 500, UNANSWERED, "The connection ended without an answer.") }
    }

    /// Whether a retry may succeed.
    fn is_passing(&self) -> bool {
        self.is_throttling() || (self.status >= 500 && self.status != 501)
    }

    fn is_throttling(&self) -> bool {
        let code = self.code.as_str();
        ["Throttl", "TooManyRequests", "RequestLimitExceeded"].iter().any(|words| code.contains(words))
            || code == "SlowDown"
    }

    /// Whether the resource does not exist.
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

    /// Whether a role cannot be assumed, as a new one before its propagation.
    fn is_about_a_new_role(&self) -> bool {
        self.message.contains("sts:AssumeRole") || self.message.contains("cannot be assumed by Lambda")
    }

    /// The handler error code of CloudFormation.
    fn handler_code(&self) -> &'static str {
        match self.code.as_str() {
            code if code.contains("AlreadyExists") || code.contains("AlreadyOwned") => "AlreadyExists",
            "ResourceConflictException" => "AlreadyExists",
            code if code.contains("AccessDenied") => "AccessDenied",
            _ if self.is_throttling() => "Throttling",
            UNANSWERED => UNANSWERED,
            code if code.contains("LimitExceeded") => "ServiceLimitExceeded",
            "NotImplemented" => "InvalidRequest",
            _ if self.is_missing() => "NotFound",
            _ if self.status >= 500 => "ServiceInternalError",
            "RepositoryNotEmptyException" | "BucketNotEmpty" => "GeneralServiceException",
            _ => "InvalidRequest",
        }
    }
}

impl From<Failure> for HandlerError {
    fn from(failure: Failure) -> Self {
        if failure.stopped {
            return Self::Stopped;
        }
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
        let cause = if failure.own {
            failure.message.clone()
        } else {
            format!(
                "{} (Service: {name}, Status Code: {}, Request ID: {})",
                failure.message,
                failure.status,
                uuid::Uuid::new_v4()
            )
        };
        Self::Failed(format!(
            "Resource handler returned message: \"{cause}\" (RequestToken: {token}, HandlerErrorCode: {})",
            failure.handler_code()
        ))
    }
}

impl HandlerContext<'_> {
    /// Calls a service, with retries after growing delays.
    pub(super) async fn call(&self, service: &'static str, operation: &str, input: Value) -> Result<Value, Failure> {
        let mut tries = 0;
        loop {
            match self.call_once(service, operation, input.clone()).await {
                Err(failure) => self.wait_to_call_again(failure, &mut tries).await?,
                answer => return answer,
            }
        }
    }

    /// Waits before a retry. Fails if a retry is useless or the attempts are used up.
    async fn wait_to_call_again(&self, failure: Failure, tries: &mut u32) -> Result<(), Failure> {
        *tries += 1;
        if !failure.is_passing() || *tries == ATTEMPTS {
            return Err(failure);
        }
        let growing = self.services.latencies().of(LatencySpan::StackRetry) * 2u32.pow(*tries - 1);
        self.pause(growing).await
    }

    /// Waits until a duration has passed or the handler is stopped.
    async fn pause(&self, pause: Duration) -> Result<(), Failure> {
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.stop.cancel.cancelled() => Err(Failure::stopped()),
        }
    }

    /// Applies the injected faults to a call.
    async fn inject_faults(&self, service: &'static str, operation: &str, subject: &str) -> Result<(), Failure> {
        // A call that has started is finished; none is started any more.
        if self.stop.halt.is_cancelled() {
            return Err(Failure::stopped());
        }
        let outcome = tokio::select! {
            biased;
            outcome = self.services.faults().apply(service, operation, || subject.to_owned()) => outcome,
            () = self.stop.cancel.cancelled() => return Err(Failure::stopped()),
        };
        match outcome {
            // A dropped response has no effect on internal calls.
            FaultOutcome::Proceed | FaultOutcome::DropResponse => Ok(()),
            FaultOutcome::Fail(error) => Err(Failure::of(service, error)),
            FaultOutcome::DropConnection => Err(Failure::unanswered(service)),
        }
    }

    /// The response of an internal call; nothing if it fails.
    pub(super) async fn look(&self, service: &'static str, operation: &str, input: Value) -> Option<Value> {
        let region = if service == "iam" { IAM_REGION } else { self.region };
        self.services.call(service, region, operation, input).await.ok()
    }

    /// Whether an internal call succeeds.
    pub(super) async fn has(&self, service: &'static str, operation: &str, input: Value) -> bool {
        self.look(service, operation, input).await.is_some()
    }

    async fn call_once(&self, service: &'static str, operation: &str, input: Value) -> Result<Value, Failure> {
        self.inject_faults(service, operation, &format!("/ {input}")).await?;
        let region = if service == "iam" { IAM_REGION } else { self.region };
        let result = match self.access_key {
            Some(key) => self.services.call_as(key, service, region, operation, input).await,
            None => self.services.call(service, region, operation, input).await,
        };
        result.map_err(|error| Failure::of(service, error))
    }

    /// Calls a service that assumes a role, with retries while a new role propagates.
    pub(super) async fn call_with_role(
        &self,
        service: &'static str,
        operation: &str,
        input: Value,
    ) -> Result<Value, Failure> {
        let latencies = self.services.latencies();
        // Without a propagation delay a retry is useless.
        let timeout = if latencies.of(LatencySpan::RolePropagation).is_zero() {
            Duration::ZERO
        } else {
            latencies.scaled(Duration::from_secs(60))
        };
        let deadline = Instant::now() + timeout;
        loop {
            match self.call(service, operation, input.clone()).await {
                Err(failure) if failure.is_about_a_new_role() && Instant::now() < deadline => {
                    self.pause(latencies.scaled(Duration::from_secs(1))).await?;
                }
                answer => return answer,
            }
        }
    }

    /// Calls S3; `query` is such as `?tagging`, or empty for the bucket itself.
    pub(super) async fn call_s3(
        &self,
        method: Method,
        bucket: &str,
        query: &str,
        body: String,
    ) -> Result<String, Failure> {
        let mut tries = 0;
        loop {
            match self.call_s3_once(method.clone(), bucket, query, body.clone()).await {
                Err(failure) => self.wait_to_call_again(failure, &mut tries).await?,
                answer => return answer,
            }
        }
    }

    async fn s3_request(&self, method: Method, bucket: &str, query: &str) -> Result<(Target, Parts), Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/{bucket}{query}"))
            .body(())
            .map_err(|cause| Failure::of_s3(S3Error::new(400, "InvalidBucketName", cause.to_string())))?;
        let (parts, ()) = request.into_parts();
        let target = Target::read(&parts).map_err(Failure::of_s3)?;
        self.inject_faults("s3", target.operation.info.name, parts.uri.path()).await?;
        Ok((target, parts))
    }

    async fn call_s3_once(&self, method: Method, bucket: &str, query: &str, body: String) -> Result<String, Failure> {
        let (target, parts) = self.s3_request(method, bucket, query).await?;
        let key = self.access_key.unwrap_or_default();
        let holder = self.services.access().and_then(|access| access.holder(key));
        let operation = target.operation.info;
        let authorize = || {
            let authorizer = self.authorizer(&target, &parts)?;
            Ok(s3::Call {
                target,
                parts,
                body: Incoming::Plain(Body::from(body)),
                payload: Payload::Unsigned,
                region: self.region.to_owned(),
                principal: holder.map_or_else(|| ACCOUNT.to_owned(), |(caller, _)| caller.id()),
                authorizer,
                request_id: uuid::Uuid::new_v4().to_string(),
            })
        };
        let result = self.services.perform("s3", &operation, authorize, |call| self.s3.call(call)).await;
        result.map_err(Failure::of_s3)
    }

    fn authorizer(&self, target: &Target, parts: &Parts) -> S3Result<Authorizer> {
        let access = self.services.access().ok_or_else(|| AwsError::internal("the access control is not set"))?;
        let mut context = RequestContext::new_with_account("s3", self.region, ACCOUNT);
        context.access_key = Some(self.access_key.unwrap_or_else(|| access.root_key()).to_owned());
        self.s3.authorize(access, context, target, parts)
    }

    /// Sets a bucket's tags, including system tags.
    pub(super) async fn tag_bucket(&self, bucket: &str, tags: &BTreeMap<String, String>) -> Result<(), Failure> {
        let mut tries = 0;
        loop {
            match self.tag_bucket_once(bucket, tags).await {
                Err(failure) => self.wait_to_call_again(failure, &mut tries).await?,
                answer => return answer,
            }
        }
    }

    async fn tag_bucket_once(&self, bucket: &str, tags: &BTreeMap<String, String>) -> Result<(), Failure> {
        let (target, parts) = self.s3_request(Method::PUT, bucket, "?tagging").await?;
        let authorize = || if tags.is_empty() { Ok(()) } else { self.authorizer(&target, &parts).map(drop) };
        let serve = |()| std::future::ready(self.s3.tag_bucket(bucket, tags));
        self.services.perform("s3", &target.operation.info, authorize, serve).await.map_err(Failure::of_s3)
    }
}
