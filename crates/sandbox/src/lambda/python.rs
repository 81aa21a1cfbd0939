//! Lambda's Python runtimes, played by the machine's own Python.

use std::path::Path;

use awsim_core::AwsError;

use super::errors;

/// What may be asked for. Whichever it is, the machine's Python runs it.
const RUNTIMES: [&str; 6] = ["python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14"];
/// What stands between the Runtime API and a handler.
const BOOTSTRAP: &str = include_str!("bootstrap.py");

/// Refuses runtimes that there are none of here.
pub(crate) fn check_runtime(name: &str) -> Result<(), AwsError> {
    if RUNTIMES.contains(&name) {
        return Ok(());
    }
    Err(errors::invalid_parameter(format!(
        "The sandbox has no runtime {name}: it runs container images, and zips with one of {}.",
        RUNTIMES.join(", ")
    )))
}

/// Why there is none.
pub(crate) fn missing() -> AwsError {
    errors::invalid_parameter(
        "The sandbox runs Python functions with the python3 of this machine, and there is none on its PATH. Install Python 3, \
         or make the function from a container image.",
    )
}

/// The command line of a function: no code is compiled into its directory, which is read-only on Lambda, and text is UTF-8
/// whatever the machine's locale is.
pub(crate) fn arguments(interpreter: &Path) -> Vec<String> {
    let interpreter = interpreter.to_string_lossy();
    // By its whole path: an interpreter finds its library from how it was called.
    [interpreter.as_ref(), "-X", "utf8", "-B", "-c", BOOTSTRAP].map(str::to_owned).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_runtimes_are_refused_and_the_refusal_names_what_there_is() {
        assert!(check_runtime("python3.13").is_ok());
        for other in ["python2.7", "python3.8", "nodejs22.x", "provided.al2023", ""] {
            let refused = check_runtime(other).unwrap_err();
            assert_eq!(refused.code, "InvalidParameterValueException");
            assert!(refused.message.contains("python3.9") && refused.message.contains("python3.14"));
        }
    }
}
