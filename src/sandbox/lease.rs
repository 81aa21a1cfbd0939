//! Joining the sandbox of a data directory, and starting it if nobody has.
//!
//! The sandbox is a process of its own. Everyone who uses it holds a shared lock on the file `lease`; the sandbox tries
//! for the exclusive one, and ends when it gets it. So it outlives the command that started it for as long as others
//! are joined, and a command that is killed leaves nothing behind.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::data_dir;
use super::endpoint::{Endpoint, data_dir_in_use, open_lock};
use super::error::SandboxError;
use crate::private_fs;

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
pub async fn join_or_start(options: SandboxOptions) -> Result<Lease, SandboxError> {
    let dir = data_dir::claim(&options.data_dir)?;
    let dir = data_dir_in_use(&dir).await;
    let lock = share_lease(&dir).await?;
    // From here on, a sandbox that runs goes on running.
    if let Some(endpoint) = Endpoint::find(&dir).await {
        return Ok(Lease { endpoint, _lock: lock });
    }
    let log = dir.join("sandbox.log");
    let mut child = start(&options, &dir, &log)?;
    let deadline = Instant::now() + START_DEADLINE;
    let mut delay = Duration::from_millis(2);
    loop {
        if let Some(endpoint) = Endpoint::find(&dir).await {
            return Ok(Lease { endpoint, _lock: lock });
        }
        // One that ends well has found another that is quicker.
        if let Ok(Some(status)) = child.try_wait()
            && !status.success()
        {
            return Err(SandboxError::Ended { said: last_line(&log) });
        }
        if Instant::now() > deadline {
            return Err(SandboxError::Slow { seconds: START_DEADLINE.as_secs(), log });
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 3 / 2).min(Duration::from_millis(50));
    }
}

/// Takes the shared lock. A sandbox that is about to end has the exclusive one for a moment.
pub(crate) async fn share_lease(dir: &Path) -> Result<File, SandboxError> {
    let file = open_lock(dir, "lease").map_err(|source| SandboxError::unwritable(dir, source))?;
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut delay = Duration::from_millis(2);
    loop {
        match file.try_lock_shared() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(SandboxError::unwritable(dir, source)),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                return Err(SandboxError::Stuck { dir: dir.to_owned() });
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(delay).await,
        }
        delay = (delay * 2).min(Duration::from_millis(50));
    }
}

/// Starts the sandbox: out of reach of the terminal's Ctrl-C, and without what the user's environment says of AWS.
fn start(options: &SandboxOptions, dir: &Path, log: &Path) -> Result<Child, SandboxError> {
    let unwritable = |source| SandboxError::unwritable(dir, source);
    let grown = std::fs::metadata(log).is_ok_and(|metadata| metadata.len() > MAX_LOG);
    let mut log = private_fs::options();
    log.create(true);
    let log = if grown { log.write(true).truncate(true) } else { log.append(true) };
    let mut log = log.open(dir.join("sandbox.log")).map_err(unwritable)?;
    // A full disk is noticed here, where it can be said: what the sandbox itself says goes to that disk.
    writeln!(log, "{MARK} {} ---", chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ")).map_err(unwritable)?;
    let spawn_error = |source| SandboxError::Spawn { program: options.program.clone(), source };
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

fn last_line(log: &Path) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    match text.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) if line.starts_with(MARK) => format!("it said nothing; its log is {}", log.display()),
        Some(line) => line.trim().to_owned(),
        None => format!("it said nothing; its log is {}", log.display()),
    }
}
