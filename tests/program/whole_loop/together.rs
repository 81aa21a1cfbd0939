//! Two commands at once, and the sandbox that they share.

use thumbctl_test_support::whole_loop::{assert_nothing_left, deploy, deploy_without_others, has_begun, samples};
use thumbctl_test_support::{Program, list_everything, wait_for};

#[tokio::test]
async fn deployment_is_locked_by_one_command() {
    let program = Program::new();
    deploy_without_others(&program);
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&program.join().await.clients).await;
}

#[tokio::test]
async fn two_deployments_share_a_sandbox() {
    let program = Program::new();
    let one = program.start(["deploy", "--name", "one"]);
    let two = program.start(["deploy", "--name", "two"]);
    one.wait().ok();
    two.wait().ok();
    wait_for("the sandbox's end", || (!program.has_sandbox()).then_some(()));
    let joined = program.join().await;
    for name in ["one-", "two-"] {
        let there = list_everything(&joined.clients, name).await;
        assert!(there.len() > 12, "{there:#?}");
    }
    program.run(["destroy", "--name", "one", "--yes"]).ok();
    assert!(list_everything(&joined.clients, "one-").await.is_empty());
    assert!(list_everything(&joined.clients, "two-").await.len() > 12, "what is another's is left alone");
    program.run(["destroy", "--name", "two", "--yes"]).ok();
    assert_nothing_left(&joined.clients).await;
}

#[test]
fn concurrent_uploads_succeed() {
    let program = Program::new();
    let images = samples(&program);
    deploy(&program);
    let save = ["a", "b", "c"];
    let uploads: Vec<_> =
        save.iter().map(|dir| program.start([&["upload", "--save", dir], &images[..]].concat())).collect();
    for upload in uploads {
        upload.wait().ok();
    }
    for dir in save {
        for image in &images {
            assert!(program.work_dir().join(dir).join(format!("thumb-{image}")).exists(), "{dir} {image}");
        }
    }
    assert_eq!(program.journals("thumbnails").len(), 4, "each has a journal of its own");
    program.run(["destroy", "--yes"]).ok();
}

#[tokio::test]
async fn sandbox_outlives_starting_command_while_leased() {
    let program = Program::new();
    let mut host = program.start(["deploy", "--output", "json"]);
    host.wait_for_event("the run's beginning", has_begun);
    let pid = program.sandbox_pid();
    let guest = program.join().await;
    host.wait().ok();
    assert_eq!(program.sandbox_pid(), pid, "it is the same one");
    assert!(list_everything(&guest.clients, "").await.len() > 12);
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&guest.clients).await;
    assert_eq!(program.sandbox_pid(), pid, "it is the same one");
    drop(guest);
    wait_for("the sandbox's end", || (!program.has_sandbox()).then_some(()));
}

#[tokio::test]
async fn sandbox_ends_after_failed_build() {
    let program = Program::new();
    let faults = program.file("faults.json", r#"[{"service":"ecr","operation":"GetAuthorizationToken","kind":"error","status":400,"code":"AccessDeniedException"}]"#);
    let guest = program.join_with(["--faults".into(), faults.into()]).await;
    program.run(["deploy"]).fails_with(1);
    drop(guest);
    wait_for("the sandbox's end", || (!program.has_sandbox()).then_some(()));
    // Its lock is released just before its process ends.
    wait_for("the end of all that it started", || program.processes().is_empty().then_some(()));
    program.run(["deploy"]).ok();
    program.run(["destroy", "--yes"]).ok();
}
