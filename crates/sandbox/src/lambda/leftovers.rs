//! Processes that outlived a sandbox which was killed: noted when they start, ended when the next sandbox comes, with
//! everything that they have started.
//!
//! A function's process notices by itself that its Runtime API is gone, unless it is busy or stuck.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal};
use thumbctl_platform::private_fs;

use crate::marked_processes::{ProcessMark, kill_marked};

/// A file for each process that runs, named by process id. Its first line distinguishes the process from a later one with
/// that id; the second is the mark of the process and of all that it starts.
#[derive(Debug, Clone)]
pub(crate) struct Leftovers {
    dir: PathBuf,
}

impl Leftovers {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Those of the Lambda service whose directory this is.
    pub(crate) fn of(lambda: &Path) -> Self {
        Self::new(lambda.join("processes"))
    }

    /// Notes a process that has just been started. Without the note it would only not be found after a crash.
    pub(crate) fn note(&self, pid: u32, mark: &ProcessMark) {
        if let Some(birth) = birth(pid) {
            let _ = private_fs::create_dir_all(&self.dir);
            let note = format!("{birth}\n{}\n", mark.to_text());
            let _ = private_fs::write(&self.dir.join(pid.to_string()), note.as_bytes());
        }
    }

    /// The process has been ended.
    pub(crate) fn forget(&self, pid: u32) {
        let _ = fs::remove_file(self.dir.join(pid.to_string()));
    }

    /// Ends what an earlier sandbox has left, if it is certain to be that.
    pub(crate) fn reap(&self) {
        let mut marks = Vec::new();
        let mut groups = Vec::new();
        for note in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let pid: Option<u32> = note.file_name().to_str().and_then(|name| name.parse().ok());
            let noted = fs::read_to_string(note.path()).unwrap_or_default();
            let mut lines = noted.lines();
            let noted_birth = lines.next().unwrap_or_default();
            marks.extend(lines.next().and_then(ProcessMark::from_text));
            if let Some(pid) = pid
                && birth(pid).is_some_and(|birth| birth == noted_birth)
            {
                groups.extend(i32::try_from(pid).ok().and_then(Pid::from_raw));
            }
        }
        // First what is found by its mark: what was started with another environment is found by its parent.
        if !marks.is_empty() {
            kill_marked(&marks, None);
        }
        for group in groups {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        // Only now: a sandbox that is killed in here leaves the notes to the next.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// When a process was started, in whatever form the system tells it; of which boot, where ticks are counted from there.
#[cfg(target_os = "linux")]
fn birth(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the start time is the twentieth field after it.
    let started = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{} {started}", boot.trim()))
}

#[cfg(not(target_os = "linux"))]
fn birth(pid: u32) -> Option<String> {
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
    fn reap_ends_the_noted_process() {
        let dir = tempfile::tempdir().unwrap();
        let leftovers = Leftovers::new(dir.path().join("processes"));
        let mut child = sleeper();
        leftovers.note(child.id(), &mark());
        leftovers.reap();
        assert!(!child.wait().unwrap().success());
        assert!(!dir.path().join("processes").exists());
    }

    #[test]
    fn reap_ends_marked_children_of_a_process_that_has_ended() {
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
    fn reap_leaves_another_process_under_a_noted_id_alone() {
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
