//! Why there is no sandbox: each a sentence that says what to do.

use std::io;
use std::path::{Path, PathBuf};

use thumbctl_platform::private_fs::DirError;
use thumbctl_platform::terminal::{print_error, terminal_text};
use thumbctl_sandbox_protocol::JoinError;

/// Why a sandbox cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The port is taken.
    #[error("port {port} is in use: choose another with --port, or any that is free with --port 0")]
    PortBusy {
        /// The port.
        port: u16,
    },
    /// The port is not for everyone.
    #[error("port {port} is not allowed to you: choose one above 1023 with --port, or any that is free with --port 0")]
    PortForbidden {
        /// The port.
        port: u16,
    },
    /// There is no socket to listen on.
    #[error("the sandbox cannot listen on the loopback address")]
    Socket(#[source] io::Error),
    /// Another serves the same data.
    #[error("a sandbox is running already on {} (process {pid}, {url}): use that one, end it, or choose another directory with --data-dir", .dir.display())]
    AlreadyRunning {
        /// The data directory.
        dir: PathBuf,
        /// Where it answers.
        url: String,
        /// Its process.
        pid: u32,
    },
    /// Another holds the directory, and does not answer.
    #[error("another sandbox holds {} but does not answer: look for a process called 'thumbctl sandbox' and end it", .dir.display())]
    Unresponsive {
        /// The data directory.
        dir: PathBuf,
    },
    /// The data directory cannot be used.
    #[error("the sandbox cannot use its data directory {}: check its permissions and the disk's free space, or choose another with --data-dir or --state-dir", .dir.display())]
    Unwritable {
        /// The data directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is in the data directory cannot be understood.
    #[error("the sandbox's state in {} is damaged ({what}): move that directory away to start with an empty sandbox", .dir.display())]
    Damaged {
        /// The data directory.
        dir: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The data directory is not safe to keep state in.
    #[error(transparent)]
    UnsafeDir(#[from] DirError),
    /// There is a link where the sandbox keeps files of its own.
    #[error(
        "{} is a symbolic link or a special file, and the sandbox follows none in its data directory: remove it, or choose another directory with --data-dir or --state-dir",
        .path.display()
    )]
    Link {
        /// What is there.
        path: PathBuf,
    },
    /// A service cannot read its part of a state that is to be loaded.
    #[error(
        "the state cannot be loaded, since {what}: the sandbox keeps the state it has; ask the author of the saved state for another"
    )]
    NotLoadable {
        /// What cannot be read.
        what: String,
    },
    /// The state's files cannot be copied or replaced.
    #[error("the sandbox's state cannot be copied or replaced: check permissions and the disk's free space")]
    State(#[source] io::Error),
    /// The sandbox that runs did not do it.
    #[error("the sandbox that is running refused: {message}")]
    StateRefused {
        /// What it said.
        message: String,
    },
    /// It is about to end.
    #[error("the sandbox is just ending: try again")]
    ShuttingDown,
    /// The running sandbox cannot be joined.
    #[error(transparent)]
    Join(#[from] JoinError),
}

/// Says on standard error, which is the sandbox's log, what no caller hears of. Where not even that can be written, as on
/// a full disk, the sandbox goes on.
pub(crate) fn log_error(what: impl std::fmt::Display) {
    print_error(terminal_text!("sandbox: {}\n", what));
}

impl SandboxError {
    pub(crate) fn unwritable(dir: &Path, source: io::Error) -> Self {
        Self::Unwritable { dir: dir.to_owned(), source }
    }
}
