//! Lines of standard input, read by a separate thread, since a read cannot be interrupted.

use std::io::{self, BufRead, IsTerminal};
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

/// Standard input, line by line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Input {
    lines: Arc<Mutex<Option<mpsc::Receiver<String>>>>,
}

impl Input {
    /// Whether standard input is a terminal.
    pub(crate) fn is_terminal() -> bool {
        io::stdin().is_terminal()
    }

    /// The next line without its line break; `None` at the end. Cancel-safe.
    pub(crate) async fn line(&self) -> Option<String> {
        let mut lines = self.lines.lock().await;
        let receiver = lines.get_or_insert_with(|| {
            let (sender, receiver) = mpsc::channel(1);
            std::thread::spawn(move || {
                for line in io::stdin().lock().lines().map_while(Result::ok) {
                    if sender.blocking_send(line).is_err() {
                        return;
                    }
                }
            });
            receiver
        });
        receiver.recv().await
    }
}
