//! Many images at once.

use thumbctl_test_support::Program;
use thumbctl_test_support::whole_loop::{assert_all_become_thumbnails, assert_nothing_left, deploy};

#[tokio::test]
async fn twenty_images_at_once_become_twenty_thumbnails() {
    let program = Program::new();
    let joined = program.join().await;
    let clients = &joined.clients;
    let names = deploy(&program);
    assert_all_become_thumbnails(clients, &names).await;
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(clients).await;
}
