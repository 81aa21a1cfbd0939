//! [`Signals`]: the Unix signals of the console.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The Unix signals of the console.
pub(super) struct Signals {
    /// SIGTERM.
    pub(super) terminations: Signal,
    /// SIGHUP: the terminal was closed.
    pub(super) hangups: Signal,
    /// SIGINT from another process.
    pub(super) interrupts: Signal,
    /// SIGTSTP from another process.
    pub(super) stops: Signal,
    /// SIGWINCH: the terminal was resized.
    pub(super) sizes: Signal,
}

impl Signals {
    /// Registers the signal handlers.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminations: signal(SignalKind::terminate())?,
            hangups: signal(SignalKind::hangup())?,
            interrupts: signal(SignalKind::interrupt())?,
            sizes: signal(SignalKind::window_change())?,
            stops: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
        })
    }
}
