//! Drives the real program: each test has its own home, state directory and environment, and leaves
//! neither files nor processes.

pub mod aws_tools;
mod clients;
pub mod cloudformation;
pub mod console;
pub mod descriptions;
pub mod foreign;
pub mod in_process;
mod listing;
pub mod policies;
mod program;
mod provider_proxy;
pub mod run_events;
mod running;
mod sandbox;
pub mod shared_provider;
pub mod shared_sandbox;
pub mod tools;
pub mod whole_loop;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

pub use clients::{Clients, config};
pub use listing::list_everything;
pub use program::Program;
pub use running::{Finished, Running};
pub use sandbox::{Joined, Sandbox};

/// The program under test, built by cargo beside the tests.
///
/// # Panics
/// When it does not exist.
pub fn thumbctl() -> &'static str {
    static PROGRAM: LazyLock<String> = LazyLock::new(|| {
        let tests = std::env::current_exe().expect("a running test has a program");
        // target/PROFILE/deps/TEST
        let folder = tests.parent().and_then(Path::parent).expect("cargo's folders");
        let program = folder.join("thumbctl");
        assert!(program.is_file(), "{} does not exist: `cargo test` builds it", program.display());
        program.into_os_string().into_string().expect("a path of plain characters")
    });
    &PROGRAM
}

/// The function as a program of its own, if cargo has built it (`cargo test` does; with `--test` it does not): with it, builds
/// take a fraction of the time.
pub(crate) fn function_program() -> Option<PathBuf> {
    let program = Path::new(thumbctl()).with_file_name("examples").join("thumbnail_function");
    program.is_file().then_some(program)
}

/// A file of this repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The longest wait for anything.
pub const TIMEOUT: Duration = Duration::from_secs(180);

/// Polls, at growing intervals, until there is a result.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    let mut delay = Duration::from_millis(2);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < TIMEOUT, "waited in vain for {what}");
        std::thread::sleep(delay);
        delay = (delay * 2).min(Duration::from_millis(50));
    }
}

/// The same for async polls.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    let mut delay = Duration::from_millis(5);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < TIMEOUT, "waited in vain for {what}");
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(Duration::from_millis(100));
    }
}
