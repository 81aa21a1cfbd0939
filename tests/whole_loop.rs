//! The whole loop: deployed, tried, and taken down again, by the real program in the real sandbox.

mod common;

use common::{Program, list_everything};

#[tokio::test]
async fn what_was_deployed_is_gone_after_destroy() {
    let program = Program::new();
    program.run(["deploy", "--output", "json"]).ok().events();
    let sandbox = program.join().await;
    assert!(list_everything(&sandbox.clients, "thumbnails-").await.len() > 12);
    drop(sandbox);
    program.run(["destroy", "--yes"]).ok();
    let sandbox = program.join().await;
    assert_eq!(list_everything(&sandbox.clients, "").await, [""; 0]);
}
