//! [`Signals`]: what the system tells the console.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that the console hears.
pub(super) struct Signals {
    /// The program is to end.
    pub(super) terminations: Signal,
    /// The terminal has gone.
    pub(super) hangups: Signal,
    /// The program is to end: Ctrl-C from elsewhere.
    pub(super) interrupts: Signal,
    /// Ctrl-Z from elsewhere: `kill -TSTP`.
    pub(super) stops: Signal,
    /// The terminal has another size.
    pub(super) sizes: Signal,
}

impl Signals {
    /// Begins to listen.
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
