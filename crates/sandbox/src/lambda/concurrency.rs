//! How many events of a function are worked on at once, and how many of them may be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use awsim_core::AwsError;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::errors;
use super::names::FunctionId;
use crate::sync::lock;

/// What an account has for all its functions, and what of it cannot be reserved.
const ACCOUNT_LIMIT: u32 = 1000;
const UNRESERVED_AT_LEAST: u32 = 100;

/// The events that are being worked on.
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
    /// Lets a function begin with one event more, unless it has reached what is reserved for it.
    pub(crate) fn admit(&self, function: &FunctionId, reserved: Option<u32>) -> Option<ConcurrencyPermit> {
        let mut working = lock(&self.shared.working);
        let count = working.get(function).copied().unwrap_or(0);
        if reserved.is_some_and(|most| count >= most) {
            return None;
        }
        working.insert(function.clone(), count + 1);
        Some(ConcurrencyPermit { shared: self.shared.clone(), function: function.clone() })
    }

    /// The end of an event, of whichever function.
    pub(crate) fn freed(&self) -> Notified<'_> {
        self.shared.freed.notified()
    }
}

/// One event that a function may work on; over when this is dropped.
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

/// Lambda's answer to a caller that wants more at once than is reserved.
pub(crate) fn too_many() -> AwsError {
    errors::too_many_requests("ReservedFunctionConcurrentInvocationLimitExceeded", "Rate Exceeded.")
}

/// What PutFunctionConcurrency is given; `others` is what other functions of the region have reserved.
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

/// How a reservation is shown.
pub(crate) fn view(reserved: Option<u32>) -> Value {
    reserved.map_or_else(|| json!({}), |count| json!({ "ReservedConcurrentExecutions": count }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_admitted_as_are_reserved() {
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
    fn some_must_be_left_to_the_others() {
        assert_eq!(reserved(&json!({ "ReservedConcurrentExecutions": 0 }), 0).unwrap(), 0);
        assert_eq!(reserved(&json!({ "ReservedConcurrentExecutions": 900 }), 0).unwrap(), 900);
        assert_eq!(
            reserved(&json!({ "ReservedConcurrentExecutions": 1 }), 900).unwrap_err().code,
            "InvalidParameterValueException"
        );
        assert_eq!(reserved(&json!({}), 0).unwrap_err().code, "ValidationException");
    }
}
