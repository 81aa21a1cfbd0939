//! Processes that outlived a sandbox which was killed: noted when they start, ended when the next sandbox comes.
//!
//! A function's process notices by itself that its Runtime API is gone, unless it is busy or stuck.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal};

use crate::private_fs;

/// A file for each process that runs, named by process id, holding what tells it from a later process with that id.
#[derive(Debug, Clone)]
pub(crate) struct Leftovers {
    dir: PathBuf,
}

impl Leftovers {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Notes a process that has just been started. Without the note it would only not be found after a crash.
    pub(crate) fn note(&self, pid: u32) {
        if let Some(birth) = birth(pid) {
            let _ = private_fs::create_dir_all(&self.dir);
            let _ = private_fs::write(&self.dir.join(pid.to_string()), birth.as_bytes());
        }
    }

    /// The process has been ended.
    pub(crate) fn forget(&self, pid: u32) {
        let _ = fs::remove_file(self.dir.join(pid.to_string()));
    }

    /// Ends what an earlier sandbox has left, if it is certain to be that.
    pub(crate) fn reap(&self) {
        for note in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let pid: Option<u32> = note.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(pid) = pid
                && let Ok(noted) = fs::read_to_string(note.path())
                && birth(pid).is_some_and(|birth| birth == noted)
                && let Some(group) = i32::try_from(pid).ok().and_then(Pid::from_raw)
            {
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
            }
            let _ = fs::remove_file(note.path());
        }
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

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").process_group(0).stdin(Stdio::null()).spawn().unwrap()
    }

    #[test]
    fn what_an_earlier_sandbox_left_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let leftovers = Leftovers::new(dir.path().join("processes"));
        let mut child = sleeper();
        leftovers.note(child.id());
        leftovers.reap();
        assert!(!child.wait().unwrap().success());
        assert_eq!(fs::read_dir(dir.path().join("processes")).unwrap().count(), 0);
    }

    #[test]
    fn another_process_under_a_noted_id_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let leftovers = Leftovers::new(dir.path().to_owned());
        let mut child = sleeper();
        fs::write(dir.path().join(child.id().to_string()), "some other time").unwrap();
        leftovers.reap();
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
