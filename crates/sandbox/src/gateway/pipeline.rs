//! The path of a call whose sender is known: latency, fault, authorization, service, state on disk.
//!
//! Every request takes the whole path ([`ServiceRegistry::run`]). A call that a service makes for its caller starts at the
//! authorization ([`ServiceRegistry::perform`]): it is part of a request, or of work with a latency of its own.

use awsim_core::AwsError;

use crate::fault::FaultOutcome;
use crate::gateway::Dropped;
use crate::operation::OperationInfo;
use crate::service_registry::ServiceRegistry;

impl ServiceRegistry {
    /// Runs an operation for a client. What `authorize` returns is passed to `serve`; only fault rules use `subject`, the
    /// call's path and parameters.
    pub(crate) async fn run<A, T, E, F>(
        &self,
        service: &str,
        operation: &OperationInfo,
        subject: impl FnOnce() -> String,
        authorize: impl FnOnce() -> Result<A, E>,
        serve: impl FnOnce(A) -> F,
    ) -> Result<Result<T, E>, Dropped>
    where
        E: From<AwsError>,
        F: Future<Output = Result<T, E>>,
    {
        self.latencies().wait_for_call(operation.latency).await;
        let lose_response = match self.faults().apply(service, operation.name, subject).await {
            FaultOutcome::Proceed => false,
            FaultOutcome::DropResponse => true,
            FaultOutcome::Fail(error) => return Ok(Err(error.into())),
            FaultOutcome::DropConnection => return Err(Dropped),
        };
        let result = self.perform(service, operation, authorize, serve).await;
        if lose_response { Err(Dropped) } else { Ok(result) }
    }

    /// Authorizes and runs an operation, and saves the service's state if the operation may have changed it. A change
    /// that cannot be saved fails.
    pub(crate) async fn perform<A, T, E, F>(
        &self,
        service: &str,
        operation: &OperationInfo,
        authorize: impl FnOnce() -> Result<A, E>,
        serve: impl FnOnce(A) -> F,
    ) -> Result<T, E>
    where
        E: From<AwsError>,
        F: Future<Output = Result<T, E>>,
    {
        let authorized = authorize()?;
        let result = serve(authorized).await;
        if operation.changes_state {
            let saved = self.persist(service);
            if result.is_ok() {
                saved?;
            }
        }
        result
    }
}
