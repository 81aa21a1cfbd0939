//! Ctrl-C and SIGTERM: the first cancels in order what can be cancelled in order, the second stops at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use thumbctl_platform::terminal::print_error;

/// The exit code of what the user stopped.
const INTERRUPTED: i32 = 130;

/// Hears the signals.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    cancelled: CancellationToken,
    orderly: Arc<AtomicBool>,
}

/// While it lives, the first signal cancels instead of stopping at once.
#[derive(Debug)]
pub(crate) struct Orderly {
    orderly: Arc<AtomicBool>,
    token: CancellationToken,
}

impl Interrupt {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the system does not let us.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        let this = Self { cancelled: CancellationToken::new(), orderly: Arc::default() };
        let heard = this.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupts.recv() => {}
                    _ = terminations.recv() => {}
                }
                if heard.cancelled.is_cancelled() || !heard.orderly.load(Ordering::SeqCst) {
                    // The terminal has just written ^C where the cursor was.
                    print_error("\n");
                    std::process::exit(INTERRUPTED);
                }
                heard.cancelled.cancel();
            }
        });
        Ok(this)
    }

    /// Says that from now on there is something that can be cancelled in order. What begins after a signal, such as the
    /// cleaning up, is not cancelled by that signal; the next one stops it at once.
    pub(crate) fn orderly(&self) -> Orderly {
        self.orderly.store(true, Ordering::SeqCst);
        let token = if self.cancelled.is_cancelled() { CancellationToken::new() } else { self.cancelled.child_token() };
        Orderly { orderly: Arc::clone(&self.orderly), token }
    }

    /// Whether a signal has come.
    pub(crate) fn happened(&self) -> bool {
        self.cancelled.is_cancelled()
    }
}

impl Orderly {
    /// Is cancelled by the signal.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }
}

impl Drop for Orderly {
    fn drop(&mut self) {
        self.orderly.store(false, Ordering::SeqCst);
    }
}
