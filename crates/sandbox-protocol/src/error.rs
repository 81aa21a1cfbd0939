//! [`JoinError`]: why a sandbox can be neither joined nor started.

use std::io;
use std::path::{Path, PathBuf};

use thumbctl_platform::private_fs::DirError;

/// Why a sandbox can be neither joined nor started: each a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Another process holds the data directory and does not answer.
    #[error("another sandbox holds {} but does not answer: look for a process called 'thumbctl sandbox' and end it", .dir.display())]
    Stuck {
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
    /// The data directory is not safe to keep state in.
    #[error(transparent)]
    UnsafeDir(DirError),
    /// The program cannot be started.
    #[error("the sandbox cannot be started: {} cannot be run", .program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ended instead of answering.
    #[error("the sandbox ended as soon as it was started: {last_line}")]
    Ended {
        /// The last line of its log.
        last_line: String,
    },
    /// It did not answer in time.
    #[error("the sandbox did not answer within {seconds} seconds of its start: see its log {}", .log.display())]
    Slow {
        /// How long it had.
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
