//! Faults on purpose: what a test, or a workshop, wants to go wrong.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use awsim_core::AwsError;
use awsim_core::error::ErrorType;
use http::StatusCode;
use serde::Deserialize;

use super::services::lock;

/// One rule. In a file, they are a JSON array:
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

/// Why a file of faults cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FaultFileError {
    /// It cannot be read.
    #[error("the faults' file {file} cannot be read")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("the faults' file {file} is not a JSON array of faults")]
    Malformed {
        /// The file.
        file: String,
        /// Why.
        source: serde_json::Error,
    },
}

/// Reads a file of faults.
pub fn read_faults(file: &Path) -> Result<Vec<Fault>, FaultFileError> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|source| FaultFileError::Unreadable { file: name.clone(), source })?;
    serde_json::from_slice(&bytes).map_err(|source| FaultFileError::Malformed { file: name, source })
}

/// The rules, and how often each has met a call.
pub(crate) struct Faults(Mutex<Vec<(Fault, u64)>>);

/// What becomes of a call.
pub(crate) enum Fate {
    /// It goes its way.
    Goes,
    Fails(AwsError),
    Hangs,
    Dropped,
    /// It goes its way, but nobody hears of it.
    Unheard,
}

impl Faults {
    pub(crate) fn new(faults: Vec<Fault>) -> Self {
        Self(Mutex::new(faults.into_iter().map(|fault| (fault, 0)).collect()))
    }

    /// Decides what becomes of a call; waits, if that is its fate. The first rule that strikes does.
    ///
    /// `subject` tells the call's path and parameters; it is asked only if a rule wants to know.
    pub(crate) async fn strike(&self, service: &str, operation: &str, subject: impl FnOnce() -> String) -> Fate {
        match self.decide(service, operation, subject) {
            None => Fate::Goes,
            Some(FaultKind::Error { status, code, message }) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let message = if message.is_empty() { "Injected by the sandbox.".to_owned() } else { message };
                let error_type = if status.is_server_error() { ErrorType::Receiver } else { ErrorType::Sender };
                Fate::Fails(AwsError { status, code, message, error_type, extras: None })
            }
            Some(FaultKind::Delay { delay_ms }) => {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                Fate::Goes
            }
            Some(FaultKind::Hang) => Fate::Hangs,
            Some(FaultKind::DropBefore) => Fate::Dropped,
            Some(FaultKind::DropAfter) => Fate::Unheard,
        }
    }

    fn decide(&self, service: &str, operation: &str, subject: impl FnOnce() -> String) -> Option<FaultKind> {
        let is = |pattern: &str, name: &str| pattern == "*" || pattern == name;
        let subject = std::cell::LazyCell::new(subject);
        for (fault, met) in lock(&self.0).iter_mut() {
            if !is(&fault.service, service) || !is(&fault.operation, operation) {
                continue;
            }
            if fault.about.as_deref().is_some_and(|about| !is_found(about, &subject)) {
                continue;
            }
            *met += 1;
            let turn = met.saturating_sub(fault.skip);
            if turn > 0 && fault.times.is_none_or(|times| turn <= times) {
                return Some(fault.kind.clone());
            }
        }
        None
    }
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
        let faults = Faults::new(serde_json::from_str(text).unwrap());
        let struck: Vec<bool> = (0..5).map(|_| faults.decide("iam", "CreateRole", String::new).is_some()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert!(faults.decide("iam", "GetRole", String::new).is_none());
        assert!(matches!(faults.decide("s3", "PutObject", String::new), Some(FaultKind::DropAfter)));
        assert!(matches!(faults.decide("logs", "X", String::new), Some(FaultKind::Delay { delay_ms: 5 })));
    }

    #[test]
    fn a_rule_about_something_leaves_everything_else_alone() {
        let text = r#"[{"about":"thumbs-????????-source","times":1,"kind":"hang"}]"#;
        let faults = Faults::new(serde_json::from_str(text).unwrap());
        let strikes = |subject: &str| faults.decide("s3", "CreateBucket", || subject.to_owned()).is_some();
        assert!(!strikes("/thumbs-0123abcd-build-source"));
        assert!(!strikes("/others-0123abcd-source"));
        assert!(strikes("/thumbs-0123abcd-source"), "calls about something else do not use the rule up");
        assert!(!strikes("/thumbs-0123abcd-source"));
    }
}
