//! Builds: complete logs, immediate failures, other sources.

use aws_sdk_cloudwatchlogs::types::OutputLogEvent;
use thumbctl_core::event::{Event, EventKind, Failure, LogSource};
use thumbctl_core::resource::ResourceKind;

use thumbctl_test_support::whole_loop::{assert_nothing_left, names};
use thumbctl_test_support::{Clients, Program};

const NO_TOKEN: &str = r#"[{"service":"ecr","operation":"GetAuthorizationToken","kind":"error","status":400,
    "code":"AccessDeniedException","message":"no token today"}]"#;

fn build_log(events: &[Event]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::LogLine { source: LogSource::Build, text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

/// What CloudWatch Logs has, by the SDK.
async fn stored_log(clients: &Clients, group: &str) -> Vec<String> {
    let streams = clients.logs.describe_log_streams().log_group_name(group).send().await.expect("streams");
    let [stream] = streams.log_streams() else { panic!("one build, one stream") };
    let mut events: Vec<OutputLogEvent> = Vec::new();
    let mut token = None;
    loop {
        let page = clients.logs.get_log_events().log_group_name(group).start_from_head(true).limit(7);
        let page = page.set_log_stream_name(stream.log_stream_name.clone()).set_next_token(token.clone());
        let page = page.send().await.expect("a page");
        if page.next_forward_token == token {
            break;
        }
        token = page.next_forward_token;
        events.extend(page.events.unwrap_or_default());
    }
    events.iter().filter_map(OutputLogEvent::message).map(|text| text.trim_end_matches('\n').to_owned()).collect()
}

fn failure<'a>(events: &'a [Event], of: &str) -> &'a Failure {
    let failed = events.iter().find_map(|event| match &event.kind {
        EventKind::StepFailed { step, error, .. } if step.as_str() == of => Some(error),
        _ => None,
    });
    failed.expect("the step fails")
}

#[tokio::test]
async fn build_log_is_complete_and_ordered() {
    let program = Program::new();
    let sandbox = program.sandbox();
    let events = program.run(["deploy", "--output", "json"]).ok().events();
    let logged = build_log(&events);
    let stored = stored_log(&sandbox.clients(), &names(&events).of(ResourceKind::BuildLogGroup)).await;
    assert_eq!(logged, stored);
    assert!(logged.len() > 20 && logged[logged.len() - 2].contains("Phase complete: UPLOAD_ARTIFACTS"), "{logged:#?}");
    let phases: Vec<&str> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::BuildPhase { phase, status, seconds: Some(_), .. } if status == "SUCCEEDED" => Some(phase),
            _ => None,
        })
        .map(String::as_str)
        .collect();
    let expected = [
        "SUBMITTED",
        "QUEUED",
        "PROVISIONING",
        "DOWNLOAD_SOURCE",
        "INSTALL",
        "PRE_BUILD",
        "BUILD",
        "POST_BUILD",
        "UPLOAD_ARTIFACTS",
        "FINALIZING",
    ];
    assert_eq!(phases, expected);
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&sandbox.clients()).await;
}

#[tokio::test]
async fn failed_build_fails_deploy_at_once_with_reason() {
    let program = Program::new();
    let sandbox = program.sandbox_with_faults(NO_TOKEN);
    let deployed = program.run(["deploy", "--output", "json"]);
    let events = deployed.events();
    let reported = deployed.fails_with(1);
    assert!(reported.contains("failed in phase PRE_BUILD: COMMAND_EXECUTION_ERROR: "), "{reported}");
    assert!(reported.contains("hint: login to ECR failed"), "{reported}");
    let logged = build_log(&events);
    let failure = failure(&events, "build");
    assert_eq!(failure.log, logged[logged.len() - 20..], "the last 20 lines");
    assert!(failure.log.iter().any(|line| line.contains("no token today")), "{failure:#?}");
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&sandbox.clients()).await;
}

#[tokio::test]
async fn deploy_rebuilds_after_failed_build() {
    let program = Program::new();
    let once = NO_TOKEN.replace(r#""kind""#, r#""times":1,"kind""#);
    let sandbox = program.sandbox_with_faults(&once);
    program.run(["deploy"]).fails_with(1);
    program.run(["deploy"]).ok();
    let status = program.run(["status"]).ok().stdout;
    assert!(status.contains("15 resources: 15 exist"), "{status}");
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&sandbox.clients()).await;
}

#[tokio::test]
async fn github_source_warns_about_embedded_function() {
    let program = Program::new();
    program.configure("[build]\nsource = \"github\"\n");
    let events = program.run(["deploy", "--output", "json"]).ok().events();
    let log = build_log(&events).join("\n");
    let words = "does not fetch https://github.com/Faaizz/s3_thumbnail_creator: it builds the function's source embedded in thumbctl";
    assert!(log.contains(words), "{log}");
    let made = |event: &Event| match &event.kind {
        EventKind::ResourceChanged { resource, .. } => *resource == ResourceKind::BuildSourceBucket,
        _ => false,
    };
    assert!(!events.iter().any(made), "no bucket for a source that is not ours");
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&program.join().await.clients).await;
}
