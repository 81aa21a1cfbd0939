//! Lambda: functions from container images and from zips with Python in them, each event worked on by a process that speaks the Runtime API.
//!
//! ```text
//! wire, operations, request    the API: routes, operations, what a request may say
//! registry, function, policy   the functions that there are
//! invoke, events, queue        events: at once or later
//! concurrency, event_config    how many at once, how often, how long
//! pool, instance, process      processes: how many, what one goes through, what the system knows of it
//! memory                       how much of it a process uses, and when that is too much
//! runtime_api, log_stream, report   what a process speaks to, and where its words go
//! source, code, downloads      where code comes from, what is kept of it, how it is given back
//! images, unpack, package, rootfs   images and zips as directories
//! python                       the machine's Python as Lambda's
//! house                        what Lambda asks of the rest of the sandbox
//! ```

mod code;
mod concurrency;
mod downloads;
mod errors;
mod event_config;
mod events;
mod execution_environment;
mod function;
mod images;
mod internal_caller;
mod invoke;
mod leftovers;
mod log_stream;
mod memory;
mod names;
mod operations;
mod package;
pub(crate) mod permissions;
mod policy;
mod pool;
mod process;
mod python;
mod queue;
mod registry;
mod report;
mod request;
mod rootfs;
mod runtime_api;
mod runtime_listener;
mod source;
mod unpack;
mod unsupported_routes;
mod wire;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use awsim_core::{AwsError, Protocol, RequestContext, RouteDefinition, ServiceHandler};
use serde_json::Value;

use self::code::Code;
use self::internal_caller::{InternalCaller, SandboxCaller};
use self::leftovers::Leftovers;
use self::operations::OperationRequest;
use self::policy::Invoker;
use self::pool::PoolLimits;
use self::registry::Lambda;
use crate::ecr::ImageResolver;
use crate::latency::Span;
use crate::s3::S3;
use crate::services::{BlobUser, Functions, Services};

pub(crate) use self::internal_caller::SourceLayer;
pub(crate) use self::operations::PACKAGE_PATH;
pub(crate) use self::rootfs::trace;
pub(crate) use self::unpack::unpack as unpack_layers;
pub(crate) use self::wire::wrap_payload;

/// Ends the processes that the killed sandbox of this data directory has left.
pub(crate) fn end_leftovers(data_dir: &std::path::Path) {
    Leftovers::of(&data_dir.join("lambda")).reap();
}

/// The Lambda service.
pub(crate) struct LambdaService {
    lambda: Arc<Lambda>,
}

impl LambdaService {
    /// A service without functions.
    pub(crate) fn new(services: Arc<Services>, images: ImageResolver, s3: Arc<S3>) -> Self {
        Self::with_internal_caller(Arc::new(SandboxCaller::new(services, images, s3)), PoolLimits::default())
    }

    fn with_internal_caller(internal: Arc<dyn InternalCaller>, limits: PoolLimits) -> Self {
        Self { lambda: Lambda::new(internal, limits) }
    }

    /// Checks that the events that an earlier sandbox has accepted and not finished can be read.
    pub(crate) fn check_queue(&self) -> std::io::Result<()> {
        self.lambda.queue.unfinished().map(drop)
    }

    /// Ends the processes that an earlier sandbox has left.
    pub(crate) fn clear_leftovers(&self) {
        self.lambda.pool.clear_leftovers();
    }

    /// Ends all processes. Events that were accepted and not finished are worked on by the next sandbox.
    pub(crate) async fn shut_down(&self) {
        self.lambda.pool.shut_down().await;
    }
}

#[async_trait]
impl ServiceHandler for LambdaService {
    fn service_name(&self) -> &str {
        "lambda"
    }

    fn protocol(&self) -> Protocol {
        Protocol::RestJson1
    }

    fn routes(&self) -> Vec<RouteDefinition> {
        wire::routes()
    }

    async fn handle(&self, operation: &str, input: Value, ctx: &RequestContext) -> Result<Value, AwsError> {
        OperationRequest { lambda: &self.lambda, input: &input, ctx }.answer(operation).await
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        self.lambda.snapshot()
    }

    fn restore(&self, data: &[u8]) -> Result<(), String> {
        self.lambda.restore(data).map_err(|cause| cause.to_string())
    }

    fn rehydrate(&self) -> Result<(), String> {
        self.lambda.resume();
        Ok(())
    }
}

impl BlobUser for LambdaService {
    fn blobs_in_use(&self) -> Vec<String> {
        let functions = self.lambda.functions();
        let zips = functions.values().filter_map(|function| match &function.code {
            Code::Zip(zip) => Some(zip.blob()),
            Code::Image(_) => None,
        });
        zips.collect()
    }
}

impl Functions for LambdaService {
    fn may_invoke(&self, function_arn: &str, principal: &str, source_arn: &str, source_account: &str) -> bool {
        let invoker = Invoker { principal, source_arn, source_account };
        self.lambda.by_arn(function_arn).is_some_and(|function| function.policy.allows(invoker))
    }

    fn exists(&self, function_arn: &str) -> bool {
        self.lambda.by_arn(function_arn).is_some()
    }

    fn invoke_async(&self, function_arn: &str, payload: Value) {
        // Gone since the event was sent: nobody is there to be told.
        if let Some(function) = self.lambda.by_arn(function_arn) {
            let delay = self.lambda.internal.latencies().of(Span::EventDelivery);
            self.lambda.accept(function.id, payload.to_string().as_bytes(), delay);
        }
    }

    fn package(&self, token: &str) -> Option<PathBuf> {
        self.lambda.downloads.find(token).map(|sha256| self.lambda.internal.blob(&sha256))
    }
}
