//! Invalid input: each request returns the service's own error, and the sandbox keeps running.

mod bodies;
mod documents;
mod heads;
mod objects;
mod signatures;
mod wire;

use thumbctl_test_support::in_process::Sandbox;
use wire::Wire;

/// Starts a sandbox, sends invalid input to it, and checks that it still serves requests.
async fn sandbox(send_input: impl FnOnce(&Wire)) {
    let sandbox = Sandbox::ephemeral().await;
    let wire = Wire::to(&sandbox);
    // The client blocks while the sandbox runs on other threads.
    tokio::task::block_in_place(|| {
        send_input(&wire);
        wire.assert_responsive();
    });
    sandbox.stop().await;
}
