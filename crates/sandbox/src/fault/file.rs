//! Fault rules from a file: a JSON array of both kinds of rules.

use std::path::Path;

use awsim_chaos::ChaosRule;
use serde::de::Error as _;
use serde_json::Value;

use super::{Fault, FaultRule};

/// Why a fault file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FaultFileError {
    /// It cannot be read.
    #[error("the fault file {file} cannot be read")]
    Unreadable {
        /// The file.
        file: String,
        /// The cause.
        source: std::io::Error,
    },
    /// It is not an array of rules.
    #[error("the fault file {file} is not a JSON array of faults")]
    Malformed {
        /// The file.
        file: String,
        /// The cause.
        source: serde_json::Error,
    },
}

/// Reads a fault file.
///
/// # Errors
/// When it cannot be read, or is not an array of rules.
pub fn read_faults(file: &Path) -> Result<Vec<FaultRule>, FaultFileError> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|source| FaultFileError::Unreadable { file: name.clone(), source })?;
    parse(&bytes).map_err(|source| FaultFileError::Malformed { file: name, source })
}

pub(super) fn parse(bytes: &[u8]) -> Result<Vec<FaultRule>, serde_json::Error> {
    let rules: Vec<Value> = serde_json::from_slice(bytes)?;
    let numbered = rules.into_iter().enumerate();
    numbered.map(|(index, rule)| read(rule).map_err(|error| numbered_error(index, &error))).collect()
}

/// Reads a rule: with an `effect` it belongs to awsim-chaos, otherwise it is a counted one. The kinds are distinguished
/// first for precise errors.
fn read(rule: Value) -> Result<FaultRule, serde_json::Error> {
    if rule.get("effect").is_some() {
        let rule: ChaosRule = serde_json::from_value(rule)?;
        if !(0.0..=1.0).contains(&rule.probability) {
            return Err(serde_json::Error::custom("probability must be from 0 to 1"));
        }
        return Ok(FaultRule::Chaos(Box::new(rule)));
    }
    let fault: Fault = serde_json::from_value(rule)?;
    if fault.share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        return Err(serde_json::Error::custom("share must be from 0 to 1"));
    }
    Ok(FaultRule::Counted(fault))
}

fn numbered_error(index: usize, error: &serde_json::Error) -> serde_json::Error {
    serde_json::Error::custom(format!("rule {}: {error}", index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_names_the_malformed_rule() {
        for (text, expected) in [
            (r#"[{"kind":"hang"},{"kind":"explode"}]"#, "rule 2: unknown variant `explode`"),
            (r#"[{"share":2,"kind":"hang"}]"#, "rule 1: share must be from 0 to 1"),
            (
                r#"[{"service":{"kind":"any"},"operation":{"kind":"any"},"probability":7,"effect":{"kind":"latency","min_ms":1,"max_ms":2}}]"#,
                "rule 1: probability must be from 0 to 1",
            ),
            ("{}", "invalid type: map"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
