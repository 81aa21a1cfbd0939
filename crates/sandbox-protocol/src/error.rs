//! [`DataDirError`] and [`JoinError`]: why a data directory cannot be used, and why a sandbox cannot be joined or started.

use std::io;
use std::path::{Path, PathBuf};

use thumbctl_platform::private_fs::DirError;

/// Why the data directory of a sandbox cannot be used, for the sandbox and its users alike, with a hint.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process holds it and does not respond.
    #[error("another sandbox holds {} but does not respond: find the process 'thumbctl sandbox' and stop it", .dir.display())]
    Unresponsive {
        /// The data directory.
        dir: PathBuf,
    },
    /// It cannot be read or written.
    #[error("the sandbox cannot use its data directory {}: check its permissions and the disk's free space, or use another --data-dir or --state-dir", .dir.display())]
    Unwritable {
        /// The data directory.
        dir: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It is not safe: others can write to it.
    #[error(transparent)]
    Unsafe(DirError),
}

impl DataDirError {
    /// The error for a directory that cannot be read or written.
    pub fn unwritable(dir: &Path, source: io::Error) -> Self {
        Self::Unwritable { dir: dir.to_owned(), source }
    }
}

impl From<DirError> for DataDirError {
    fn from(error: DirError) -> Self {
        match error {
            DirError::Io { dir, source } => Self::Unwritable { dir, source },
            unsafe_dir => Self::Unsafe(unsafe_dir),
        }
    }
}

/// Why a sandbox cannot be joined or started, with a hint.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
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
