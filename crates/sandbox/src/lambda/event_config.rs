//! A function's configuration of asynchronous events: retries and maximum age.

use std::time::Duration;

use awsim_core::AwsError;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::errors;
use super::function::{Function, LATEST};
use super::request::number;

/// Lambda's defaults: two retries, six hours.
const RETRIES: u32 = 2;
const AGE: u32 = 6 * 60 * 60;

/// The settings of PutFunctionEventInvokeConfig.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EventConfig {
    retries: Option<u32>,
    /// In seconds.
    age: Option<u32>,
    modified: DateTime<Utc>,
}

/// The effective limits of a function's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventLimits {
    pub retries: u32,
    pub age: Duration,
}

impl EventLimits {
    pub(crate) fn of(config: Option<&EventConfig>) -> Self {
        Self {
            retries: config.and_then(|config| config.retries).unwrap_or(RETRIES),
            age: Duration::from_secs(config.and_then(|config| config.age).unwrap_or(AGE).into()),
        }
    }
}

impl EventConfig {
    /// Reads a request; an update keeps the values of `before` that it does not set.
    pub(crate) fn read(input: &Value, before: Option<&Self>) -> Result<Self, AwsError> {
        let destination = |outcome: &str| input["DestinationConfig"][outcome]["Destination"].is_string();
        if destination("OnSuccess") || destination("OnFailure") {
            // Refused, since nothing would be sent there.
            return Err(errors::invalid_parameter("The sandbox has no destinations for the outcome of events."));
        }
        let retries = number(input, "MaximumRetryAttempts", "maximumRetryAttempts", 0, RETRIES)?;
        let age = number(input, "MaximumEventAgeInSeconds", "maximumEventAgeInSeconds", 60, AGE)?;
        if before.is_none() && retries.is_none() && age.is_none() && input["DestinationConfig"].is_null() {
            return Err(errors::invalid_parameter(
                "You must specify at least one error handling or destination setting.",
            ));
        }
        Ok(Self {
            retries: retries.or(before.and_then(|before| before.retries)),
            age: age.or(before.and_then(|before| before.age)),
            modified: Utc::now(),
        })
    }

    /// The API's form.
    pub(crate) fn view(&self, function: &Function, account: &str) -> Value {
        let mut view = json!({
            "FunctionArn": format!("{}:{LATEST}", function.id.arn(account)),
            "LastModified": self.modified.timestamp_millis() as f64 / 1000.0,
            "DestinationConfig": { "OnSuccess": {}, "OnFailure": {} },
        });
        if let Some(retries) = self.retries {
            view["MaximumRetryAttempts"] = json!(retries);
        }
        if let Some(age) = self.age {
            view["MaximumEventAgeInSeconds"] = json!(age);
        }
        view
    }
}

/// The error when nothing is set.
pub(crate) fn missing(function: &Function, account: &str) -> AwsError {
    errors::not_found(format!("The function {}:{LATEST} doesn't have an EventInvokeConfig", function.id.arn(account)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_values_use_lambda_defaults() {
        let limits = EventLimits::of(None);
        assert_eq!((limits.retries, limits.age), (2, Duration::from_secs(21_600)));
        let put = EventConfig::read(&json!({ "MaximumRetryAttempts": 0 }), None).unwrap();
        assert_eq!(EventLimits::of(Some(&put)).retries, 0);
        let updated = EventConfig::read(&json!({ "MaximumEventAgeInSeconds": 60 }), Some(&put)).unwrap();
        let limits = EventLimits::of(Some(&updated));
        assert_eq!((limits.retries, limits.age), (0, Duration::from_secs(60)));
    }

    #[test]
    fn out_of_range_values_and_destinations_are_refused() {
        let refused = |input: Value| EventConfig::read(&input, None).unwrap_err().code;
        assert_eq!(refused(json!({ "MaximumRetryAttempts": 3 })), "ValidationException");
        assert_eq!(refused(json!({ "MaximumEventAgeInSeconds": 59 })), "ValidationException");
        assert_eq!(refused(json!({})), "InvalidParameterValueException");
        let destination =
            json!({ "DestinationConfig": { "OnFailure": { "Destination": "arn:aws:sqs:us-east-1:1:q" } } });
        assert_eq!(refused(destination), "InvalidParameterValueException");
    }
}
