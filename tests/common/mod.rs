//! What drives the real program: each test has a home, a state directory and an environment of its own, and leaves
//! neither files nor processes behind.
#![allow(dead_code, unused_imports)]

pub mod aws_tools;
mod clients;
pub mod console;
pub mod in_process;
mod listing;
mod program;
mod provider_proxy;
mod running;
mod sandbox;
pub mod shared_provider;
pub mod told;
pub mod tools;

use std::future::Future;
use std::time::{Duration, Instant};

pub use clients::{Clients, config};
pub use listing::list_everything;
pub use program::Program;
pub use running::{Finished, Running};
pub use sandbox::{Joined, Sandbox};

/// The longest that anything is waited for.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Asks, at growing intervals, until there is an answer.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    let mut delay = Duration::from_millis(2);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(delay);
        delay = (delay * 2).min(Duration::from_millis(50));
    }
}

/// The same for what has to be asked over the network.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    let mut delay = Duration::from_millis(5);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(Duration::from_millis(100));
    }
}
