//! Lambda: functions from container images and from Python zips, each run as a process that uses the Runtime API.
//!
//! ```text
//! operations, request, wire    the API: operations with their routes, request validation, payloads
//! registry, function, policy   the functions and their state
//! invoke, events, queue        synchronous and asynchronous invocations
//! concurrency, event_config    reserved concurrency, retries, maximum event age
//! pool, execution_environment, process   processes: pool, lifecycle, operating system
//! memory                       memory use and the memory limit
//! runtime_api, log_stream, report   the Runtime API, logs and the lines Lambda adds
//! source, code, downloads      fetching, storing and downloading code
//! images, unpack, package, rootfs   unpacked images and zips
//! python                       Python runtimes
//! internal_caller              calls to the sandbox's other services
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
mod permissions;
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

use awsim_core::Protocol;
use serde_json::Value;

use self::code::Code;
use self::internal_caller::{InternalCaller, SandboxCaller};
use self::leftovers::Leftovers;
use self::policy::Invoker;
use self::pool::PoolLimits;
use self::registry::Lambda;
use crate::ecr::ImageResolver;
use crate::latency::LatencySpan;
use crate::operation::{Operation, Service};
use crate::s3::S3;
use crate::service_registry::{BlobUser, FunctionInvoker, ServiceRegistry};

pub(crate) use self::internal_caller::SourceLayer;
pub(crate) use self::operations::PACKAGE_PATH;
pub(crate) use self::rootfs::trace;
pub(crate) use self::unpack::unpack as unpack_layers;
pub(crate) use self::wire::wrap_payload;

/// Kills the processes left by a killed sandbox with this data directory.
pub(crate) fn end_leftovers(data_dir: &std::path::Path) {
    Leftovers::of(&data_dir.join("lambda")).reap();
}

/// The Lambda service.
pub(crate) struct LambdaService {
    lambda: Arc<Lambda>,
}

impl LambdaService {
    /// Creates a service without functions.
    pub(crate) fn new(services: Arc<ServiceRegistry>, images: ImageResolver, s3: Arc<S3>) -> Self {
        Self::with_internal_caller(Arc::new(SandboxCaller::new(services, images, s3)), PoolLimits::default())
    }

    fn with_internal_caller(internal: Arc<dyn InternalCaller>, limits: PoolLimits) -> Self {
        Self { lambda: Lambda::new(internal, limits) }
    }

    /// Checks that the queued events of an earlier sandbox can be read.
    pub(crate) fn check_queue(&self) -> std::io::Result<()> {
        self.lambda.queue.unfinished().map(drop)
    }

    /// Kills the processes left by an earlier sandbox.
    pub(crate) fn clear_leftovers(&self) {
        self.lambda.pool.clear_leftovers();
    }

    /// Ends all processes. Queued events stay for the next sandbox.
    pub(crate) async fn shut_down(&self) {
        self.lambda.pool.shut_down().await;
    }
}

impl Service for LambdaService {
    const NAME: &'static str = "lambda";
    const PROTOCOL: Protocol = Protocol::RestJson1;
    const REFERENCE: &'static str = "https://docs.aws.amazon.com/lambda/latest/api/";
    const OPERATIONS: &'static [Operation<Self>] = operations::OPERATIONS;
    const UNSUPPORTED: &'static [(&'static str, &'static str, &'static str)] = unsupported_routes::ROUTES;

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

impl FunctionInvoker for LambdaService {
    fn may_invoke(&self, function_arn: &str, principal: &str, source_arn: &str, source_account: &str) -> bool {
        let invoker = Invoker { principal, source_arn, source_account };
        self.lambda.by_arn(function_arn).is_some_and(|function| function.policy.allows(invoker))
    }

    fn exists(&self, function_arn: &str) -> bool {
        self.lambda.by_arn(function_arn).is_some()
    }

    fn invoke_async(&self, function_arn: &str, payload: Value) {
        // The function may have been deleted since the event was sent.
        if let Some(function) = self.lambda.by_arn(function_arn) {
            let delay = self.lambda.internal.latencies().of(LatencySpan::EventDelivery);
            self.lambda.accept(function.id, payload.to_string().as_bytes(), delay);
        }
    }

    fn package(&self, token: &str) -> Option<PathBuf> {
        self.lambda.downloads.find(token).map(|sha256| self.lambda.internal.blob(&sha256))
    }
}
