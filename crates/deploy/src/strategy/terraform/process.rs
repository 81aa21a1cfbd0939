//! [`Process`]: a Terraform process in a process group of its own, and its output.
//!
//! It writes into a file, not into a pipe: if this program ends, Terraform can continue and write its state. The
//! file is locked while Terraform has it open for writing, which shows whether one is still running.

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};
use thumbctl_platform::private_fs;
use tokio::process::{Child, Command};

use super::stream::{Line, Message};
use crate::cloud::CloudEnvironment;

const OUTPUT: &str = "terraform.out";
const ERRORS: &str = "terraform.err";
const PID: &str = "terraform.pid";

/// The first and the longest delay between reads of the file.
const FIRST_DELAY: Duration = Duration::from_millis(10);
const LONGEST_DELAY: Duration = Duration::from_millis(100);

/// Written after the process id once it is interrupted: a second interrupt would stop Terraform at once, without
/// recording what it is creating.
const INTERRUPTED: &str = " asked to stop";

/// Written after the process id of a Terraform that applies a plan.
const APPLIES: &str = " apply";

/// How a Terraform was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopOutcome {
    /// Interrupted: it completes the current call and writes its state.
    Interrupted,
    /// Killed before it changed anything.
    Killed,
}

/// The prefixes of the user's variables that would change what is run.
const WITHHELD_PREFIXES: [&str; 8] = [
    "TF_LOG",
    "TF_WORKSPACE",
    "TF_DATA_DIR",
    "TF_ENCRYPTION",
    "TF_REATTACH_PROVIDERS",
    "TF_CLI_ARGS",
    "TF_VAR_",
    "TF_IN_AUTOMATION",
];

/// Variables with paths that may be relative to the current folder, which is not where Terraform runs.
const PATHS: [&str; 6] = [
    "TF_CLI_CONFIG_FILE",
    "TF_PLUGIN_CACHE_DIR",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
    "SSL_CERT_FILE",
];

/// The parameters of a Terraform process.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProcessSpec<'a> {
    pub(super) program: &'a Path,
    pub(super) dir: &'a Path,
    pub(super) arguments: &'a [&'a str],
    pub(super) environment: &'a CloudEnvironment,
    /// The program that the configuration runs for builds: this program.
    pub(super) builder: &'a Path,
}

/// A running Terraform process.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: Pid,
    output: File,
    errors: PathBuf,
    /// The last, incomplete line.
    rest: Vec<u8>,
    delay: Duration,
    status: Option<ExitStatus>,
    /// The file with its process id, if any.
    pid_file: Option<PathBuf>,
    is_interrupted: bool,
    /// Whether it applies a plan.
    applies: bool,
    /// The path of its output.
    path: PathBuf,
}

impl Process {
    /// Starts Terraform. Only one process runs in a folder at a time.
    pub(super) fn start(start: ProcessSpec<'_>) -> io::Result<Self> {
        let path = start.dir.join(OUTPUT);
        let writer = private_fs::options().create(true).append(true).open(&path)?;
        writer.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::ResourceBusy, "another Terraform is running in it")
            }
        })?;
        writer.set_len(0)?;
        let pid_file = start.dir.join(PID);
        // The id of an earlier process must not remain: another process may have it now.
        match std::fs::remove_file(&pid_file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut process = Self::spawn(start, &path, writer, start.dir.join(ERRORS))?;
        private_fs::write(&pid_file, process.pid_file_content().as_bytes())?;
        process.pid_file = Some(pid_file);
        Ok(process)
    }

    /// Starts a read-only run beside any other; its output goes into a folder of its own.
    pub(super) fn start_beside(start: ProcessSpec<'_>, folder: &Path) -> io::Result<Self> {
        let path = folder.join(OUTPUT);
        let writer = private_fs::options().create(true).append(true).open(&path)?;
        Self::spawn(start, &path, writer, folder.join(ERRORS))
    }

    fn spawn(start: ProcessSpec<'_>, output: &Path, writer: File, errors: PathBuf) -> io::Result<Self> {
        let reader = File::open(output)?;
        let mut command = Command::new(start.program);
        command.args(start.arguments).current_dir(start.dir).process_group(0);
        command.stdin(Stdio::null()).stdout(writer).stderr(private_fs::create(&errors)?);
        let withheld = |name: &std::ffi::OsString| {
            let text = name.to_str().unwrap_or_default();
            start.environment.withholds(name) || WITHHELD_PREFIXES.iter().any(|withheld| text.starts_with(withheld))
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| withheld(name)) {
            command.env_remove(name);
        }
        for name in PATHS {
            let path = std::env::var_os(name).filter(|path| !path.is_empty() && !withheld(&name.into()));
            if let Some(path) = path {
                command.env(name, std::path::absolute(path)?);
            }
        }
        command.envs(start.environment.variables());
        // Otherwise the cache is not used for a folder without a lock file.
        command.env("TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE", "1");
        command.env("TF_IN_AUTOMATION", "1").env("TF_INPUT", "0").env("CHECKPOINT_DISABLE", "1");
        command.env("TF_VAR_endpoint_url", start.environment.endpoint_url().unwrap_or_default());
        command.env("TF_VAR_builder", start.builder);
        let child = command.spawn()?;
        tracing::debug!(program = ?command.as_std().get_program(), arguments = ?command.as_std().get_args(), "started");
        let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let pid = pid.ok_or_else(|| io::Error::other("it ended immediately"))?;
        Ok(Self {
            child,
            pid,
            output: reader,
            errors,
            rest: Vec::new(),
            delay: FIRST_DELAY,
            status: None,
            pid_file: None,
            is_interrupted: false,
            applies: start.arguments.first() == Some(&"apply"),
            path: output.to_owned(),
        })
    }

    /// Returns the next lines; `None` after its end, once all is read.
    pub(super) async fn lines(&mut self) -> io::Result<Option<Vec<Line>>> {
        loop {
            let lines = self.read()?;
            if !lines.is_empty() {
                self.delay = FIRST_DELAY;
                return Ok(Some(lines));
            }
            if self.status.is_some() {
                return Ok(None);
            }
            tokio::select! {
                status = self.child.wait() => self.status = Some(status?),
                () = tokio::time::sleep(self.delay) => self.delay = (self.delay * 2).min(LONGEST_DELAY),
            }
        }
    }

    fn read(&mut self) -> io::Result<Vec<Line>> {
        self.output.read_to_end(&mut self.rest)?;
        let complete = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        // An incomplete last line of a killed process is dropped.
        let lines: Vec<u8> = self.rest.drain(..complete).collect();
        let text = String::from_utf8_lossy(&lines);
        Ok(text.lines().filter(|line| !line.trim().is_empty()).map(Line::read).collect())
    }

    /// Interrupts it, as Ctrl-C does: it completes the current call and writes its state. Only once: a second interrupt
    /// stops it at once. One that has not started to change anything is killed.
    pub(super) fn interrupt(&mut self) -> io::Result<StopOutcome> {
        if self.status.is_some() || self.is_interrupted {
            return Ok(StopOutcome::Interrupted);
        }
        let stop = stop(self.pid, self.applies, &self.path)?;
        self.is_interrupted = true;
        if let Some(file) = &self.pid_file {
            private_fs::write(file, self.pid_file_content().as_bytes())?;
        }
        Ok(stop)
    }

    /// The content of the process id file.
    fn pid_file_content(&self) -> String {
        let (applies, interrupted) =
            (if self.applies { APPLIES } else { "" }, if self.is_interrupted { INTERRUPTED } else { "" });
        format!("{}{applies}{interrupted}", self.pid())
    }

    /// Returns whether it was interrupted.
    pub(super) fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }

    /// Returns its process id.
    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Returns its exit status, after its end.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// Returns its standard error.
    pub(super) fn errors(&self) -> String {
        // Without it there is less to report; that is no failure of the run.
        std::fs::read(&self.errors).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
    }

    /// Ends its remaining children: providers outlive a killed Terraform.
    pub(super) fn end_group(&self) {
        // After a regular end there are none.
        let _ = kill_process_group(self.pid, Signal::TERM);
    }
}

/// Rule: Terraform ignores an interrupt before it walks the resources of a plan: it prints that it stops, and then
/// creates all of them. Before its first resource line, killing it loses nothing. (`destroy`
/// plans by itself, and handles an interrupt meanwhile.)
/// <https://github.com/hashicorp/terraform/issues/30918>.
fn stop(pid: Pid, applies: bool, output: &Path) -> io::Result<StopOutcome> {
    if applies {
        // Paused, so that it starts nothing between the check and its end.
        kill_process_group(pid, Signal::STOP)?;
        // With an unreadable output, it is treated as started.
        let is_unstarted = std::fs::read(output).is_ok_and(|text| !has_started(&String::from_utf8_lossy(&text)));
        if is_unstarted {
            kill_process_group(pid, Signal::KILL)?;
            return Ok(StopOutcome::Killed);
        }
        kill_process_group(pid, Signal::CONT)?;
    }
    kill_process(pid, Signal::INT)?;
    Ok(StopOutcome::Interrupted)
}

/// Returns whether a Terraform has started to change a resource.
fn has_started(output: &str) -> bool {
    output.lines().any(|line| matches!(Line::read(line).message, Message::Started { .. }))
}

/// Describes a process's end.
pub(super) fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

impl Drop for Process {
    /// A Terraform without a follower must not create anything more.
    fn drop(&mut self) {
        // An error cannot be reported here.
        let _ = self.interrupt();
    }
}

/// A Terraform that an earlier process of this program has left running.
#[derive(Debug)]
pub(super) struct OrphanedRun {
    output: File,
    pub(super) pid: Option<Pid>,
    pid_file: PathBuf,
    /// The content of the process id file.
    note: String,
    path: PathBuf,
}

impl OrphanedRun {
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
        let pid_file = dir.join(PID);
        let text = std::fs::read_to_string(&pid_file).unwrap_or_default();
        let number = text.split(' ').next().and_then(|number| number.trim().parse().ok());
        let pid = number.and_then(Pid::from_raw).filter(|pid| is_in(*pid, dir));
        Ok(Some(Self { output, pid, note: text, path: dir.join(OUTPUT), pid_file }))
    }

    /// Interrupts it, unless it already is.
    pub(super) fn interrupt(&mut self) -> io::Result<()> {
        let Some(pid) = self.pid.filter(|_| !self.note.ends_with(INTERRUPTED)) else { return Ok(()) };
        match stop(pid, self.note.ends_with(APPLIES), &self.path) {
            // It may just have ended.
            Err(error) if error.raw_os_error() != Some(Errno::SRCH.raw_os_error()) => return Err(error),
            _ => {}
        }
        self.note.push_str(INTERRUPTED);
        private_fs::write(&self.pid_file, self.note.as_bytes())
    }

    /// Returns whether it has ended.
    pub(super) fn has_ended(&self) -> io::Result<bool> {
        has_ended(&self.output)
    }
}

/// Ends the providers of killed Terraforms in a folder: their resources would appear after the deletion of
/// everything was reported. A provider with a running Terraform is not touched: it may be the user's own.
/// Returns their number.
pub(super) fn end_orphans(dir: &Path) -> usize {
    let is_orphan =
        |pid: &Pid| is_in(*pid, dir) && is_provider(*pid) && parent_of(*pid).is_none_or(|parent| !is_in(parent, dir));
    let orphans: Vec<Pid> = processes().into_iter().filter(is_orphan).collect();
    for pid in &orphans {
        // It may just have ended.
        let _ = kill_process(*pid, Signal::TERM);
    }
    orphans.len()
}

/// All processes, on systems with `/proc`.
fn processes() -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

/// Returns whether a process runs in a folder. Without that information, any existing process counts.
fn is_in(pid: Pid, dir: &Path) -> bool {
    let link = |name: &str| std::fs::read_link(format!("/proc/{}/{name}", pid.as_raw_nonzero()));
    match (link("cwd"), dir.canonicalize()) {
        (Ok(cwd), Ok(dir)) => cwd == dir,
        _ if Path::new("/proc/self/cwd").exists() => false,
        _ => test_kill_process(pid).is_ok(),
    }
}

/// The parent of a process.
fn parent_of(pid: Pid) -> Option<Pid> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
    Pid::from_raw(status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()?)
}

fn is_provider(pid: Pid) -> bool {
    let program = std::fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero())).unwrap_or_default();
    program.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("terraform-provider-"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apply_has_started_with_its_first_resource() {
        let output = r#"{"@level":"info","@message":"Plan to create","type":"planned_change","change":{"resource":{"addr":"a.b"},"action":"create"}}
{"@message":"a.b: Creating...","type":"apply_start","hook":{"resource":{"addr":"a.b"},"action":"create"}}
"#;
        let before = output.lines().next().expect("two lines");
        assert!(!has_started("") && !has_started(before) && has_started(output));
    }
}
