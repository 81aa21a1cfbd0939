//! [`Process`]: one Terraform at work, in a process group of its own, and what it writes.
//!
//! It writes into a file, not into a pipe: whatever becomes of this program, Terraform can go on and write its state. The
//! file is locked by whoever has it open for writing, which is Terraform: so it is known whether one is still at work.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};
use tokio::process::{Child, Command};

use super::stream::Line;
use crate::cloud::CloudEnvironment;

const OUTPUT: &str = "terraform.out";
const ERRORS: &str = "terraform.err";
const PID: &str = "terraform.pid";

/// How soon and how seldom the file is looked at for more.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LAST_LOOK: Duration = Duration::from_millis(100);

/// Variables of the user's that would change what is run.
const UNWANTED: [&str; 2] = ["TF_WORKSPACE", "TF_DATA_DIR"];

/// How one Terraform is to be run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start<'a> {
    pub(super) program: &'a Path,
    pub(super) dir: &'a Path,
    pub(super) arguments: &'a [&'a str],
    pub(super) environment: &'a CloudEnvironment,
}

/// One Terraform at work.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: Pid,
    output: File,
    errors: PathBuf,
    /// What was read of a line that is not whole yet.
    rest: Vec<u8>,
    delay: Duration,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts it. Only one is at work in a folder at a time.
    pub(super) fn start(start: Start<'_>) -> io::Result<Self> {
        let path = start.dir.join(OUTPUT);
        let writer = OpenOptions::new().create(true).append(true).open(&path)?;
        writer.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::ResourceBusy, "another Terraform is at work in it")
            }
        })?;
        writer.set_len(0)?;
        let process = Self::spawn(start, &path, writer, start.dir.join(ERRORS))?;
        std::fs::write(start.dir.join(PID), process.pid.as_raw_nonzero().to_string())?;
        Ok(process)
    }

    /// Starts one that only looks, beside any other; its output goes into a folder of its own.
    pub(super) fn start_beside(start: Start<'_>, folder: &Path) -> io::Result<Self> {
        let path = folder.join(OUTPUT);
        let writer = OpenOptions::new().create(true).append(true).open(&path)?;
        Self::spawn(start, &path, writer, folder.join(ERRORS))
    }

    fn spawn(start: Start<'_>, output: &Path, writer: File, errors: PathBuf) -> io::Result<Self> {
        let mut command = Command::new(start.program);
        command.args(start.arguments).current_dir(start.dir).process_group(0);
        command.stdin(Stdio::null()).stdout(writer).stderr(File::create(&errors)?);
        let unwanted = |name: &std::ffi::OsString| {
            let text = name.to_str().unwrap_or_default();
            start.environment.withholds(name) || UNWANTED.contains(&text) || text.starts_with("TF_CLI_ARGS")
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| unwanted(name)) {
            command.env_remove(name);
        }
        command.envs(start.environment.variables());
        command.env("TF_IN_AUTOMATION", "1").env("TF_INPUT", "0").env("CHECKPOINT_DISABLE", "1");
        command.env("TF_VAR_endpoint_url", start.environment.endpoint_url().unwrap_or_default());
        command.env("TF_VAR_builder", std::env::current_exe()?);
        let child = command.spawn()?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let pid = pid.ok_or_else(|| io::Error::other("it has ended before it could be looked at"))?;
        Ok(Self { child, pid, output: File::open(output)?, errors, rest: Vec::new(), delay: FIRST_LOOK, status: None })
    }

    /// The next lines, as they come; none once it has ended and all is read.
    pub(super) async fn lines(&mut self) -> io::Result<Option<Vec<Line>>> {
        loop {
            let lines = self.read()?;
            if !lines.is_empty() {
                self.delay = FIRST_LOOK;
                return Ok(Some(lines));
            }
            if self.status.is_some() {
                return Ok(None);
            }
            tokio::select! {
                status = self.child.wait() => self.status = Some(status?),
                () = tokio::time::sleep(self.delay) => self.delay = (self.delay * 2).min(LAST_LOOK),
            }
        }
    }

    fn read(&mut self) -> io::Result<Vec<Line>> {
        self.output.read_to_end(&mut self.rest)?;
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        // What a process that was killed did not write to its end is no line.
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        let text = String::from_utf8_lossy(&lines);
        Ok(text.lines().filter(|line| !line.trim().is_empty()).map(Line::read).collect())
    }

    /// Asks it to stop, as Ctrl-C does: it ends what it is at and writes its state.
    pub(super) fn interrupt(&self) -> io::Result<()> {
        if self.status.is_some() {
            return Ok(());
        }
        Ok(kill_process(self.pid, Signal::INT)?)
    }

    /// Its process.
    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// How it ended, once it has.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// What it wrote to its standard error.
    pub(super) fn errors(&self) -> String {
        // Without it there is less to tell; that it cannot be read is no failure of the run.
        std::fs::read(&self.errors).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
    }

    /// Ends what it has left running: providers outlive a Terraform that was killed.
    pub(super) fn end_group(&self) {
        // There is none left where it ended by itself, which is how it should be.
        let _ = kill_process_group(self.pid, Signal::TERM);
    }
}

/// How a process ended, in words.
pub(super) fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// A Terraform that an earlier process of this program has left at work.
#[derive(Debug)]
pub(super) struct Earlier {
    output: File,
    pub(super) pid: Option<Pid>,
}

impl Earlier {
    /// Finds one in a folder.
    pub(super) fn find(dir: &Path) -> io::Result<Option<Self>> {
        let output = match File::open(dir.join(OUTPUT)) {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if has_ended(&output)? {
            return Ok(None);
        }
        let pid = std::fs::read_to_string(dir.join(PID)).ok().and_then(|text| text.trim().parse().ok());
        let pid = pid.and_then(Pid::from_raw).filter(|pid| test_kill_process(*pid).is_ok());
        Ok(Some(Self { output, pid }))
    }

    /// Asks it to stop.
    pub(super) fn interrupt(&self) {
        if let Some(pid) = self.pid {
            // It may just have ended, which is what is wanted.
            let _ = kill_process(pid, Signal::INT);
        }
    }

    /// Whether it is at work no more.
    pub(super) fn has_ended(&self) -> io::Result<bool> {
        has_ended(&self.output)
    }
}

fn has_ended(output: &File) -> io::Result<bool> {
    match output.try_lock() {
        Ok(()) => {
            output.unlock()?;
            Ok(true)
        }
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
