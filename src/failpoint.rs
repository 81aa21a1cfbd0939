//! Where a test may have the process killed. Not in release builds.

/// Kills this process, as `kill -9` would, when the test asked for it at this event: `THUMBCTL_TEST_KILL_AFTER` is the
/// event's number. A kill from outside could not hit an exact place.
pub(crate) fn after_event(seq: u64) {
    static KILL_AFTER: std::sync::LazyLock<Option<u64>> =
        std::sync::LazyLock::new(|| std::env::var("THUMBCTL_TEST_KILL_AFTER").ok()?.parse().ok());
    if *KILL_AFTER == Some(seq) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}
