//! Finds and kills the processes that a function or a build has started, in whatever session or process group they are.
//!
//! The marks are an environment variable with a unique value and, on Linux, a unique limit of the data segment. Children
//! inherit both; the limit also marks those that are started with another environment.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest as _, Sha256};

/// The time that killed processes have to end. One in uninterruptible sleep may take longer.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// A unique mark that every child of a process inherits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProcessMark {
    /// `NAME=value`, in the environment of the process.
    variable: String,
    /// The limit of its data segment, in bytes.
    data_limit: u64,
}

impl ProcessMark {
    /// Creates a mark from the variable `name` with the unique `value`. The data segment is limited to `least` bytes, or up to
    /// 1 GiB more.
    pub(crate) fn new(name: &str, value: &str, least: u64) -> Self {
        let hash = Sha256::digest(value);
        let unique = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) >> 2;
        Self { variable: format!("{name}={value}"), data_limit: least.saturating_add(unique.into()) }
    }

    /// Parses a mark that [`Self::to_text`] has written.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let (limit, variable) = text.split_once(' ')?;
        let (name, value) = variable.split_once('=')?;
        let data_limit = limit.parse().ok()?;
        (!name.is_empty() && !value.is_empty()).then(|| Self { variable: variable.to_owned(), data_limit })
    }

    /// The mark as one line.
    pub(crate) fn to_text(&self) -> String {
        format!("{} {}", self.data_limit, self.variable)
    }

    /// Limits the data segment of a process just started with the variable.
    #[cfg(target_os = "linux")]
    pub(crate) fn limit(&self, pid: Pid) {
        use rustix::process::{Resource, Rlimit, prlimit};

        let limit = Rlimit { current: Some(self.data_limit), maximum: Some(self.data_limit) };
        // May fail if the process has ended or the limit is lower already: the variable remains.
        let _ = prlimit(Some(pid), Resource::Data, limit);
    }

    /// Does nothing: elsewhere the variable is the whole mark.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn limit(&self, _pid: Pid) {}
}

/// A process in a listing.
struct ListedProcess {
    pid: i32,
    parent: i32,
    is_marked: bool,
}

/// Kills every process with one of the marks, the process `root`, and their descendants. Returns when none of them is left;
/// blocks for a few milliseconds.
pub(crate) fn kill_marked(marks: &[ProcessMark], root: Option<Pid>) {
    let root = root.map(|pid| pid.as_raw_nonzero().get());
    let deadline = Instant::now() + EXIT_TIMEOUT;
    let mut delay = Duration::from_millis(1);
    // A process may start another one after the listing: repeat until a listing finds none.
    loop {
        let found = find(&system::list(marks), root);
        for pid in found.iter().filter_map(|pid| Pid::from_raw(*pid)) {
            // May have ended, or belong to another user by now.
            let _ = kill_process(pid, Signal::KILL);
        }
        if found.is_empty() || Instant::now() > deadline {
            return;
        }
        std::thread::sleep(delay);
        delay = (delay * 2).min(Duration::from_millis(20));
    }
}

/// The marked processes, `root`, and their descendants; never this process.
fn find(listed: &[ListedProcess], root: Option<i32>) -> HashSet<i32> {
    let mut found: HashSet<i32> = listed
        .iter()
        .filter(|process| process.is_marked || Some(process.pid) == root)
        .map(|process| process.pid)
        .collect();
    loop {
        let before = found.len();
        found.extend(
            listed.iter().filter(|process| found.contains(&process.parent)).map(|it| it.pid).collect::<Vec<_>>(),
        );
        if found.len() == before {
            break;
        }
    }
    found.remove(&i32::try_from(std::process::id()).unwrap_or_default());
    found
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;

    use super::{ListedProcess, ProcessMark};

    /// All running processes.
    pub(super) fn list(marks: &[ProcessMark]) -> Vec<ListedProcess> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
                // The name, in parentheses, may contain any character.
                let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
                let state = fields.next()?;
                let parent = fields.next()?.parse().ok()?;
                if matches!(state, "Z" | "X") {
                    return None;
                }
                // Unreadable if it has ended or belongs to another user.
                let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
                let data_limit = data_limit(&fs::read_to_string(entry.path().join("limits")).unwrap_or_default());
                let has = |mark: &ProcessMark| {
                    data_limit == Some(mark.data_limit)
                        || environment.split(|byte| *byte == 0).any(|variable| variable == mark.variable.as_bytes())
                };
                Some(ListedProcess { pid, parent, is_marked: marks.iter().any(has) })
            })
            .collect()
    }

    /// The hard limit of the data segment: `Max data size  SOFT  HARD  bytes`.
    fn data_limit(limits: &str) -> Option<u64> {
        let line = limits.lines().find_map(|line| line.strip_prefix("Max data size"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{ListedProcess, ProcessMark};

    /// All running processes, from `ps`, which prints the environment after the command.
    pub(super) fn list(marks: &[ProcessMark]) -> Vec<ListedProcess> {
        let listed =
            std::process::Command::new("ps").args(["-A", "-E", "-ww", "-o", "pid=,ppid=,stat=,command="]).output();
        let listed = listed.map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&listed)
            .lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                let pid = words.next()?.parse().ok()?;
                let parent = words.next()?.parse().ok()?;
                if words.next()?.starts_with('Z') {
                    return None;
                }
                let is_marked = words.any(|word| marks.iter().any(|mark| word == mark.variable));
                Some(ListedProcess { pid, parent, is_marked })
            })
            .collect()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use super::*;

    /// Whether the process has ended; zombies count as ended.
    fn has_ended(pid: Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    }

    #[test]
    fn kill_marked_ends_detached_children_and_nothing_else() {
        let value = uuid::Uuid::new_v4().to_string();
        let mark = ProcessMark::new("THUMBCTL_TEST_MARK", &value, 1 << 40);
        let mut other =
            Command::new("sleep").arg("600").env("THUMBCTL_TEST_MARK", format!("{value}x")).spawn().unwrap();
        // One child has left the session, one is an orphan, one is an orphan without the environment. The shell's loop keeps it
        // alive whichever child is killed first.
        let script = "read go; setsid sleep 600 & echo $!; (sleep 600 & echo $!); (env -i sleep 600 & echo $!); \
                      while :; do sleep 600; done";
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).env("THUMBCTL_TEST_MARK", &value).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        mark.limit(Pid::from_child(&shell));
        shell.stdin.take().unwrap().write_all(b"go\n").unwrap();
        let lines = BufReader::new(shell.stdout.take().unwrap()).lines();
        let children: Vec<Pid> =
            lines.take(3).map(|line| Pid::from_raw(line.unwrap().parse().unwrap()).unwrap()).collect();
        kill_marked(&[ProcessMark::from_text(&mark.to_text()).unwrap()], None);
        assert_eq!(shell.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
        assert!(children.into_iter().all(has_ended));
        assert!(!has_ended(Pid::from_child(&other)));
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
