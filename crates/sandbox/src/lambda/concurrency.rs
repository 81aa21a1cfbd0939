//! Concurrent executions of functions and their reserved concurrency.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use awsim_core::AwsError;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::errors;
use super::names::FunctionId;
use crate::sync::lock;

/// The account's concurrency limit, and the part of it that cannot be reserved.
const ACCOUNT_LIMIT: u32 = 1000;
const UNRESERVED_AT_LEAST: u32 = 100;

/// The running events by function.
#[derive(Debug, Clone, Default)]
pub(crate) struct Concurrency {
    shared: Arc<ConcurrencyState>,
}

#[derive(Debug, Default)]
struct ConcurrencyState {
    working: Mutex<HashMap<FunctionId, u32>>,
    freed: Notify,
}

impl Concurrency {
    /// Admits one more event of a function, unless its reserved concurrency is reached.
    pub(crate) fn admit(&self, function: &FunctionId, reserved: Option<u32>) -> Option<ConcurrencyPermit> {
        let mut working = lock(&self.shared.working);
        let count = working.get(function).copied().unwrap_or(0);
        if reserved.is_some_and(|most| count >= most) {
            return None;
        }
        working.insert(function.clone(), count + 1);
        Some(ConcurrencyPermit { shared: self.shared.clone(), function: function.clone() })
    }

    /// Notifies of the end of any event.
    pub(crate) fn freed(&self) -> Notified<'_> {
        self.shared.freed.notified()
    }
}

/// A permit for one event; released when dropped.
#[derive(Debug)]
pub(crate) struct ConcurrencyPermit {
    shared: Arc<ConcurrencyState>,
    function: FunctionId,
}

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        let mut working = lock(&self.shared.working);
        if let Some(count) = working.get_mut(&self.function) {
            *count -= 1;
            if *count == 0 {
                working.remove(&self.function);
            }
        }
        drop(working);
        self.shared.freed.notify_waiters();
    }
}

/// The error for an invocation beyond the reserved concurrency.
pub(crate) fn too_many() -> AwsError {
    errors::too_many_requests("ReservedFunctionConcurrentInvocationLimitExceeded", "Rate Exceeded.")
}

/// Reads PutFunctionConcurrency's input; `others` is the concurrency reserved by the region's other functions.
pub(crate) fn reserved(input: &Value, others: u32) -> Result<u32, AwsError> {
    let value = &input["ReservedConcurrentExecutions"];
    let Some(count) = value.as_u64().and_then(|count| u32::try_from(count).ok()) else {
        return Err(errors::validation(format!(
            "1 validation error detected: Value '{value}' at 'reservedConcurrentExecutions' failed to satisfy constraint: \
             Member must have value greater than or equal to 0"
        )));
    };
    if count.saturating_add(others) > ACCOUNT_LIMIT - UNRESERVED_AT_LEAST {
        return Err(errors::invalid_parameter(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its \
             minimum value of [{UNRESERVED_AT_LEAST}]."
        )));
    }
    Ok(count)
}

/// The API's form of a reservation.
pub(crate) fn view(reserved: Option<u32>) -> Value {
    reserved.map_or_else(|| json!({}), |count| json!({ "ReservedConcurrentExecutions": count }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admission_stops_at_reserved_concurrency() {
        let concurrency = Concurrency::default();
        let id = FunctionId { region: "eu-central-1".to_owned(), name: "f".to_owned() };
        assert!(concurrency.admit(&id, Some(0)).is_none());
        let first = concurrency.admit(&id, Some(1)).unwrap();
        assert!(concurrency.admit(&id, Some(1)).is_none());
        assert!(concurrency.admit(&id, None).is_some());
        drop(first);
        assert!(concurrency.admit(&id, Some(1)).is_some());
    }

    #[test]
    fn reservation_leaves_unreserved_minimum() {
        assert_eq!(reserved(&json!({ "ReservedConcurrentExecutions": 0 }), 0).unwrap(), 0);
        assert_eq!(reserved(&json!({ "ReservedConcurrentExecutions": 900 }), 0).unwrap(), 900);
        assert_eq!(
            reserved(&json!({ "ReservedConcurrentExecutions": 1 }), 900).unwrap_err().code,
            "InvalidParameterValueException"
        );
        assert_eq!(reserved(&json!({}), 0).unwrap_err().code, "ValidationException");
    }
}
