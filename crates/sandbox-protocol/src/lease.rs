//! Joining the sandbox of a data directory, and starting it if nobody has.
//!
//! The sandbox is a process of its own. Everyone who uses it holds a shared lock on the file `lease`; the sandbox tries
//! for the exclusive one, and ends when it gets it. So it outlives the command that started it for as long as others
//! are joined, and a command that is killed leaves nothing behind.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use thumbctl_platform::private_fs;

use crate::endpoint::{Endpoint, data_dir_in_use};
use crate::error::JoinError;

/// The file on which every user of a sandbox holds a shared lock.
pub const LEASE_FILE: &str = "lease";

/// How long a sandbox that was just started has to answer.
const START_DEADLINE: Duration = Duration::from_secs(45);

/// Its log is begun anew when it has grown beyond this.
const MAX_LOG: u64 = 1024 * 1024;

/// Begins a line of the log that tells one sandbox's words from an earlier one's.
const MARK: &str = "--- started";

/// Which sandbox to join.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Where its state is.
    pub data_dir: PathBuf,
    /// The program that becomes it: one's own.
    pub program: PathBuf,
    /// What the program is told besides `sandbox --attached --data-dir DIR`, if it has to be started.
    pub arguments: Vec<OsString>,
}

/// A sandbox that stays for as long as this is held.
#[derive(Debug)]
pub struct Lease {
    endpoint: Endpoint,
    _lock: File,
}

impl Lease {
    /// Where the sandbox is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// Joins the sandbox, which is started if it is not running.
///
/// # Errors
/// When the data directory cannot be used, or the sandbox cannot be started or does not answer.
pub async fn join_or_start(options: SandboxOptions) -> Result<Lease, JoinError> {
    let dir = private_fs::claim_dir(&options.data_dir)?;
    let dir = data_dir_in_use(&dir).await;
    let lock = share_lease(&dir).await?;
    // From here on, a sandbox that runs goes on running.
    if let Some(endpoint) = Endpoint::find(&dir).await {
        tracing::debug!(url = endpoint.url, process = endpoint.pid, "joined the sandbox");
        return Ok(Lease { endpoint, _lock: lock });
    }
    let log = dir.join("sandbox.log");
    let mut child = start(&options, &dir, &log)?;
    let deadline = Instant::now() + START_DEADLINE;
    let mut delay = Duration::from_millis(2);
    loop {
        if let Some(endpoint) = Endpoint::find(&dir).await {
            tracing::debug!(url = endpoint.url, process = endpoint.pid, "started the sandbox");
            return Ok(Lease { endpoint, _lock: lock });
        }
        // One that ends well has found another that is quicker.
        if let Ok(Some(status)) = child.try_wait()
            && !status.success()
        {
            return Err(JoinError::Ended { last_line: last_line(&log) });
        }
        if Instant::now() > deadline {
            return Err(JoinError::Slow { seconds: START_DEADLINE.as_secs(), log });
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 3 / 2).min(Duration::from_millis(50));
    }
}

/// Takes the shared lock. A sandbox that is about to end has the exclusive one for a moment.
///
/// # Errors
/// When the file cannot be locked within ten seconds.
pub async fn share_lease(dir: &Path) -> Result<File, JoinError> {
    let file = open_lock(dir, LEASE_FILE).map_err(|source| JoinError::unwritable(dir, source))?;
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut delay = Duration::from_millis(2);
    loop {
        match file.try_lock_shared() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(JoinError::unwritable(dir, source)),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                return Err(JoinError::Stuck { dir: dir.to_owned() });
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(delay).await,
        }
        delay = (delay * 2).min(Duration::from_millis(50));
    }
}

/// Starts the sandbox: out of reach of the terminal's Ctrl-C, and without what the user's environment says of AWS.
fn start(options: &SandboxOptions, dir: &Path, log: &Path) -> Result<Child, JoinError> {
    let unwritable = |source| JoinError::unwritable(dir, source);
    let grown = std::fs::metadata(log).is_ok_and(|metadata| metadata.len() > MAX_LOG);
    let mut log = private_fs::options();
    log.create(true);
    let log = if grown { log.write(true).truncate(true) } else { log.append(true) };
    let mut log = log.open(dir.join("sandbox.log")).map_err(unwritable)?;
    // A full disk is noticed here, where it can be said: what the sandbox itself says goes to that disk.
    writeln!(log, "{MARK} {} ---", chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ")).map_err(unwritable)?;
    let spawn_error = |source| JoinError::Spawn { program: options.program.clone(), source };
    let program = std::path::absolute(&options.program).map_err(spawn_error)?;
    let kept = ["PATH", "HOME", "TMPDIR", "LANG", "RUST_BACKTRACE"];
    Command::new(program)
        .args(["sandbox", "--attached", "--port", "0", "--data-dir"])
        .arg(dir)
        .args(&options.arguments)
        .env_clear()
        .envs(kept.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .process_group(0)
        .spawn()
        .map_err(spawn_error)
}

/// Opens a file that is there to be locked.
///
/// # Errors
/// When it can be neither opened nor created.
pub fn open_lock(dir: &Path, name: &str) -> io::Result<File> {
    private_fs::options().read(true).write(true).create(true).truncate(false).open(dir.join(name))
}

/// The last line of this start in a sandbox's log.
fn last_line(log: &Path) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    match text.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) if line.starts_with(MARK) => format!("it said nothing; its log is {}", log.display()),
        Some(line) => line.trim().to_owned(),
        None => format!("it said nothing; its log is {}", log.display()),
    }
}
