//! Where a test may have the process killed, the console panic, or a build use another program. Not in release builds.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Kills this process, as `kill -9` would, when the test asked for it at this event: a kill from outside could not hit an
/// exact place. `THUMBCTL_TEST_KILL_AFTER` is the event's number; `THUMBCTL_TEST_KILL_AFTER_MILESTONE` its number among
/// those events of which there are as many in every run, from 0.
pub fn after_event(number: u64, is_milestone: bool) {
    static KILL_AFTER: LazyLock<Option<u64>> = LazyLock::new(|| asked("THUMBCTL_TEST_KILL_AFTER"));
    static KILL_AFTER_MILESTONE: LazyLock<Option<u64>> = LazyLock::new(|| asked("THUMBCTL_TEST_KILL_AFTER_MILESTONE"));
    static MILESTONES: AtomicU64 = AtomicU64::new(0);
    let milestone = is_milestone.then(|| MILESTONES.fetch_add(1, Ordering::Relaxed));
    let here = *KILL_AFTER == Some(number) || (milestone.is_some() && milestone == *KILL_AFTER_MILESTONE);
    if here {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Kills this process when the test asked for it at this place: `THUMBCTL_TEST_KILL_AT` is the place's name.
pub fn at(place: &str) {
    static KILL_AT: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("THUMBCTL_TEST_KILL_AT").ok());
    if KILL_AT.as_deref() == Some(place) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Panics in the console, when the test asked for it and this key is typed: `THUMBCTL_TEST_PANIC_AT_KEY` is the letter.
pub fn at_key(letter: char) {
    static PANIC_AT_KEY: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("THUMBCTL_TEST_PANIC_AT_KEY").ok());
    assert!(PANIC_AT_KEY.as_deref() != Some(letter.encode_utf8(&mut [0; 4])), "a test asked for this panic");
}

/// The function that builds hand over in place of this program: a test's own build of it, which is much smaller.
pub fn function_program() -> Option<PathBuf> {
    std::env::var_os("THUMBCTL_TEST_FUNCTION").map(PathBuf::from)
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
