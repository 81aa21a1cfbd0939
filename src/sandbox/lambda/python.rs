//! Lambda's Python runtimes, played by the machine's own Python.

use std::path::{Path, PathBuf};

use awsim_core::AwsError;
use tokio::process::Command;
use tokio::sync::OnceCell;

use super::errors;

/// What may be asked for. Whichever it is, the machine's Python runs it.
const RUNTIMES: [&str; 6] = ["python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14"];
/// What stands between the Runtime API and a handler.
const BOOTSTRAP: &str = include_str!("bootstrap.py");

/// Where the interpreter is, once it has been found.
static INTERPRETER: OnceCell<PathBuf> = OnceCell::const_new();

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

/// The machine's Python. The interpreter itself: what a version manager puts on the path needs an environment that
/// functions do not get.
pub(crate) async fn interpreter() -> Option<&'static Path> {
    let find = async || {
        let mut command = Command::new("python3");
        command.args(["-c", "import sys; print(sys.executable)"]).stdin(std::process::Stdio::null());
        let output = command.output().await.ok().filter(|output| output.status.success()).ok_or(())?;
        let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        if path.is_absolute() { Ok(path) } else { Err(()) }
    };
    INTERPRETER.get_or_try_init(find).await.ok().map(PathBuf::as_path)
}

/// Whether this machine runs Python functions.
pub async fn has_python() -> bool {
    interpreter().await.is_some()
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
