//! Lambda's Python runtimes, run by the machine's own Python.

use std::path::Path;

use awsim_core::AwsError;

use super::errors;

/// The accepted runtimes. The machine's Python runs all of them.
const RUNTIMES: [&str; 6] = ["python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14"];
/// The runtime client between the Runtime API and a handler.
const BOOTSTRAP: &str = include_str!("bootstrap.py");

/// Refuses runtimes that the sandbox does not have.
pub(crate) fn check_runtime(name: &str) -> Result<(), AwsError> {
    if RUNTIMES.contains(&name) {
        return Ok(());
    }
    Err(errors::invalid_parameter(format!(
        "The sandbox has no runtime {name}: it runs container images, and zips with one of {}.",
        RUNTIMES.join(", ")
    )))
}

/// The error when the machine has no Python.
pub(crate) fn missing() -> AwsError {
    errors::invalid_parameter(
        "The sandbox runs Python functions with this machine's python3, which is not on its PATH. Install Python 3, or use a \
        container image.",
    )
}

/// The command line of a function: no bytecode files, since the directory is read-only on Lambda, and UTF-8 in any
/// locale.
pub(crate) fn arguments(interpreter: &Path) -> Vec<String> {
    let interpreter = interpreter.to_string_lossy();
    // The full path, from which an interpreter finds its library.
    [interpreter.as_ref(), "-X", "utf8", "-B", "-c", BOOTSTRAP].map(str::to_owned).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_of_unknown_runtime_lists_known_ones() {
        assert!(check_runtime("python3.13").is_ok());
        for other in ["python2.7", "python3.8", "nodejs22.x", "provided.al2023", ""] {
            let refused = check_runtime(other).unwrap_err();
            assert_eq!(refused.code, "InvalidParameterValueException");
            assert!(refused.message.contains("python3.9") && refused.message.contains("python3.14"));
        }
    }
}
