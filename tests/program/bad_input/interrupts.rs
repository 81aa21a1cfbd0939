//! Ctrl-C: the first cancels gracefully, the second exits at once; the journal is correct in both cases.

use aws_sdk_codebuild::types::StatusType;
use rustix::process::Signal;
use thumbctl_core::event::{EventKind, Outcome};
use thumbctl_test_support::whole_loop::assert_nothing_left;
use thumbctl_test_support::{Program, Running, list_everything};

use super::outcome;

/// A build that runs until it is stopped: its login never returns.
const SLOW_BUILD: &str = r#"[{"service":"ecr","operation":"GetAuthorizationToken","times":1,"kind":"hang"}]"#;

fn deploy_until_the_build_runs(program: &Program) -> Running {
    let mut deploy = program.start(["deploy", "--output", "json"]);
    deploy.wait_for_event("the build's log-in", |kind| match kind {
        EventKind::LogLine { text, .. } => text.contains("get-login-password"),
        _ => false,
    });
    deploy
}

#[tokio::test]
async fn first_interrupt_cancels_and_stops_build() {
    let program = Program::new();
    let sandbox = program.sandbox_with_faults(SLOW_BUILD);
    let clients = sandbox.clients();
    let deploy = deploy_until_the_build_runs(&program);
    deploy.signal(Signal::INT);
    let cancelled = deploy.wait();
    assert_eq!(outcome(&cancelled.events()), Some(Outcome::Cancelled));
    let cancelled = cancelled.ends_with(130);
    assert!(cancelled.stderr.contains("cancelling: running steps finish"), "{cancelled}");
    assert_eq!(outcome(&program.journalled("thumbnails")), Some(Outcome::Cancelled), "the journal has the outcome");
    let builds = clients.codebuild.list_builds().send().await.expect("builds");
    let builds = clients.codebuild.batch_get_builds().set_ids(builds.ids).send().await.expect("builds");
    let states: Vec<_> = builds.builds().iter().map(|build| build.build_status().cloned()).collect();
    assert_eq!(states, [Some(StatusType::Stopped)]);
    program.run(["deploy"]).ok();
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&clients).await;
}

#[tokio::test]
async fn second_interrupt_exits_at_once() {
    let program = Program::new();
    // The build does not end, and cannot be stopped: only the second signal can end this.
    let faults = r#"[{"service":"ecr","operation":"GetAuthorizationToken","times":1,"kind":"hang"},
                     {"service":"codebuild","operation":"StopBuild","times":1,"kind":"hang"}]"#;
    let sandbox = program.sandbox_with_faults(faults);
    let mut deploy = deploy_until_the_build_runs(&program);
    deploy.signal(Signal::INT);
    deploy.wait_for_event("the stopping of the build", |kind| match kind {
        EventKind::StepProgress { message, .. } => message == "stopping the build",
        _ => false,
    });
    deploy.signal(Signal::INT);
    deploy.wait().ends_with(130);
    let journalled = program.journalled("thumbnails");
    assert_eq!(outcome(&journalled), None, "the run was not ended in order");
    assert!(!list_everything(&sandbox.clients(), "thumbnails-").await.is_empty());
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&sandbox.clients()).await;
}

#[tokio::test]
async fn interrupted_demo_deletes_its_resources() {
    let program = Program::new();
    let sandbox = program.sandbox_with_faults(SLOW_BUILD);
    let mut demo = program.start(["demo", "--output", "json"]);
    demo.wait_for_event("the build", |kind| matches!(kind, EventKind::LogLine { .. }));
    demo.signal(Signal::INT);
    let stopped = demo.wait().ends_with(130);
    assert!(stopped.stderr.contains("Deleting the resources"), "{stopped}");
    assert_nothing_left(&sandbox.clients()).await;
}

#[test]
fn interrupted_foreground_sandbox_keeps_data() {
    let program = Program::new();
    let sandbox = program.sandbox();
    let stopped = sandbox.interrupt().ok();
    assert!(stopped.stderr.contains("its data is kept"), "{stopped}");
}
