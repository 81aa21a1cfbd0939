//! Processes left by a killed sandbox: noted at their start, killed with their children by the next sandbox.
//!
//! A function's process exits by itself when its Runtime API is gone, unless it is busy or stuck.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal};
use thumbctl_platform::private_fs;

use crate::marked_processes::{ProcessMark, kill_marked};

/// A directory with one file per running process, named by process id. The first line is the start time, which
/// distinguishes a later process with the same id; the second is the mark of the process and its children.
#[derive(Debug, Clone)]
pub(crate) struct Leftovers {
    dir: PathBuf,
}

impl Leftovers {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The leftovers of the Lambda service with this directory.
    pub(crate) fn of(lambda: &Path) -> Self {
        Self::new(lambda.join("processes"))
    }

    /// Notes a started process. A failure to write only means that it is not found after a crash.
    pub(crate) fn note(&self, pid: u32, mark: &ProcessMark) {
        if let Some(start_time) = start_time(pid) {
            let _ = private_fs::create_dir_all(&self.dir);
            let note = format!("{start_time}\n{}\n", mark.to_text());
            let _ = private_fs::write(&self.dir.join(pid.to_string()), note.as_bytes());
        }
    }

    /// Deletes the note of an ended process.
    pub(crate) fn forget(&self, pid: u32) {
        let _ = fs::remove_file(self.dir.join(pid.to_string()));
    }

    /// Kills the processes left by an earlier sandbox, if they are certain to be its own.
    pub(crate) fn reap(&self) {
        let mut marks = Vec::new();
        let mut groups = Vec::new();
        for note in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let pid: Option<u32> = note.file_name().to_str().and_then(|name| name.parse().ok());
            let noted = fs::read_to_string(note.path()).unwrap_or_default();
            let mut lines = noted.lines();
            let noted_start_time = lines.next().unwrap_or_default();
            marks.extend(lines.next().and_then(ProcessMark::from_text));
            if let Some(pid) = pid
                && start_time(pid).is_some_and(|start_time| start_time == noted_start_time)
            {
                groups.extend(i32::try_from(pid).ok().and_then(Pid::from_raw));
            }
        }
        // Marked processes first: children with another environment are found through their parent.
        if !marks.is_empty() {
            kill_marked(&marks, None);
        }
        for group in groups {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        // Last, so that the notes stay if this sandbox is killed meanwhile.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A process's start time in the system's own form, with the boot id where ticks count from the boot.
#[cfg(target_os = "linux")]
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything; the start time is the twentieth field after it.
    let started = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{} {started}", boot.trim()))
}

#[cfg(not(target_os = "linux"))]
fn start_time(pid: u32) -> Option<String> {
    let output = std::process::Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let started = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!started.is_empty()).then_some(started)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    fn mark() -> ProcessMark {
        ProcessMark::new("AWS_LAMBDA_LOG_STREAM_NAME", &uuid::Uuid::new_v4().to_string(), 1 << 40)
    }

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").process_group(0).stdin(Stdio::null()).spawn().unwrap()
    }

    #[test]
    fn reap_kills_noted_process() {
        let dir = tempfile::tempdir().unwrap();
        let leftovers = Leftovers::new(dir.path().join("processes"));
        let mut child = sleeper();
        leftovers.note(child.id(), &mark());
        leftovers.reap();
        assert!(!child.wait().unwrap().success());
        assert!(!dir.path().join("processes").exists());
    }

    #[test]
    fn reap_kills_marked_children_of_ended_process() {
        let dir = tempfile::tempdir().unwrap();
        let leftovers = Leftovers::new(dir.path().join("processes"));
        let mark = mark();
        let mut ended = sleeper();
        leftovers.note(ended.id(), &mark);
        ended.kill().unwrap();
        ended.wait().unwrap();
        let text = mark.to_text();
        let (name, value) = text.split_once(' ').unwrap().1.split_once('=').unwrap();
        let mut child = Command::new("sleep").arg("600").env(name, value).process_group(0).spawn().unwrap();
        leftovers.reap();
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn reap_spares_other_process_with_noted_id() {
        let dir = tempfile::tempdir().unwrap();
        let leftovers = Leftovers::new(dir.path().to_owned());
        let mut child = sleeper();
        fs::write(dir.path().join(child.id().to_string()), "some other time\n").unwrap();
        leftovers.reap();
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
