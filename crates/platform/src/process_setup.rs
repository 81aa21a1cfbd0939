//! What the program sets up for its own process before anything else.

use std::io;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

/// Turns the signal for a file that would grow beyond its limit (`ulimit -f`) into an ordinary write error, EFBIG. Left
/// alone, SIGXFSZ ends the process without a word. Programs that are started later get the default again.
///
/// # Errors
/// When the system does not let us.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn report_file_size_limit() -> io::Result<()> {
    // The handler stays when this is dropped; that the signal came is of no interest.
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

/// The same for a program that has no runtime.
///
/// # Errors
/// When the system does not let us.
pub fn report_file_size_limit_without_runtime() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _guard = runtime.enter();
    report_file_size_limit()
}

/// Keeps open files that this process has inherited from the programs that it starts: they would reach functions and
/// builds, and a sandbox would hold a caller's pipe or lock for as long as it runs. Standard input, output and error are
/// given on where that is meant.
pub fn close_inherited_files_on_exec() {
    close_fds::set_fds_cloexec(3, &[]);
}

/// Hides this process's environment, memory and open files from other processes of the same user, such as builds and
/// functions. The superuser still sees them.
#[cfg(target_os = "linux")]
pub fn hide_environment() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    // Forbidden nowhere; should it be, the sandbox is as visible as any other process.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Only Linux can hide a process's environment from others of its user.
#[cfg(not(target_os = "linux"))]
pub fn hide_environment() {}
