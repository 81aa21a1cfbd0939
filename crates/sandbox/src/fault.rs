//! Fault injection, for tests and workshops.
//!
//! There are two kinds of rules: counted rules, which count calls and can drop connections, and those of awsim-chaos, which
//! have probabilities, schedules and outages. Counted rules apply first.

mod file;
mod line;
mod service_errors;

use std::sync::Mutex;
use std::time::Duration;

use awsim_chaos::{ChaosEngine, ChaosRule, ErrorEffect};
use awsim_core::AwsError;
use awsim_core::error::ErrorType;
use http::StatusCode;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;

pub use file::{FaultFileError, read_faults};
pub use line::FaultLineError;

use crate::sync::lock;

/// A fault rule.
#[derive(Debug, Clone)]
pub enum FaultRule {
    /// A counted rule.
    Counted(Fault),
    /// A rule of awsim-chaos.
    Chaos(Box<ChaosRule>),
}

/// A counted rule. A file holds a JSON array of rules:
/// `[{"service":"iam","operation":"CreateRole","about":"-build-role","times":2,"kind":"error","status":400,"code":"Throttling"}]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Fault {
    /// The service's signing name (`s3`, `iam`, `logs`, …), or `*`.
    #[serde(default = "any")]
    pub service: String,
    /// The operation's name, or `*`.
    #[serde(default = "any")]
    pub operation: String,
    /// Restricts the rule to calls whose path or parameters contain this text; `?` matches any character.
    pub about: Option<String>,
    /// The number of calls to skip first.
    #[serde(default)]
    pub skip: u64,
    /// The number of calls to affect after that; all if `None`.
    pub times: Option<u64>,
    /// The share of those calls to affect, from 0 to 1; all if `None`.
    pub share: Option<f64>,
    /// The fault.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// The kind of a fault.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// The call fails with this error and has no effect.
    Error {
        /// The HTTP status.
        status: u16,
        /// The error code.
        code: String,
        /// The error message.
        #[serde(default)]
        message: String,
    },
    /// The call fails with the service's throttling error and has no effect.
    Throttle,
    /// The call fails with the service's internal error and has no effect.
    Failure,
    /// The call is delayed.
    Delay {
        /// Milliseconds.
        delay_ms: u64,
    },
    /// The call gets no response and has no effect.
    Hang,
    /// The connection ends, and the call has no effect.
    DropBefore,
    /// The call has its effect; the connection ends before the response.
    DropAfter,
}

fn any() -> String {
    "*".to_owned()
}

/// The fault rules and their counters.
pub(crate) struct Faults {
    counted: Mutex<Counted>,
    chaos: ChaosEngine,
}

struct Counted {
    rules: Vec<(Fault, u64)>,
    rng: StdRng,
}

/// The outcome of the fault rules for a call.
pub(crate) enum FaultOutcome {
    /// The call proceeds.
    Proceed,
    Fail(AwsError),
    DropConnection,
    /// The call proceeds, and its response is dropped.
    DropResponse,
}

impl Faults {
    /// Creates the rules. The same `seed` and the same calls give the same faults.
    pub(crate) fn new(rules: Vec<FaultRule>, seed: u64) -> Self {
        let chaos = ChaosEngine::new();
        let mut counted = Vec::new();
        for rule in rules {
            match rule {
                FaultRule::Counted(fault) => counted.push((fault, 0)),
                FaultRule::Chaos(rule) => chaos.add_rule(*rule),
            }
        }
        Self { counted: Mutex::new(Counted { rules: counted, rng: StdRng::seed_from_u64(seed) }), chaos }
    }

    /// Applies the first rule that matches a call, and waits for its delay, or forever if the call hangs.
    ///
    /// `subject` returns the call's path and parameters; only rules with `about` use it.
    pub(crate) async fn apply(&self, service: &str, operation: &str, subject: impl FnOnce() -> String) -> FaultOutcome {
        match self.decide(service, operation, subject) {
            None => self.apply_chaos(service, operation).await,
            Some(FaultKind::Error { status, code, message }) => FaultOutcome::Fail(error(status, code, message)),
            Some(FaultKind::Throttle) => FaultOutcome::Fail(service_errors::throttled(service)),
            Some(FaultKind::Failure) => FaultOutcome::Fail(service_errors::failed(service)),
            Some(FaultKind::Delay { delay_ms }) => {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                FaultOutcome::Proceed
            }
            Some(FaultKind::Hang) => std::future::pending().await,
            Some(FaultKind::DropBefore) => FaultOutcome::DropConnection,
            Some(FaultKind::DropAfter) => FaultOutcome::DropResponse,
        }
    }

    /// Applies the rules of awsim-chaos.
    async fn apply_chaos(&self, service: &str, operation: &str) -> FaultOutcome {
        let Some(outcome) = self.chaos.evaluate(service, Some(operation)) else {
            return FaultOutcome::Proceed;
        };
        self.chaos.record_injection(&outcome.rule_id, service, Some(operation));
        if let Some(latency) = outcome.latency {
            tokio::time::sleep(latency).await;
        }
        match outcome.error {
            Some(ErrorEffect { status, code, message, .. }) => FaultOutcome::Fail(error(status, code, message)),
            None => FaultOutcome::Proceed,
        }
    }

    fn decide(&self, service: &str, operation: &str, subject: impl FnOnce() -> String) -> Option<FaultKind> {
        let matches = |pattern: &str, name: &str| pattern == "*" || pattern == name;
        let subject = std::cell::LazyCell::new(subject);
        let Counted { rules, rng } = &mut *lock(&self.counted);
        for (fault, count) in rules {
            if !matches(&fault.service, service) || !matches(&fault.operation, operation) {
                continue;
            }
            if fault.about.as_deref().is_some_and(|about| !contains_pattern(about, &subject)) {
                continue;
            }
            *count += 1;
            let turn = count.saturating_sub(fault.skip);
            if turn > 0
                && fault.times.is_none_or(|times| turn <= times)
                && fault.share.is_none_or(|share| rng.random_range(0.0..1.0) < share)
            {
                return Some(fault.kind.clone());
            }
        }
        None
    }
}

fn error(status: u16, code: String, message: String) -> AwsError {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let message = if message.is_empty() { "Injected by the sandbox.".to_owned() } else { message };
    let error_type = if status.is_server_error() { ErrorType::Receiver } else { ErrorType::Sender };
    AwsError { status, code, message, error_type, extras: None }
}

/// Whether `text` contains `pattern`, in which `?` matches any character.
fn contains_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let fits =
        |window: &[u8]| pattern.iter().zip(window).all(|(expected, found)| *expected == b'?' || expected == found);
    pattern.is_empty() || text.windows(pattern.len()).any(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_skips_calls_and_ends_after_its_times() {
        let text = r#"[{"service":"iam","operation":"CreateRole","skip":1,"times":2,"kind":"error","status":400,"code":"Throttling"},
                       {"service":"s3","kind":"drop_after"},
                       {"service":"logs","kind":"delay","delay_ms":5}]"#;
        let faults = Faults::new(file::parse(text.as_bytes()).unwrap(), 1);
        let affected: Vec<bool> = (0..5).map(|_| faults.decide("iam", "CreateRole", String::new).is_some()).collect();
        assert_eq!(affected, [false, true, true, false, false]);
        assert!(faults.decide("iam", "GetRole", String::new).is_none());
        assert!(matches!(faults.decide("s3", "PutObject", String::new), Some(FaultKind::DropAfter)));
        assert!(matches!(faults.decide("logs", "X", String::new), Some(FaultKind::Delay { delay_ms: 5 })));
    }

    #[test]
    fn share_affects_the_same_calls_each_time() {
        let rules = || file::parse(br#"[{"service":"s3","share":0.5,"kind":"throttle"}]"#).unwrap();
        let affected_by = |faults: Faults| -> Vec<bool> {
            (0..100).map(|_| faults.decide("s3", "PutObject", String::new).is_some()).collect()
        };
        let affected = affected_by(Faults::new(rules(), 7));
        assert!(affected.contains(&true) && affected.contains(&false));
        assert_eq!(affected, affected_by(Faults::new(rules(), 7)));
    }

    #[tokio::test]
    async fn counted_rules_apply_before_chaos_rules() {
        let text = br#"[
            {"service":{"kind":"exact","value":"iam"},"operation":{"kind":"any"},"probability":1.0,
             "effect":{"kind":"error","status":503,"code":"ServiceUnavailable","message":"Out."}},
            {"service":"iam","times":1,"kind":"throttle"}]"#;
        let faults = Faults::new(file::parse(text).unwrap(), 1);
        let mut codes = Vec::new();
        for _ in 0..2 {
            let FaultOutcome::Fail(error) = faults.apply("iam", "CreateRole", String::new).await else {
                panic!("the call proceeds")
            };
            codes.push(error.code);
        }
        assert_eq!(codes, ["Throttling", "ServiceUnavailable"]);
        assert!(matches!(faults.apply("s3", "PutObject", String::new).await, FaultOutcome::Proceed));
    }

    #[test]
    fn rule_with_subject_ignores_other_calls() {
        let text = r#"[{"about":"thumbs-????????-source","times":1,"kind":"hang"}]"#;
        let faults = Faults::new(file::parse(text.as_bytes()).unwrap(), 1);
        let affects = |subject: &str| faults.decide("s3", "CreateBucket", || subject.to_owned()).is_some();
        assert!(!affects("/thumbs-0123abcd-build-source"));
        assert!(!affects("/others-0123abcd-source"));
        assert!(affects("/thumbs-0123abcd-source"), "other calls do not count");
        assert!(!affects("/thumbs-0123abcd-source"));
    }
}
