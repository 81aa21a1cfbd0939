//! Invoke: at once, later, or only to see whether it could be; and the events that other services send.

use std::sync::Arc;

use awsim_core::AwsError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::Utc;
use serde_json::{Map, Value, json};

use super::errors;
use super::function::{Function, LATEST, State};
use super::instance::{Finished, Invocation};
use super::names::{FunctionId, Reference};
use super::queue::Queued;
use super::registry::Lambda;
use super::report::Ending;

/// The largest event of a synchronous invocation.
const MAX_SYNC: usize = 6_291_456;
/// The largest event of an asynchronous invocation.
const MAX_ASYNC: usize = 1_048_576;
/// How often an asynchronous event is tried again after the function has failed on it, and after how long. Lambda tries
/// twice, after one and two minutes. None yet: each try writes its lines into the log once more, and the issue on whole
/// services, which has the latencies too, says how long a try is put off in the sandbox.
const ASYNC_RETRIES: &[std::time::Duration] = &[];

/// How Invoke is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    RequestResponse,
    Event,
    DryRun,
}

/// One call of Invoke, apart from how it came over the wire.
#[derive(Debug)]
pub(crate) struct Call {
    pub reference: Reference,
    pub kind: Option<String>,
    pub log_type: Option<String>,
    pub payload: Vec<u8>,
}

impl Lambda {
    /// The operation Invoke. The answer's body is the function's, everything else is in headers.
    pub(crate) async fn invoke(self: &Arc<Self>, call: Call) -> Result<Value, AwsError> {
        let kind = match call.kind.as_deref() {
            None | Some("RequestResponse") => Kind::RequestResponse,
            Some("Event") => Kind::Event,
            Some("DryRun") => Kind::DryRun,
            Some(other) => {
                return Err(errors::validation(format!(
                    "1 validation error detected: Value '{other}' at 'invocationType' failed to satisfy constraint: Member \
                     must satisfy enum value set: [Event, RequestResponse, DryRun]"
                )));
            }
        };
        let function = self.get(&call.reference)?;
        refuse_unless_active(&function)?;
        if kind == Kind::DryRun {
            return Ok(empty(204));
        }
        let limit = if kind == Kind::Event {
            MAX_ASYNC
        } else {
            MAX_SYNC
        };
        if call.payload.len() > limit {
            return Err(errors::too_large(format!(
                "Request must be smaller than {limit} bytes for the InvokeFunction operation"
            )));
        }
        // No payload at all is an empty object to the function.
        let payload = if call.payload.is_empty() {
            b"{}".to_vec()
        } else {
            call.payload
        };
        if let Err(cause) = serde_json::from_slice::<serde::de::IgnoredAny>(&payload) {
            return Err(errors::invalid_content(format!(
                "Could not parse request body into json: {cause}"
            )));
        }
        if kind == Kind::Event {
            self.accept(function.id, payload);
            return Ok(empty(202));
        }

        let request_id = uuid::Uuid::new_v4().to_string();
        let invocation = Invocation {
            request_id: request_id.clone(),
            payload: payload.into(),
        };
        let (lambda, id) = (self.clone(), function.id.clone());
        // In a task of its own: a caller that hangs up does not end the invocation.
        let running = tokio::spawn(async move { lambda.run(&id, &invocation).await });
        let finished = running
            .await
            .map_err(|cause| AwsError::server_error("ServiceException", cause.to_string()))?;
        if finished.ending == Ending::Stopped && self.get(&call.reference).is_err() {
            return Err(errors::function_not_found(&function.id.arn(self.account())));
        }
        let (payload, is_error) = finished.ending.payload(&request_id);
        let mut headers = Map::new();
        headers.insert("X-Amz-Executed-Version".to_owned(), json!(LATEST));
        if is_error {
            headers.insert("X-Amz-Function-Error".to_owned(), json!("Unhandled"));
        }
        if call.log_type.as_deref() == Some("Tail") {
            headers.insert(
                "X-Amz-Log-Result".to_owned(),
                json!(STANDARD.encode(&finished.tail)),
            );
        }
        Ok(json!({
            "__status_code": 200,
            "__headers": headers,
            "__content_type": "application/json",
            "__raw_body": STANDARD.encode(&payload),
        }))
    }

    /// Queues an event, and returns at once. Accepted is kept: also over the end of the sandbox.
    pub(crate) fn accept(self: &Arc<Self>, function: FunctionId, payload: Vec<u8>) {
        let event = Queued {
            function,
            request_id: uuid::Uuid::new_v4().to_string(),
            accepted: Utc::now().timestamp_nanos_opt().unwrap_or_default(),
            payload: String::from_utf8_lossy(&payload).into_owned(),
        };
        self.queue.keep(&event);
        self.start_event(event);
    }

    /// Works on an accepted event, when the function is ready for it.
    pub(crate) fn start_event(self: &Arc<Self>, event: Queued) {
        let lambda = self.clone();
        tokio::spawn(async move {
            let invocation = Invocation {
                request_id: event.request_id,
                payload: Bytes::from(event.payload.into_bytes()),
            };
            let mut delays = ASYNC_RETRIES.iter();
            // An event for a function that is gone, or that has never become ready, is dropped, as Lambda does in the end.
            while lambda.settled(&event.function).await == Some(State::Active) {
                let finished = lambda.run(&event.function, &invocation).await;
                if finished.ending == Ending::Stopped
                    && lambda.functions().contains_key(&event.function)
                {
                    // The sandbox is going down: the next one works on it.
                    return;
                }
                match delays.next() {
                    Some(delay) if !matches!(finished.ending, Ending::Response(_)) => {
                        tokio::time::sleep(*delay).await
                    }
                    _ => break,
                }
            }
            lambda.queue.done(&invocation.request_id);
        });
    }

    async fn run(&self, id: &FunctionId, invocation: &Invocation) -> Finished {
        self.pool
            .invoke(id, invocation, &|| self.runnable(id))
            .await
    }
}

/// While a function is being made ready, it can neither be invoked nor changed.
pub(crate) fn refuse_unless_active(function: &Function) -> Result<(), AwsError> {
    if function.state == State::Active {
        return Ok(());
    }
    Err(errors::conflict(format!(
        "The operation cannot be performed at this time. The function is currently in the following state: {:?}",
        function.state
    )))
}

/// An answer without a body.
pub(crate) fn empty(status: u16) -> Value {
    json!({ "__status_code": status, "__raw_body": "", "__content_type": "application/json" })
}
