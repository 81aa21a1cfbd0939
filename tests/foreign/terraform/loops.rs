//! Deploy, inspect, test upload, destroy.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;

use thumbctl_core::event::{Event, EventKind, LogSource, Outcome, StrategyKind};
use thumbctl_core::resource::{ResourceKind, ResourceState};
use thumbctl_test_support::run_events::{assert_made, assert_succeeded, first, outputs};
use thumbctl_test_support::shared_provider::SharedProviders;
use thumbctl_test_support::{Program, list_everything};

use super::{program, terraform};

thumbctl_test_support::foreign_tests! {
    [Terraform] async: uploaded_image_becomes_a_thumbnail_and_destroy_leaves_nothing,
        first_half_can_be_deployed_alone_and_the_rest_later;
}

/// The lines of one log.
fn lines(events: &[Event], of: LogSource) -> Vec<&str> {
    let mut lines = Vec::new();
    for event in events {
        if let EventKind::LogLine { source, text, .. } = &event.kind
            && *source == of
        {
            lines.push(text.as_str());
        }
    }
    lines
}

/// The planned addresses.
fn planned(events: &[Event]) -> Vec<&str> {
    let mut planned = Vec::new();
    for event in events {
        if let EventKind::ChangePlanned { logical_id, .. } = &event.kind {
            planned.push(logical_id.as_str());
        }
    }
    planned
}

fn begins(event: &EventKind, of: &str) -> bool {
    matches!(event, EventKind::StepStarted { step } if step.as_str() == of)
}

/// No file of a deployment's folder has the sandbox's keys.
fn assert_no_credentials(program: &Program, secret: &str) {
    let mut folders = vec![program.state_dir().join("deployments")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            // The provider is a link, if it is there.
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = std::fs::read(&path).expect("a file");
                let found = content.windows(secret.len()).any(|part| part == secret.as_bytes());
                assert!(!found, "the secret key is in {}", path.display());
                files += 1;
            }
        }
    }
    assert!(files > 10, "there is a folder with files");
}

async fn uploaded_image_becomes_a_thumbnail_and_destroy_leaves_nothing() {
    let Some(found) = terraform() else { return };
    let mut program = program(&found);
    let sandbox = program.sandbox();
    let (name, content) = thumbctl_deploy::assets::sample_images()[2];
    program.file(name, content);

    let before = program.run(["plan", "--output", "json"]).ok().json();
    assert_eq!((&before["terraform_plan"]["add"], &before["strategy"]), (&24.into(), &"terraform".into()));
    assert!(program.journals("thumbnails").is_empty(), "a plan creates nothing");
    assert_eq!(list_everything(&sandbox.clients(), "").await, Vec::<String>::new());

    let deployed = program.run(["deploy", "--output", "json"]).ok().events();
    assert_succeeded(&deployed);
    let EventKind::RunStarted(started) = &deployed[0].kind else { panic!("a run starts with its start event") };
    assert_eq!(started.strategy, StrategyKind::Terraform);
    // The versions of Terraform and provider are recorded.
    let tools: Vec<&str> = deployed
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ToolFound { tool, version } if !version.is_empty() => Some(tool.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(tools, ["terraform", "registry.terraform.io/hashicorp/aws"]);

    // Planned changes are reported before the apply, and the starts of the provider are steps of their own.
    assert_eq!(planned(&deployed).len(), 24);
    let is_planned = |event: &EventKind| matches!(event, EventKind::ChangePlanned { .. });
    assert!(first(&deployed, is_planned) < first(&deployed, |event| begins(event, "apply_start")));
    assert!(first(&deployed, |event| begins(event, "plan_start")) < first(&deployed, |event| begins(event, "plan")));

    // Every resource is reported as in the other strategies: creating, then ready, after some time.
    assert_made(&deployed, &ResourceKind::ARCHITECTURE);
    // Terraform's output is a log of its own, and the build's log is reported as in the other strategies.
    let printed = lines(&deployed, LogSource::Terraform);
    assert!(
        printed.iter().any(|line| line.starts_with("aws_ecr_repository.function: Creation complete")),
        "{printed:#?}"
    );
    let text = program.run(["logs", "terraform"]).ok().stdout;
    assert_eq!(text.lines().count(), printed.len(), "the log is incomplete: {text}");
    let outputs = outputs(&deployed);
    for (name, kind) in [("build_project", ResourceKind::BuildProject), ("function", ResourceKind::Function)] {
        assert_eq!(outputs.get(name), Some(&started.names.of(kind)), "{outputs:?}");
    }
    let is_script = |event: &EventKind| matches!(event, EventKind::StepProgress { message, .. } if message == "terraform_data.build: script started");
    assert!(first(&deployed, is_script) > first(&deployed, |event| begins(event, "apply_start")));
    let built = lines(&deployed, LogSource::Build);
    assert!(built.iter().any(|line| line.contains("Phase complete: POST_BUILD State: SUCCEEDED")), "{built:#?}");
    let phases = deployed.iter().filter(|event| matches!(event.kind, EventKind::BuildPhase { .. })).count();
    assert!(phases > 8, "the build's phases are reported");
    assert_no_credentials(&program, &sandbox.secret_key);

    // So far Terraform has initialized the folder and launched its provider in thumbctl's environment: versions,
    // keys, the provider's start. From here on a shared provider is used.
    let providers = SharedProviders::start(1, &found, &mut program, &sandbox.exports);
    let _served = providers.serving("thumbnails");
    let status = program.run(["status", "--output", "json"]).ok().json();
    let resources = status["resources"].as_array().expect("a list");
    let kinds: Vec<&str> = resources.iter().filter_map(|resource| resource["resource"].as_str()).collect();
    assert_eq!(kinds, ResourceKind::ARCHITECTURE.map(ResourceKind::as_str));
    for resource in resources {
        assert_eq!((&resource["journal"], &resource["cloud"]), (&"ready".into(), &"there".into()), "{resource}");
    }
    let terraform = &status["terraform"];
    assert_eq!(*terraform, serde_json::json!({ "known": 24, "missing": [], "planned": [] }));

    // A second plan has no changes, and the folder is not initialized again.
    let again = program.run(["deploy", "--output", "json"]).ok().events();
    assert_eq!(planned(&again), Vec::<&str>::new());
    let finished: Vec<&str> = again
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::StepFinished { step, .. } => Some(step.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(finished, ["init", "plan_start", "plan"]);
    let printed = lines(&again, LogSource::Terraform);
    assert!(!printed.iter().any(|line| line.contains("Initializing")), "{printed:#?}");

    program.run(["upload", "--save", "thumbs", name]).ok();
    assert!(program.work_dir().join("thumbs").join(format!("thumb-{name}")).exists());

    // A resource is deleted outside Terraform: the state still has it, the cloud does not.
    let names = &started.names;
    let notification = aws_sdk_s3::types::NotificationConfiguration::builder().build();
    let source = names.of(ResourceKind::SourceBucket);
    let clients = sandbox.clients();
    let clear = clients.s3.put_bucket_notification_configuration().bucket(source);
    clear.notification_configuration(notification).send().await.expect("the notification is removed");
    let status = program.run(["status"]).ok().stdout;
    assert!(status.contains("aws_s3_bucket_notification.source") && status.contains("missing"), "{status}");

    let destroyed = program.run(["destroy", "--yes", "--output", "json"]).ok().events();
    assert_succeeded(&destroyed);
    let gone: BTreeSet<ResourceKind> = destroyed
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ResourceChanged { resource, state: ResourceState::Deleted, .. } => Some(*resource),
            _ => None,
        })
        .collect();
    assert!(gone.into_iter().eq(ResourceKind::ARCHITECTURE), "a resource is not reported as deleted");
    assert_eq!(list_everything(&sandbox.clients(), "").await, Vec::<String>::new());
    assert!(program.run(["destroy", "--yes"]).ok().stdout.contains("thing"), "the deployment is deleted");
}

/// Answers the prompts of `deploy --step`, and returns its events.
fn step_by_step(program: &Program, answers: &str) -> Vec<Event> {
    let mut command = program.command(["deploy", "--step", "--output", "json"]);
    let mut process =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be started");
    process.stdin.take().expect("piped").write_all(answers.as_bytes()).expect("it reads");
    let output = process.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
}

async fn first_half_can_be_deployed_alone_and_the_rest_later() {
    let Some(terraform) = terraform() else { return };
    let mut program = program(&terraform);
    let sandbox = program.sandbox();
    let providers = SharedProviders::start(1, &terraform, &mut program, &sandbox.exports);
    let _served = providers.serving("thumbnails");
    // Init, plan and apply of the first half; then the rest is planned, shown, and refused.
    let half = step_by_step(&program, "\n\n\n\nq\n");
    let outcome = half.last().map(|event| &event.kind);
    assert!(matches!(outcome, Some(EventKind::RunFinished { outcome: Outcome::Cancelled, .. })), "{half:#?}");
    let mut of_rest = planned(&half);
    of_rest.retain(|address| address.starts_with("module.function"));
    assert_eq!(of_rest.len(), 13, "the rest was planned: {of_rest:#?}");
    let there = list_everything(&sandbox.clients(), "thumbnails-").await;
    let has = |what: &str| there.iter().any(|thing| thing.starts_with(what));
    assert!(has("repository ") && has("project ") && !has("function "), "{there:#?}");
    // Prompts: the provider's start and its continuation are one decision.
    let starts = half.iter().filter(|event| matches!(event.kind, EventKind::StepStarted { .. })).count();
    assert_eq!(starts, 7, "init, plan and its start, apply and its start, the rest's plan and its start");

    // Without `--step`, the rest follows at once; nothing of the first half is recreated.
    let rest = program.run(["deploy", "--output", "json"]).ok().events();
    assert_succeeded(&rest);
    assert!(planned(&rest).iter().all(|address| address.starts_with("module.function")), "{:#?}", planned(&rest));
    let there = list_everything(&sandbox.clients(), "thumbnails-").await;
    assert_eq!(there.iter().filter(|thing| thing.starts_with("build ")).count(), 1, "it was built once");

    // Step by step on an existing deployment does not destroy its second half.
    let again = step_by_step(&program, "\n\n\n\n\n\n\n");
    assert_succeeded(&again);
    assert_eq!(planned(&again), Vec::<&str>::new());
    program.run(["destroy", "--yes"]).ok();
    assert_eq!(list_everything(&sandbox.clients(), "").await, Vec::<String>::new());
}
