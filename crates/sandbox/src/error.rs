//! [`SandboxError`]: why a sandbox cannot run, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use thumbctl_platform::terminal::{print_error, terminal_text};
use thumbctl_sandbox_protocol::DataDirError;

/// Why a sandbox cannot start, or cannot change its state.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The port is in use.
    #[error("port {port} is in use: choose another with --port, or a free one with --port 0")]
    PortBusy {
        /// The port.
        port: u16,
    },
    /// The port needs privileges.
    #[error("port {port} needs privileges: choose one above 1023 with --port, or a free one with --port 0")]
    PortForbidden {
        /// The port.
        port: u16,
    },
    /// The loopback address cannot be used.
    #[error("the sandbox cannot listen on the loopback address")]
    Socket(#[source] io::Error),
    /// Another sandbox serves the data directory.
    #[error("a sandbox already runs on {} (process {pid}, {url}): use it, end it, or choose another directory with --data-dir", .dir.display())]
    AlreadyRunning {
        /// The data directory.
        dir: PathBuf,
        /// Its URL.
        url: String,
        /// Its process id.
        pid: u32,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The state in the data directory is damaged.
    #[error("the sandbox's state in {} is damaged ({what}): move that directory away to start with an empty sandbox", .dir.display())]
    Damaged {
        /// The data directory.
        dir: PathBuf,
        /// The damage.
        what: String,
    },
    /// There is a link among the sandbox's own files.
    #[error(
        "{} is a symbolic link or a special file, which the sandbox does not use: remove it, or choose another directory with --data-dir or --state-dir",
        .path.display()
    )]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A service cannot read the state to load.
    #[error(
        "the state cannot be loaded, since {what}: the sandbox keeps its state; ask the author of the saved state for another"
    )]
    NotLoadable {
        /// What is damaged.
        what: String,
    },
    /// The state's files cannot be copied or replaced.
    #[error("the sandbox's state cannot be copied or replaced: check permissions and the disk's free space")]
    State(#[source] io::Error),
    /// The running sandbox rejected the change.
    #[error("the running sandbox rejected the change: {message}")]
    StateRefused {
        /// Its response.
        message: String,
    },
    /// The sandbox is shutting down.
    #[error("the sandbox is shutting down: try again")]
    ShuttingDown,
}

/// Logs an error that no caller receives to standard error. Ignores a failure to write, as on a full disk.
pub(crate) fn log_error(what: impl std::fmt::Display) {
    print_error(terminal_text!("sandbox: {}\n", what));
}

impl SandboxError {
    pub(crate) fn unwritable(dir: &Path, source: io::Error) -> Self {
        DataDirError::unwritable(dir, source).into()
    }
}
