//! Test hooks: kill the process, panic in the console, replace the function's program. Not in release builds.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Kills this process with SIGKILL after the event selected by a test, at an exact point.
/// `THUMBCTL_TEST_KILL_AFTER` is the event's number, `THUMBCTL_TEST_KILL_AFTER_MILESTONE` its number, from 0, among the
/// events that occur equally often in every run.
pub fn after_event(event: u64, is_milestone: bool) {
    static KILL_AFTER: LazyLock<Option<u64>> = LazyLock::new(|| number("THUMBCTL_TEST_KILL_AFTER"));
    static KILL_AFTER_MILESTONE: LazyLock<Option<u64>> = LazyLock::new(|| number("THUMBCTL_TEST_KILL_AFTER_MILESTONE"));
    static MILESTONES: AtomicU64 = AtomicU64::new(0);
    let milestone = is_milestone.then(|| MILESTONES.fetch_add(1, Ordering::Relaxed));
    let here = *KILL_AFTER == Some(event) || (milestone.is_some() && milestone == *KILL_AFTER_MILESTONE);
    if here {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Kills this process at the place selected by a test with `THUMBCTL_TEST_KILL_AT`.
pub fn at(place: &str) {
    static KILL_AT: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("THUMBCTL_TEST_KILL_AT").ok());
    if KILL_AT.as_deref() == Some(place) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Panics in the console at the key selected by a test with `THUMBCTL_TEST_PANIC_AT_KEY`.
pub fn at_key(letter: char) {
    static PANIC_AT_KEY: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("THUMBCTL_TEST_PANIC_AT_KEY").ok());
    assert!(PANIC_AT_KEY.as_deref() != Some(letter.encode_utf8(&mut [0; 4])), "a test asked for this panic");
}

/// The function's program to use in builds, set by a test: much smaller than this program.
pub fn function_program() -> Option<PathBuf> {
    std::env::var_os("THUMBCTL_TEST_FUNCTION").map(PathBuf::from)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
