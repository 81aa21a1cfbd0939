//! Invoke: synchronous, asynchronous and dry run.

use std::sync::Arc;
use std::time::Duration;

use awsim_core::AwsError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::concurrency;
use super::errors;
use super::execution_environment::{Invocation, InvocationOutcome};
use super::function::{Function, FunctionState, LATEST};
use super::names::{FunctionId, FunctionReference};
use super::registry::Lambda;
use super::report::InvocationResult;

/// The largest event of a synchronous invocation.
const MAX_SYNC: usize = 6_291_456;
/// The largest event of an asynchronous invocation.
const MAX_ASYNC: usize = 1_048_576;

/// The invocation type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InvocationType {
    RequestResponse,
    Event,
    DryRun,
}

/// A parsed Invoke request.
#[derive(Debug)]
pub(crate) struct InvokeRequest {
    pub reference: FunctionReference,
    pub kind: Option<String>,
    pub log_type: Option<String>,
    pub payload: Vec<u8>,
}

impl Lambda {
    /// Handles Invoke. The response body is the function's; everything else is in headers.
    pub(crate) async fn invoke(self: &Arc<Self>, call: InvokeRequest) -> Result<Value, AwsError> {
        let kind = match call.kind.as_deref() {
            None | Some("RequestResponse") => InvocationType::RequestResponse,
            Some("Event") => InvocationType::Event,
            Some("DryRun") => InvocationType::DryRun,
            Some(other) => {
                return Err(errors::validation(format!(
                    "1 validation error detected: Value '{other}' at 'invocationType' failed to satisfy constraint: Member \
                     must satisfy enum value set: [Event, RequestResponse, DryRun]"
                )));
            }
        };
        let function = self.get(&call.reference)?;
        refuse_unless_active(&function)?;
        if kind == InvocationType::DryRun {
            return Ok(empty(204));
        }
        let limit = if kind == InvocationType::Event { MAX_ASYNC } else { MAX_SYNC };
        if call.payload.len() > limit {
            return Err(errors::too_large(format!(
                "Request must be smaller than {limit} bytes for the InvokeFunction operation"
            )));
        }
        // Without a payload the function gets an empty object.
        let payload = if call.payload.is_empty() { b"{}".to_vec() } else { call.payload };
        if let Err(cause) = serde_json::from_slice::<serde::de::IgnoredAny>(&payload) {
            return Err(errors::invalid_content(format!("Could not parse request body into json: {cause}")));
        }
        if kind == InvocationType::Event {
            self.accept(function.id, &payload, Duration::ZERO);
            return Ok(empty(202));
        }

        let permit =
            self.concurrency.admit(&function.id, function.reserved_concurrency).ok_or_else(concurrency::too_many)?;
        let request_id = uuid::Uuid::new_v4().to_string();
        let invocation = Invocation { request_id: request_id.clone(), payload: payload.into() };
        let (lambda, id) = (self.clone(), function.id.clone());
        // A separate task, so that a disconnecting caller does not end the invocation.
        let running = tokio::spawn(async move {
            let _permit = permit;
            lambda.run(&id, &invocation).await
        });
        let outcome = running.await.map_err(|cause| AwsError::server_error("ServiceException", cause.to_string()))?;
        if outcome.result == InvocationResult::Stopped && self.get(&call.reference).is_err() {
            return Err(errors::function_not_found(&function.id.arn(self.account())));
        }
        let (payload, is_error) = outcome.result.payload(&request_id);
        let mut headers = Map::new();
        headers.insert("X-Amz-Executed-Version".to_owned(), json!(LATEST));
        if is_error {
            headers.insert("X-Amz-Function-Error".to_owned(), json!("Unhandled"));
        }
        if call.log_type.as_deref() == Some("Tail") {
            headers.insert("X-Amz-Log-Result".to_owned(), json!(STANDARD.encode(&outcome.tail)));
        }
        Ok(json!({
            "__status_code": 200,
            "__headers": headers,
            "__content_type": "application/json",
            "__raw_body": STANDARD.encode(&payload),
        }))
    }

    pub(crate) async fn run(&self, id: &FunctionId, invocation: &Invocation) -> InvocationOutcome {
        self.pool.invoke(id, invocation, &|| self.runnable(id)).await
    }
}

/// Refuses invocations and changes of a function that is not active.
pub(crate) fn refuse_unless_active(function: &Function) -> Result<(), AwsError> {
    if function.state == FunctionState::Active {
        return Ok(());
    }
    Err(errors::conflict(format!(
        "The operation cannot be performed at this time. The function is currently in the following state: {:?}",
        function.state
    )))
}

/// A response without a body.
pub(crate) fn empty(status: u16) -> Value {
    json!({ "__status_code": status, "__raw_body": "", "__content_type": "application/json" })
}
