//! [`Operation`]: an entry of a service's table of operations, in which each operation is declared once.

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use awsim_core::protocol::RouteDefinition;
use awsim_core::{AccountRegionStore, AwsError, Protocol, RequestContext};
use awsim_iam::state::IamState;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::authz::permission::RequiredPermission;
use crate::latency::CallLatency;

/// What the pipeline needs to know of an operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OperationInfo {
    /// The name on AWS.
    pub name: &'static str,
    /// Whether it may change the service's state, which is saved before the response.
    pub changes_state: bool,
    /// The time that a call takes on AWS.
    pub latency: CallLatency,
}

/// A call of an operation.
#[derive(Clone, Copy)]
pub(crate) struct ApiCall<'a> {
    pub operation: &'static str,
    pub input: &'a Value,
    pub context: &'a RequestContext,
}

impl ApiCall<'_> {
    /// The permission for the action of the operation's name on a resource.
    pub(crate) fn permission(&self, resource: impl Into<String>) -> RequiredPermission {
        RequiredPermission::new(format!("{}:{}", self.context.service, self.operation), resource)
    }
}

/// The state of IAM, which holds the paths of roles and users.
pub(crate) type IamStore = AccountRegionStore<IamState>;

/// Returns the permissions that a call requires.
pub(crate) type Requirements = fn(&ApiCall<'_>, &IamStore) -> Vec<RequiredPermission>;

/// The result of an operation.
pub(crate) type ApiResult = Result<Value, AwsError>;

/// Runs an operation of the service `S`.
pub(crate) enum Handler<S: 'static> {
    Sync(fn(&S, &ApiCall<'_>) -> ApiResult),
    Async(for<'a> fn(&'a S, ApiCall<'a>) -> BoxFuture<'a, ApiResult>),
}

/// The handler that runs an asynchronous method of the service.
macro_rules! boxed {
    ($($method:ident).+) => { Async(|service, call| futures::FutureExt::boxed(service.$($method).+(call))) };
}
pub(crate) use boxed;

/// An operation of the service `S`.
pub(crate) struct Operation<S: 'static> {
    pub info: OperationInfo,
    requires: Requirements,
    handler: Handler<S>,
    /// The method and paths of an operation that the request does not name.
    route: (&'static str, &'static [&'static str]),
    /// The page that documents it, if the API reference has none.
    page: Option<&'static str>,
}

impl<S> Operation<S> {
    /// An operation that only reads.
    pub(crate) const fn read(
        name: &'static str,
        latency: CallLatency,
        requires: Requirements,
        handler: Handler<S>,
    ) -> Self {
        let info = OperationInfo { name, changes_state: false, latency };
        Self { info, requires, handler, route: ("", &[]), page: None }
    }

    /// An operation that may change the service's state.
    pub(crate) const fn write(
        name: &'static str,
        latency: CallLatency,
        requires: Requirements,
        handler: Handler<S>,
    ) -> Self {
        let mut operation = Self::read(name, latency, requires, handler);
        operation.info.changes_state = true;
        operation
    }

    /// Sets the method and the paths by which requests name the operation.
    pub(crate) const fn at(mut self, method: &'static str, paths: &'static [&'static str]) -> Self {
        self.route = (method, paths);
        self
    }

    /// Sets the page that documents the operation.
    pub(crate) const fn documented_at(mut self, page: &'static str) -> Self {
        self.page = Some(page);
        self
    }
}

/// A service whose requests and responses are JSON values.
pub(crate) trait Service: Send + Sync + Sized + 'static {
    /// The name in signatures, policies and snapshots.
    const NAME: &'static str;
    /// The protocol of requests that do not show theirs.
    const PROTOCOL: Protocol;
    /// AWS's API reference, with a page `API_<operation>.html` for each operation.
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers and tests"))]
    const REFERENCE: &'static str;
    /// The operations. The first with a matching route is taken.
    const OPERATIONS: &'static [Operation<Self>];
    /// Method, path and name of operations that the service does not have.
    const UNSUPPORTED: &'static [(&'static str, &'static str, &'static str)] = &[];

    /// Converts a result to the form that the protocol requires.
    fn present(result: Value) -> Value {
        result
    }

    /// The state to save; nothing if it is unchanged or saved elsewhere.
    fn snapshot(&self) -> Option<Vec<u8>> {
        None
    }

    /// Restores a saved state.
    fn restore(&self, _data: &[u8]) -> Result<(), String> {
        Ok(())
    }

    /// Resumes interrupted work, once all services are restored.
    fn rehydrate(&self) -> Result<(), String> {
        Ok(())
    }
}

/// The routes of a service in awsim's form.
pub(crate) fn routes<S: Service>() -> Vec<RouteDefinition> {
    let supported = S::OPERATIONS.iter().flat_map(|Operation { info, route: (method, paths), .. }| {
        paths.iter().map(|path| (*method, *path, info.name))
    });
    let routes = supported.chain(S::UNSUPPORTED.iter().copied());
    routes
        .map(|(method, path_pattern, operation)| RouteDefinition {
            method,
            path_pattern,
            operation,
            required_query_param: None,
        })
        .collect()
}

/// A [`Service`] of any type.
#[async_trait]
pub(crate) trait AnyService: Send + Sync {
    fn name(&self) -> &'static str;
    fn protocol(&self) -> Protocol;
    fn routes(&self) -> Vec<RouteDefinition>;
    /// Finds an operation and the permissions it requires.
    fn find(&self, operation: &str) -> Option<(OperationInfo, Requirements)>;
    /// Runs an operation.
    async fn handle(&self, operation: &str, input: &Value, context: &RequestContext) -> ApiResult;
    fn save_state(&self) -> Option<Vec<u8>>;
    fn restore_state(&self, data: &[u8]) -> Result<(), String>;
    fn resume(&self) -> Result<(), String>;
}

#[async_trait]
impl<S: Service> AnyService for S {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn protocol(&self) -> Protocol {
        S::PROTOCOL
    }

    fn routes(&self) -> Vec<RouteDefinition> {
        routes::<S>()
    }

    fn find(&self, operation: &str) -> Option<(OperationInfo, Requirements)> {
        S::OPERATIONS.iter().find(|it| it.info.name == operation).map(|it| (it.info, it.requires))
    }

    async fn handle(&self, operation: &str, input: &Value, context: &RequestContext) -> ApiResult {
        let found = S::OPERATIONS.iter().find(|it| it.info.name == operation);
        let Operation { info, handler, .. } = found.ok_or_else(|| AwsError::unknown_operation(operation))?;
        let call = ApiCall { operation: info.name, input, context };
        let result = match handler {
            Handler::Sync(run) => run(self, &call),
            Handler::Async(run) => run(self, call).await,
        };
        result.map(S::present)
    }

    fn save_state(&self) -> Option<Vec<u8>> {
        self.snapshot()
    }

    fn restore_state(&self, data: &[u8]) -> Result<(), String> {
        self.restore(data)
    }

    fn resume(&self) -> Result<(), String> {
        self.rehydrate()
    }
}
