//! The setup of this process at its start.

use std::io;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

/// Handles SIGXFSZ, so that exceeding the file size limit (`ulimit -f`) is a write error, EFBIG, instead of a silent
/// termination. Child processes have the default again.
///
/// # Errors
/// When the system refuses.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn report_file_size_limit() -> io::Result<()> {
    // The handler remains installed after the drop; the signal itself is ignored.
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

/// The same for a program that has no runtime.
///
/// # Errors
/// When the system refuses.
pub fn report_file_size_limit_without_runtime() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _guard = runtime.enter();
    report_file_size_limit()
}

/// Sets close-on-exec for inherited files, which would otherwise reach functions and builds, and keep a caller's pipe or
/// lock open in a sandbox. Standard input, output and error are not affected.
pub fn close_inherited_files_on_exec() {
    close_fds::set_fds_cloexec(3, &[]);
}

/// Hides this process's environment, memory and open files from other processes of the same user, such as builds and
/// functions. The superuser still sees them.
#[cfg(target_os = "linux")]
pub fn hide_environment() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    // On failure the sandbox is as visible as any other process.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Does nothing: only Linux can hide a process's environment from its user's other processes.
#[cfg(not(target_os = "linux"))]
pub fn hide_environment() {}
