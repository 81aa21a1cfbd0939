//! What is sent to the sandbox and should not be: each is answered with the service's own error, and the sandbox goes on.

mod bodies;
mod documents;
mod heads;
mod objects;
mod signatures;
mod wire;

use thumbctl_test_support::in_process::Sandbox;
use wire::Wire;

/// Starts a sandbox, does something bad to it, and looks whether it still serves.
async fn sandbox(act: impl FnOnce(&Wire)) {
    let sandbox = Sandbox::ephemeral().await;
    let wire = Wire::to(&sandbox);
    // The wire waits as a client does, while the sandbox works on other threads.
    tokio::task::block_in_place(|| {
        act(&wire);
        wire.stays_open();
    });
    sandbox.stop().await;
}
