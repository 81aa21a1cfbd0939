//! The machine's Python interpreter, which runs the sandbox's Python functions.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::OnceCell;

/// The interpreter's path, once found.
static INTERPRETER: OnceCell<PathBuf> = OnceCell::const_new();

/// Finds the interpreter itself: a version manager's wrapper needs an environment that functions do not have.
pub async fn interpreter() -> Option<&'static Path> {
    let find = async || {
        let mut command = Command::new("python3");
        command.args(["-c", "import sys; print(sys.executable)"]).stdin(Stdio::null());
        let output = command.output().await.ok().filter(|output| output.status.success()).ok_or(())?;
        let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        if path.is_absolute() { Ok(path) } else { Err(()) }
    };
    INTERPRETER.get_or_try_init(find).await.ok().map(PathBuf::as_path)
}
