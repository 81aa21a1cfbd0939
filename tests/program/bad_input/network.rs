//! A lost network connection.

use thumbctl_core::event::EventKind;

use thumbctl_test_support::whole_loop::assert_nothing_left;
use thumbctl_test_support::{Finished, Program};

/// Deploys, and kills the sandbox once the build runs.
fn cut_off(program: &Program) -> Finished {
    let sandbox = program.sandbox();
    let mut deploy = program.start(["deploy", "--output", "json"]);
    deploy.wait_for_event("the build's log", |kind| matches!(kind, EventKind::LogLine { .. }));
    sandbox.kill();
    deploy.wait()
}

#[tokio::test]
async fn deploy_resumes_after_lost_connection() {
    let program = Program::new();
    let printed = cut_off(&program).fails_with(1);
    assert!(printed.contains("cannot reach the endpoint") || printed.contains("cannot read the response"), "{printed}");
    assert!(printed.contains("hint: "), "{printed}");
    program.run(["deploy"]).ok();
    let status = program.run(["status"]).ok().stdout;
    assert!(status.contains("15 resources: 15 exist"), "{status}");
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&program.join().await.clients).await;
}

#[tokio::test]
async fn destroy_works_after_lost_connection() {
    let program = Program::new();
    cut_off(&program).fails_with(1);
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&program.join().await.clients).await;
}

#[test]
fn lost_connection_fails_upload_with_hint() {
    let program = Program::new();
    let good = super::picture(&program);
    let sandbox = program.sandbox();
    program.run(["deploy"]).ok();
    sandbox.kill();
    let faults = r#"[{"service":"s3","operation":"PutObject","kind":"hang"}]"#;
    let sandbox = program.sandbox_with_faults(faults);
    let mut upload = program.start(["upload", "--output", "json", good]);
    upload.wait_for_event("the step's beginning", |kind| matches!(kind, EventKind::StepStarted { .. }));
    sandbox.kill();
    let reported = upload.wait().fails_with(1);
    assert!(reported.contains(good) && reported.contains("hint: "), "{reported}");
    program.run(["destroy", "--yes"]).ok();
}
