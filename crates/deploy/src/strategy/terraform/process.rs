//! [`Process`]: one Terraform at work, in a process group of its own, and what it writes.
//!
//! It writes into a file, not into a pipe: whatever becomes of this program, Terraform can go on and write its state. The
//! file is locked by whoever has it open for writing, which is Terraform: so it is known whether one is still at work.

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

/// How soon and how seldom the file is looked at for more.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LAST_LOOK: Duration = Duration::from_millis(100);

/// What is written behind the process's number once it was asked to stop: the second time it would stop at once, and forget
/// what it is making.
const ASKED: &str = " asked to stop";

/// What is written behind the number of a Terraform that applies a plan.
const APPLIES: &str = " apply";

/// How a Terraform was made to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It was asked to: it ends what it is at and writes its state.
    Asked,
    /// It had not begun to make anything, and was ended.
    Ended,
}

/// Variables of the user's that would change what is run. Whatever else begins like these does so, too.
const UNWANTED: [&str; 8] = [
    "TF_LOG",
    "TF_WORKSPACE",
    "TF_DATA_DIR",
    "TF_ENCRYPTION",
    "TF_REATTACH_PROVIDERS",
    "TF_CLI_ARGS",
    "TF_VAR_",
    "TF_IN_AUTOMATION",
];

/// Variables that may name files by paths from where we are, which is not where Terraform is run.
const PATHS: [&str; 6] = [
    "TF_CLI_CONFIG_FILE",
    "TF_PLUGIN_CACHE_DIR",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
    "SSL_CERT_FILE",
];

/// How one Terraform is to be run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start<'a> {
    pub(super) program: &'a Path,
    pub(super) dir: &'a Path,
    pub(super) arguments: &'a [&'a str],
    pub(super) environment: &'a CloudEnvironment,
    /// What the configuration has its builds run by: this program.
    pub(super) builder: &'a Path,
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
    /// Where its number is written, if anywhere.
    pid_file: Option<PathBuf>,
    is_asked: bool,
    /// Whether it makes what was planned.
    applies: bool,
    /// Where its output is written.
    path: PathBuf,
}

impl Process {
    /// Starts it. Only one is at work in a folder at a time.
    pub(super) fn start(start: Start<'_>) -> io::Result<Self> {
        let path = start.dir.join(OUTPUT);
        let writer = private_fs::options().create(true).append(true).open(&path)?;
        writer.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::ResourceBusy, "another Terraform is at work in it")
            }
        })?;
        writer.set_len(0)?;
        let pid_file = start.dir.join(PID);
        // Not even for a moment another's number: it might be signalled.
        match std::fs::remove_file(&pid_file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut process = Self::spawn(start, &path, writer, start.dir.join(ERRORS))?;
        private_fs::write(&pid_file, process.note().as_bytes())?;
        process.pid_file = Some(pid_file);
        Ok(process)
    }

    /// Starts one that only looks, beside any other; its output goes into a folder of its own.
    pub(super) fn start_beside(start: Start<'_>, folder: &Path) -> io::Result<Self> {
        let path = folder.join(OUTPUT);
        let writer = private_fs::options().create(true).append(true).open(&path)?;
        Self::spawn(start, &path, writer, folder.join(ERRORS))
    }

    fn spawn(start: Start<'_>, output: &Path, writer: File, errors: PathBuf) -> io::Result<Self> {
        let reader = File::open(output)?;
        let mut command = Command::new(start.program);
        command.args(start.arguments).current_dir(start.dir).process_group(0);
        command.stdin(Stdio::null()).stdout(writer).stderr(private_fs::create(&errors)?);
        let unwanted = |name: &std::ffi::OsString| {
            let text = name.to_str().unwrap_or_default();
            start.environment.withholds(name) || UNWANTED.iter().any(|unwanted| text.starts_with(unwanted))
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| unwanted(name)) {
            command.env_remove(name);
        }
        for name in PATHS {
            let path = std::env::var_os(name).filter(|path| !path.is_empty() && !unwanted(&name.into()));
            if let Some(path) = path {
                command.env(name, std::path::absolute(path)?);
            }
        }
        command.envs(start.environment.variables());
        // Otherwise a cache is not used for a folder whose providers were never written down.
        command.env("TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE", "1");
        command.env("TF_IN_AUTOMATION", "1").env("TF_INPUT", "0").env("CHECKPOINT_DISABLE", "1");
        command.env("TF_VAR_endpoint_url", start.environment.endpoint_url().unwrap_or_default());
        command.env("TF_VAR_builder", start.builder);
        let child = command.spawn()?;
        tracing::debug!(program = ?command.as_std().get_program(), arguments = ?command.as_std().get_args(), "started");
        let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let pid = pid.ok_or_else(|| io::Error::other("it has ended before it could be looked at"))?;
        Ok(Self {
            child,
            pid,
            output: reader,
            errors,
            rest: Vec::new(),
            delay: FIRST_LOOK,
            status: None,
            pid_file: None,
            is_asked: false,
            applies: start.arguments.first() == Some(&"apply"),
            path: output.to_owned(),
        })
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

    /// Asks it to stop, as Ctrl-C does: it ends what it is at and writes its state. Once: asked again, it would stop at once.
    /// One that has not begun is ended.
    pub(super) fn interrupt(&mut self) -> io::Result<Stop> {
        if self.status.is_some() || self.is_asked {
            return Ok(Stop::Asked);
        }
        let stop = stop(self.pid, self.applies, &self.path)?;
        self.is_asked = true;
        if let Some(file) = &self.pid_file {
            private_fs::write(file, self.note().as_bytes())?;
        }
        Ok(stop)
    }

    /// What is written down of it, for whoever finds it at work.
    fn note(&self) -> String {
        let (applies, asked) = (if self.applies { APPLIES } else { "" }, if self.is_asked { ASKED } else { "" });
        format!("{}{applies}{asked}", self.pid())
    }

    /// Whether it was asked to stop.
    pub(super) fn is_asked(&self) -> bool {
        self.is_asked
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

/// Rule: Terraform forgets an interrupt that comes before it has begun to walk through the resources of a plan: it says that it
/// stops, and then makes all of them. Until it has said of a resource that it begins, nothing is lost if it is ended. (`destroy`
/// plans by itself, and hears an interrupt meanwhile.)
fn stop(pid: Pid, applies: bool, output: &Path) -> io::Result<Stop> {
    if applies {
        // Held still, so that it begins nothing between the look and its end.
        kill_process_group(pid, Signal::STOP)?;
        // One whose output cannot be read is asked like one that has begun.
        let has_not_begun = std::fs::read(output).is_ok_and(|text| !has_begun(&String::from_utf8_lossy(&text)));
        if has_not_begun {
            kill_process_group(pid, Signal::KILL)?;
            return Ok(Stop::Ended);
        }
        kill_process_group(pid, Signal::CONT)?;
    }
    kill_process(pid, Signal::INT)?;
    Ok(Stop::Asked)
}

/// Whether a Terraform has said of a resource that it makes it.
fn has_begun(output: &str) -> bool {
    output.lines().any(|line| matches!(Line::read(line).message, Message::Started { .. }))
}

/// How a process ended, in words.
pub(super) fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

impl Drop for Process {
    /// A Terraform that nobody follows any more makes nothing more.
    fn drop(&mut self) {
        // There is nobody left to tell that it cannot be asked.
        let _ = self.interrupt();
    }
}

/// A Terraform that an earlier process of this program has left at work.
#[derive(Debug)]
pub(super) struct Earlier {
    output: File,
    pub(super) pid: Option<Pid>,
    pid_file: PathBuf,
    /// What is written there.
    note: String,
    path: PathBuf,
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
        let pid_file = dir.join(PID);
        let text = std::fs::read_to_string(&pid_file).unwrap_or_default();
        let number = text.split(' ').next().and_then(|number| number.trim().parse().ok());
        let pid = number.and_then(Pid::from_raw).filter(|pid| is_in(*pid, dir));
        Ok(Some(Self { output, pid, note: text, path: dir.join(OUTPUT), pid_file }))
    }

    /// Asks it to stop, unless it was asked before.
    pub(super) fn interrupt(&mut self) -> io::Result<()> {
        let Some(pid) = self.pid.filter(|_| !self.note.ends_with(ASKED)) else { return Ok(()) };
        match stop(pid, self.note.ends_with(APPLIES), &self.path) {
            // It may just have ended, which is what is wanted.
            Err(error) if error.raw_os_error() != Some(Errno::SRCH.raw_os_error()) => return Err(error),
            _ => {}
        }
        self.note.push_str(ASKED);
        private_fs::write(&self.pid_file, self.note.as_bytes())
    }

    /// Whether it is at work no more.
    pub(super) fn has_ended(&self) -> io::Result<bool> {
        has_ended(&self.output)
    }
}

/// Ends the providers that a Terraform which was killed has left running in a folder: what they are making would come to be
/// after everything was said to be gone. A provider whose Terraform is alive is none of them: that may be somebody's own.
/// Answers how many there are.
pub(super) fn end_orphans(dir: &Path) -> usize {
    let is_orphan =
        |pid: &Pid| is_in(*pid, dir) && is_provider(*pid) && parent_of(*pid).is_none_or(|parent| !is_in(parent, dir));
    let orphans: Vec<Pid> = processes().into_iter().filter(is_orphan).collect();
    for pid in &orphans {
        // It may just have ended, which is what is wanted.
        let _ = kill_process(*pid, Signal::TERM);
    }
    orphans.len()
}

/// All processes, where the system has a folder that lists them.
fn processes() -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

/// Whether a process works in a folder. Where the system does not say in which one, it is taken to if it is there at all.
fn is_in(pid: Pid, dir: &Path) -> bool {
    let link = |name: &str| std::fs::read_link(format!("/proc/{}/{name}", pid.as_raw_nonzero()));
    match (link("cwd"), dir.canonicalize()) {
        (Ok(cwd), Ok(dir)) => cwd == dir,
        _ if Path::new("/proc/self/cwd").exists() => false,
        _ => test_kill_process(pid).is_ok(),
    }
}

/// The process that started another.
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
    fn an_apply_has_begun_with_its_first_resource() {
        let told = r#"{"@level":"info","@message":"Plan to create","type":"planned_change","change":{"resource":{"addr":"a.b"},"action":"create"}}
{"@message":"a.b: Creating...","type":"apply_start","hook":{"resource":{"addr":"a.b"},"action":"create"}}
"#;
        let before = told.lines().next().expect("two lines");
        assert!(!has_begun("") && !has_begun(before) && has_begun(told));
    }
}
