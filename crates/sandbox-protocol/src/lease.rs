//! Joins the sandbox of a data directory, and starts it if necessary.
//!
//! The sandbox is a separate process. Each user holds a shared lock on the file `lease`; the sandbox tries to lock it
//! exclusively, and exits when it succeeds. It thus outlives the command that started it while others use it, and a killed
//! command leaves no process behind.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use thumbctl_platform::private_fs;

use crate::endpoint::{Endpoint, data_dir_in_use};
use crate::error::{DataDirError, JoinError};

/// The file that every user of a sandbox locks shared.
pub const LEASE_FILE: &str = "lease";

/// The deadline for a started sandbox to respond.
const START_DEADLINE: Duration = Duration::from_secs(45);

/// The size in bytes at which its log is truncated.
const MAX_LOG: u64 = 1024 * 1024;

/// The prefix of the log line that marks a start.
const START_MARK: &str = "--- started";

/// The sandbox to join.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Its data directory.
    pub data_dir: PathBuf,
    /// The program to start it with.
    pub program: PathBuf,
    /// The program's arguments after `sandbox --attached --data-dir DIR`, if it is started.
    pub arguments: Vec<OsString>,
}

/// Keeps a sandbox running until it is dropped.
#[derive(Debug)]
pub struct Lease {
    endpoint: Endpoint,
    _lock: File,
}

impl Lease {
    /// The sandbox's endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// Joins the sandbox; starts it if it is not running.
///
/// # Errors
/// When the data directory cannot be used, or the sandbox cannot be started or does not respond.
pub async fn join_or_start(options: SandboxOptions) -> Result<Lease, JoinError> {
    let dir = private_fs::claim_dir(&options.data_dir).map_err(DataDirError::from)?;
    let dir = data_dir_in_use(&dir).await;
    let lock = share_lease(&dir).await?;
    // From here on, a running sandbox keeps running.
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
        // Exit code 0 means that another sandbox was started first.
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

/// Takes the shared lock. An ending sandbox holds the exclusive lock for a moment.
///
/// # Errors
/// When the file cannot be locked within ten seconds.
pub async fn share_lease(dir: &Path) -> Result<File, DataDirError> {
    let file = open_lock(dir, LEASE_FILE).map_err(|source| DataDirError::unwritable(dir, source))?;
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut delay = Duration::from_millis(2);
    loop {
        match file.try_lock_shared() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(DataDirError::unwritable(dir, source)),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                return Err(DataDirError::Unresponsive { dir: dir.to_owned() });
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(delay).await,
        }
        delay = (delay * 2).min(Duration::from_millis(50));
    }
}

/// Starts the sandbox in its own process group, against Ctrl-C, and without the AWS variables of the environment.
fn start(options: &SandboxOptions, dir: &Path, log: &Path) -> Result<Child, JoinError> {
    let unwritable = |source| DataDirError::unwritable(dir, source);
    let grown = std::fs::metadata(log).is_ok_and(|metadata| metadata.len() > MAX_LOG);
    let mut log = private_fs::options();
    log.create(true);
    let log = if grown { log.write(true).truncate(true) } else { log.append(true) };
    let mut log = log.open(dir.join("sandbox.log")).map_err(unwritable)?;
    // Detect a full disk here: the sandbox's own errors go to this log.
    writeln!(log, "{START_MARK} {} ---", chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ")).map_err(unwritable)?;
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

/// Opens or creates a lock file.
///
/// # Errors
/// When it can be neither opened nor created.
pub fn open_lock(dir: &Path, name: &str) -> io::Result<File> {
    private_fs::options().read(true).write(true).create(true).truncate(false).open(dir.join(name))
}

/// The last line of a sandbox's log since its start.
fn last_line(log: &Path) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    match text.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) if line.starts_with(START_MARK) => format!("no output; see its log {}", log.display()),
        Some(line) => line.trim().to_owned(),
        None => format!("no output; see its log {}", log.display()),
    }
}
