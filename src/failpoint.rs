//! Where a test may have the process killed, or the console panic. Not in release builds.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::event::{Event, EventKind};

/// Kills this process, as `kill -9` would, when the test asked for it at this event: a kill from outside could not hit an
/// exact place. `THUMBCTL_TEST_KILL_AFTER` is the event's number; `THUMBCTL_TEST_KILL_AFTER_MILESTONE` its number among
/// those events of which there are as many in every run, from 0.
pub(crate) fn after_event(event: &Event) {
    static KILL_AFTER: LazyLock<Option<u64>> = LazyLock::new(|| asked("THUMBCTL_TEST_KILL_AFTER"));
    static KILL_AFTER_MILESTONE: LazyLock<Option<u64>> = LazyLock::new(|| asked("THUMBCTL_TEST_KILL_AFTER_MILESTONE"));
    static MILESTONES: AtomicU64 = AtomicU64::new(0);
    let milestone = is_milestone(&event.kind).then(|| MILESTONES.fetch_add(1, Ordering::Relaxed));
    let here = *KILL_AFTER == Some(event.seq) || (milestone.is_some() && milestone == *KILL_AFTER_MILESTONE);
    if here {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Kills this process when the test asked for it at this place: `THUMBCTL_TEST_KILL_AT` is the place's name.
pub(crate) fn at(place: &str) {
    static KILL_AT: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("THUMBCTL_TEST_KILL_AT").ok());
    if KILL_AT.as_deref() == Some(place) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Panics in the console, when the test asked for it and this key is typed: `THUMBCTL_TEST_PANIC_AT_KEY` is the letter.
pub(crate) fn at_key(letter: char) {
    static PANIC_AT_KEY: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("THUMBCTL_TEST_PANIC_AT_KEY").ok());
    assert!(PANIC_AT_KEY.as_deref() != Some(letter.encode_utf8(&mut [0; 4])), "a test asked for this panic");
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// How much is told of logs, phases and waits depends on when they are looked at.
fn is_milestone(kind: &EventKind) -> bool {
    !matches!(
        kind,
        EventKind::LogLine { .. }
            | EventKind::BuildPhase { .. }
            | EventKind::StepProgress { .. }
            | EventKind::StepRetried { .. }
    )
}
