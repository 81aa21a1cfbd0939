//! The lock that gives a data directory a single server.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use thumbctl_sandbox_protocol::{DataDirError, Endpoint, open_lock};

use crate::error::SandboxError;

/// The time that another server of the directory has to answer on an overloaded machine.
const OVERLOADED: Duration = Duration::from_secs(30);

/// The time that another server of the directory has to end before it counts as running.
const ENDING: Duration = Duration::from_secs(1);

/// Locks a data directory for this server. Returns nothing if another server holds it and this one is not needed.
///
/// # Errors
/// When another server holds the directory and does not end, or the lock file cannot be opened.
pub(crate) async fn lock_server(dir: &Path, attached: bool) -> Result<Option<File>, SandboxError> {
    let file = open_lock(dir, "server.lock").map_err(|source| SandboxError::unwritable(dir, source))?;
    let started = Instant::now();
    // A command waits for an overloaded machine; a user gets the error sooner.
    let deadline = started + if attached { OVERLOADED } else { Duration::from_secs(5) };
    let mut delay = Duration::from_millis(5);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(source)) => return Err(SandboxError::unwritable(dir, source)),
            Err(TryLockError::WouldBlock) => {}
        }
        // The other server may be starting, or ending because its last command has just exited.
        match Endpoint::find(dir).await {
            Some(_) if attached => return Ok(None),
            Some(Endpoint { url, pid, .. }) if started.elapsed() > ENDING => {
                return Err(SandboxError::AlreadyRunning { dir: dir.to_owned(), url, pid });
            }
            _ => {}
        }
        if Instant::now() > deadline {
            return Err(DataDirError::Unresponsive { dir: dir.to_owned() }.into());
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(Duration::from_millis(100));
    }
}
