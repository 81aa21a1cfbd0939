//! Faults on purpose: what a test, or a workshop, wants to go wrong.
//!
//! Two kinds of rules: ours, which count calls and can end connections, and awsim-chaos's, which know shares, schedules
//! and outages that come and go. Ours come first.

mod file;
mod line;
mod words;

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

/// A rule of either kind.
#[derive(Debug, Clone)]
pub enum FaultRule {
    /// One of ours.
    Counted(Fault),
    /// One of awsim-chaos's.
    Chaos(Box<ChaosRule>),
}

/// One rule of ours. In a file, they are a JSON array:
/// `[{"service":"iam","operation":"CreateRole","about":"-build-role","times":2,"kind":"error","status":400,"code":"Throttling"}]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Fault {
    /// The service's signing name (`s3`, `iam`, `logs`, …), or `*`.
    #[serde(default = "any")]
    pub service: String,
    /// The operation's name, or `*`.
    #[serde(default = "any")]
    pub operation: String,
    /// Only calls in whose path or parameters this text is found; `?` stands for any one character.
    pub about: Option<String>,
    /// How many calls are let through first.
    #[serde(default)]
    pub skip: u64,
    /// How many calls it then happens to. Without it: all.
    pub times: Option<u64>,
    /// The share of those calls that it strikes, from 0 to 1. Without it: all.
    pub share: Option<f64>,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// What goes wrong.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// The call is answered with an error, and has no effect.
    Error {
        /// The HTTP status.
        status: u16,
        /// AWS's code.
        code: String,
        /// What it says.
        #[serde(default)]
        message: String,
    },
    /// The call is refused for coming too often, in its service's own words, and has no effect.
    Throttle,
    /// The service fails, in its own words, and the call has no effect.
    Failure,
    /// The call takes this much longer.
    Delay {
        /// Milliseconds.
        delay_ms: u64,
    },
    /// The call is never answered, and has no effect.
    Hang,
    /// The connection ends, and the call has no effect.
    DropBefore,
    /// The call has its effect; the connection ends before its answer.
    DropAfter,
}

fn any() -> String {
    "*".to_owned()
}

/// The rules, and how often each has met a call.
pub(crate) struct Faults {
    counted: Mutex<Counted>,
    chaos: ChaosEngine,
}

struct Counted {
    rules: Vec<(Fault, u64)>,
    dice: StdRng,
}

/// What becomes of a call.
pub(crate) enum FaultOutcome {
    /// It goes its way.
    Proceed,
    Fail(AwsError),
    Hang,
    DropConnection,
    /// It goes its way, but nobody hears of it.
    DropResponse,
}

impl Faults {
    /// `seed` is what shares are drawn from: the same seed and the same calls meet the same faults.
    pub(crate) fn new(rules: Vec<FaultRule>, seed: u64) -> Self {
        let chaos = ChaosEngine::new();
        let mut counted = Vec::new();
        for rule in rules {
            match rule {
                FaultRule::Counted(fault) => counted.push((fault, 0)),
                FaultRule::Chaos(rule) => chaos.add_rule(*rule),
            }
        }
        Self { counted: Mutex::new(Counted { rules: counted, dice: StdRng::seed_from_u64(seed) }), chaos }
    }

    /// Decides what becomes of a call; waits, if that is its fate. The first rule that strikes does.
    ///
    /// `subject` tells the call's path and parameters; it is asked only if a rule wants to know.
    pub(crate) async fn strike(
        &self,
        service: &str,
        operation: &str,
        subject: impl FnOnce() -> String,
    ) -> FaultOutcome {
        match self.decide(service, operation, subject) {
            None => self.strike_by_chance(service, operation).await,
            Some(FaultKind::Error { status, code, message }) => FaultOutcome::Fail(error(status, code, message)),
            Some(FaultKind::Throttle) => FaultOutcome::Fail(words::throttled(service)),
            Some(FaultKind::Failure) => FaultOutcome::Fail(words::failed(service)),
            Some(FaultKind::Delay { delay_ms }) => {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                FaultOutcome::Proceed
            }
            Some(FaultKind::Hang) => FaultOutcome::Hang,
            Some(FaultKind::DropBefore) => FaultOutcome::DropConnection,
            Some(FaultKind::DropAfter) => FaultOutcome::DropResponse,
        }
    }

    /// What awsim-chaos makes of a call that no rule of ours has struck.
    async fn strike_by_chance(&self, service: &str, operation: &str) -> FaultOutcome {
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
        let is = |pattern: &str, name: &str| pattern == "*" || pattern == name;
        let subject = std::cell::LazyCell::new(subject);
        let Counted { rules, dice } = &mut *lock(&self.counted);
        for (fault, met) in rules {
            if !is(&fault.service, service) || !is(&fault.operation, operation) {
                continue;
            }
            if fault.about.as_deref().is_some_and(|about| !is_found(about, &subject)) {
                continue;
            }
            *met += 1;
            let turn = met.saturating_sub(fault.skip);
            if turn > 0
                && fault.times.is_none_or(|times| turn <= times)
                && fault.share.is_none_or(|share| dice.random_range(0.0..1.0) < share)
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

/// Whether a text with `?` for any one character is in another.
fn is_found(wanted: &str, text: &str) -> bool {
    let (wanted, text) = (wanted.as_bytes(), text.as_bytes());
    let fits = |place: &[u8]| wanted.iter().zip(place).all(|(wanted, found)| *wanted == b'?' || wanted == found);
    wanted.is_empty() || text.windows(wanted.len()).any(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_skips_strikes_and_is_spent() {
        let text = r#"[{"service":"iam","operation":"CreateRole","skip":1,"times":2,"kind":"error","status":400,"code":"Throttling"},
                       {"service":"s3","kind":"drop_after"},
                       {"service":"logs","kind":"delay","delay_ms":5}]"#;
        let faults = Faults::new(file::parse(text.as_bytes()).unwrap(), 1);
        let struck: Vec<bool> = (0..5).map(|_| faults.decide("iam", "CreateRole", String::new).is_some()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert!(faults.decide("iam", "GetRole", String::new).is_none());
        assert!(matches!(faults.decide("s3", "PutObject", String::new), Some(FaultKind::DropAfter)));
        assert!(matches!(faults.decide("logs", "X", String::new), Some(FaultKind::Delay { delay_ms: 5 })));
    }

    #[test]
    fn a_share_strikes_some_calls_and_the_same_ones_each_time() {
        let rules = || file::parse(br#"[{"service":"s3","share":0.5,"kind":"throttle"}]"#).unwrap();
        let strikes = |faults: Faults| -> Vec<bool> {
            (0..100).map(|_| faults.decide("s3", "PutObject", String::new).is_some()).collect()
        };
        let struck = strikes(Faults::new(rules(), 7));
        assert!(struck.contains(&true) && struck.contains(&false));
        assert_eq!(struck, strikes(Faults::new(rules(), 7)));
    }

    #[tokio::test]
    async fn what_counts_calls_comes_before_what_goes_by_chance() {
        let text = br#"[
            {"service":{"kind":"exact","value":"iam"},"operation":{"kind":"any"},"probability":1.0,
             "effect":{"kind":"error","status":503,"code":"ServiceUnavailable","message":"Out."}},
            {"service":"iam","times":1,"kind":"throttle"}]"#;
        let faults = Faults::new(file::parse(text).unwrap(), 1);
        let mut codes = Vec::new();
        for _ in 0..2 {
            let FaultOutcome::Fail(error) = faults.strike("iam", "CreateRole", String::new).await else {
                panic!("it goes")
            };
            codes.push(error.code);
        }
        assert_eq!(codes, ["Throttling", "ServiceUnavailable"]);
        assert!(matches!(faults.strike("s3", "PutObject", String::new).await, FaultOutcome::Proceed));
    }

    #[test]
    fn a_rule_about_something_leaves_everything_else_alone() {
        let text = r#"[{"about":"thumbs-????????-source","times":1,"kind":"hang"}]"#;
        let faults = Faults::new(file::parse(text.as_bytes()).unwrap(), 1);
        let strikes = |subject: &str| faults.decide("s3", "CreateBucket", || subject.to_owned()).is_some();
        assert!(!strikes("/thumbs-0123abcd-build-source"));
        assert!(!strikes("/others-0123abcd-source"));
        assert!(strikes("/thumbs-0123abcd-source"), "calls about something else do not use the rule up");
        assert!(!strikes("/thumbs-0123abcd-source"));
    }
}
