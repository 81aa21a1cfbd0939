//! Ctrl-C and SIGTERM: the first cancels gracefully where possible, the second exits at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use thumbctl_platform::terminal::print_error;

/// The exit code of an interrupted command.
const INTERRUPTED: i32 = 130;

/// The signal handler.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    cancelled: CancellationToken,
    is_graceful: Arc<AtomicBool>,
}

/// While it exists, the first signal cancels gracefully instead of exiting.
#[derive(Debug)]
pub(crate) struct GracefulCancel {
    is_graceful: Arc<AtomicBool>,
    token: CancellationToken,
}

impl Interrupt {
    /// Installs the handler.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        let this = Self { cancelled: CancellationToken::new(), is_graceful: Arc::default() };
        let handler = this.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupts.recv() => {}
                    _ = terminations.recv() => {}
                }
                if handler.cancelled.is_cancelled() || !handler.is_graceful.load(Ordering::SeqCst) {
                    // The terminal has just printed ^C.
                    print_error("\n");
                    std::process::exit(INTERRUPTED);
                }
                handler.cancelled.cancel();
            }
        });
        Ok(this)
    }

    /// Enables graceful cancellation. An operation that starts after a signal, such as the cleanup, is not cancelled by it;
    /// the next signal exits at once.
    pub(crate) fn graceful(&self) -> GracefulCancel {
        self.is_graceful.store(true, Ordering::SeqCst);
        let token = if self.cancelled.is_cancelled() { CancellationToken::new() } else { self.cancelled.child_token() };
        GracefulCancel { is_graceful: Arc::clone(&self.is_graceful), token }
    }

    /// Whether a signal was received.
    pub(crate) fn happened(&self) -> bool {
        self.cancelled.is_cancelled()
    }
}

impl GracefulCancel {
    /// The token that the signal cancels.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }
}

impl Drop for GracefulCancel {
    fn drop(&mut self) {
        self.is_graceful.store(false, Ordering::SeqCst);
    }
}
