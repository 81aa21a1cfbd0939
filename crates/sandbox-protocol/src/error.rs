//! [`JoinError`]: why a sandbox cannot be joined or started.

use std::io;
use std::path::{Path, PathBuf};

use thumbctl_platform::private_fs::DirError;

/// Why a sandbox cannot be joined or started, with a hint.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Another process holds the data directory and does not respond.
    #[error("another sandbox holds {} but does not respond: find the process 'thumbctl sandbox' and stop it", .dir.display())]
    Stuck {
        /// The data directory.
        dir: PathBuf,
    },
    /// The data directory cannot be used.
    #[error("the sandbox cannot use its data directory {}: check its permissions and the disk's free space, or use another --data-dir or --state-dir", .dir.display())]
    Unwritable {
        /// The data directory.
        dir: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The data directory is not safe.
    #[error(transparent)]
    UnsafeDir(DirError),
    /// The program cannot be started.
    #[error("cannot start the sandbox: cannot run {}", .program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It exited at its start.
    #[error("the sandbox exited at its start: {last_line}")]
    Ended {
        /// The last line of its log.
        last_line: String,
    },
    /// It did not respond in time.
    #[error("the sandbox did not respond within {seconds} seconds of its start: see its log {}", .log.display())]
    Slow {
        /// The deadline.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
}

impl JoinError {
    pub(crate) fn unwritable(dir: &Path, source: io::Error) -> Self {
        Self::Unwritable { dir: dir.to_owned(), source }
    }
}

impl From<DirError> for JoinError {
    fn from(error: DirError) -> Self {
        match error {
            DirError::Io { dir, source } => Self::Unwritable { dir, source },
            unsafe_dir => Self::UnsafeDir(unsafe_dir),
        }
    }
}
