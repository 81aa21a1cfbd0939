//! Deploy, look, try, look again, destroy.

use std::collections::{BTreeMap, BTreeSet};

use thumbctl_core::event::{Event, EventKind, LogSource, Outcome, TestUploadStage};
use thumbctl_core::resource::ResourceKind;
use thumbctl_test_support::whole_loop::{assert_nothing_left, deploy, names, samples};
use thumbctl_test_support::{Program, list_everything};

use super::compare::{decode, psnr};

fn outcome(events: &[Event]) -> Option<Outcome> {
    match events.last()?.kind {
        EventKind::RunFinished { outcome, .. } => Some(outcome),
        _ => None,
    }
}

/// Checks that the events of a run are complete.
#[track_caller]
fn assert_whole(events: &[Event]) {
    assert!(events.iter().map(|event| event.seq).eq(0..events.len() as u64));
    assert!(matches!(events[0].kind, EventKind::RunStarted(_)));
    assert_eq!(outcome(events), Some(Outcome::Succeeded));
}

/// Checks that each saved thumbnail equals Pillow's within an invisible difference.
#[track_caller]
fn assert_like_the_references(program: &Program, dir: &str) {
    for (name, _) in thumbctl_deploy::assets::sample_images() {
        let reference = format!("{}/tests/references/{name}.png", env!("CARGO_MANIFEST_DIR"));
        let (width, height, theirs) = decode("image/png", &std::fs::read(reference).expect("a reference"));
        let extension = name.rsplit('.').next().expect("an extension").replace("jpg", "jpeg");
        let saved = std::fs::read(program.work_dir().join(dir).join(format!("thumb-{name}"))).expect("a thumbnail");
        let ours = decode(&format!("image/{extension}"), &saved);
        assert_eq!((ours.0, ours.1), (width, height), "{name}");
        let psnr = psnr(&ours.2, &theirs);
        assert!(psnr >= 28.0, "{name}: {psnr:.1} dB");
    }
}

#[tokio::test]
async fn deploy_upload_and_destroy_leave_nothing() {
    let program = Program::with_its_own_function();
    let images = samples(&program);

    let deployed = program.run(["deploy", "--output", "json"]).ok().events();
    assert_whole(&deployed);
    assert_eq!(program.journalled("thumbnails"), deployed, "the output equals the journal");

    let status = program.run(["status", "--output", "json"]).ok().json();
    let resources = status["resources"].as_array().expect("a list");
    let kinds: Vec<&str> = resources.iter().filter_map(|resource| resource["resource"].as_str()).collect();
    assert_eq!(kinds, ResourceKind::ARCHITECTURE.map(ResourceKind::as_str));
    for resource in resources {
        assert_eq!((&resource["journal"], &resource["cloud"]), (&"ready".into(), &"there".into()), "{resource}");
    }

    let mut command = vec!["upload", "--save", "thumbs", "--output", "json"];
    command.extend(&images);
    let uploaded = program.run(command).ok().events();
    assert_whole(&uploaded);
    let mut stages: BTreeMap<&str, BTreeSet<TestUploadStage>> = BTreeMap::new();
    for event in &uploaded {
        if let EventKind::TestUploadStage { image, stage, .. } = &event.kind {
            stages.entry(image).or_default().insert(*stage);
        }
    }
    let all = BTreeSet::from([
        TestUploadStage::Uploaded,
        TestUploadStage::Invoked,
        TestUploadStage::Thumbnail,
        TestUploadStage::Saved,
    ]);
    assert!(images.iter().all(|image| stages[image] == all), "{stages:?}");
    assert_like_the_references(&program, "thumbs");

    let build = program.run(["logs", "build"]).ok().stdout;
    assert!(build.contains("Phase complete: POST_BUILD State: SUCCEEDED"), "{build}");
    let function = program.run(["logs", "function"]).ok().stdout;
    for line in ["START RequestId: ", "END RequestId: ", "REPORT RequestId: ", "thumb"] {
        assert!(function.contains(line), "{line} is missing in {function}");
    }
    let plan = program.run(["plan"]).ok().stdout;
    assert!(plan.contains(&names(&deployed).of(ResourceKind::SourceBucket)), "the plan has the names that are in use");

    let destroyed = program.run(["destroy", "--yes", "--output", "json"]).ok().events();
    assert_whole(&destroyed);
    let again = program.run(["destroy", "--yes"]).ok().stdout;
    assert!(again.starts_with("Nothing is deployed as 'thumbnails'."), "{again}");
    assert_nothing_left(&program.join().await.clients).await;
}

#[tokio::test]
async fn demo_shows_every_step() {
    let program = Program::with_its_own_function();
    let demo = program.run(["demo"]).ok();
    for words in ["Deployment", "Thumbnails", "Total", "deploy", "images", "destroy", "all"] {
        assert!(demo.stdout.contains(words), "{words} is missing in {}", demo.stdout);
    }
    assert_eq!(demo.stderr, "");
    assert_like_the_references(&program, "thumbnails");
    assert_nothing_left(&program.join().await.clients).await;
}

#[tokio::test]
async fn parallelism_one_runs_steps_in_sequence() {
    let program = Program::new();
    for command in [&["deploy"][..], &["destroy", "--yes"]] {
        let events = program.run([command, &["--parallelism", "1", "--output", "json"]].concat()).ok().events();
        assert_whole(&events);
        let mut running = None;
        for event in &events {
            match &event.kind {
                EventKind::StepStarted { step } => assert_eq!(running.replace(step), None, "while {step} begins"),
                EventKind::StepFinished { step, .. } => assert_eq!(running.take(), Some(step)),
                _ => {}
            }
        }
    }
    assert_nothing_left(&program.join().await.clients).await;
}

#[tokio::test]
async fn deployment_survives_killed_sandbox() {
    let program = Program::new();
    let images = samples(&program);
    let sandbox = program.sandbox();
    let names = deploy(&program);
    program.run(["upload", images[0]]).ok();
    let before = list_everything(&sandbox.clients(), "").await;
    sandbox.kill();
    let joined = program.join().await;
    assert_eq!(list_everything(&joined.clients, "").await, before);
    drop(joined);
    program.run(["upload", "--save", "later", images[1]]).ok();
    let status = program.run(["status"]).ok().stdout;
    assert!(status.contains("15 resources: 15 exist"), "{status}");
    assert!(status.contains(&names.of(ResourceKind::Function)), "{status}");
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&program.join().await.clients).await;
}

#[tokio::test]
async fn resources_are_tagged_and_function_matches_settings() {
    let program = Program::new();
    let sandbox = program.sandbox();
    let clients = sandbox.clients();
    let names = deploy(&program);
    let status = program.run(["status", "--output", "json"]).ok().json();
    let arn_of = |kind: ResourceKind| {
        let resources = status["resources"].as_array().expect("a list");
        let resource = resources.iter().find(|resource| resource["resource"] == kind.as_str()).expect("a resource");
        resource["arn"].as_str().expect("an ARN").to_owned()
    };
    let expected = BTreeMap::from([
        ("thumbctl:deployment", "thumbnails"),
        ("thumbctl:strategy", "sdk"),
        ("thumbctl:region", "us-east-1"),
    ]);
    let expected: BTreeMap<String, String> =
        expected.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();

    for kind in [ResourceKind::SourceBucket, ResourceKind::DestinationBucket, ResourceKind::BuildSourceBucket] {
        let tags = clients.s3.get_bucket_tagging().bucket(names.of(kind)).send().await.expect("tags");
        let tags = tags.tag_set().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
        assert_eq!(tags.collect::<BTreeMap<_, _>>(), expected, "{kind}");
    }
    for kind in [ResourceKind::BuildRole, ResourceKind::FunctionRole] {
        let tags = clients.iam.list_role_tags().role_name(names.of(kind)).send().await.expect("tags");
        let tags = tags.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
        assert_eq!(tags.collect::<BTreeMap<_, _>>(), expected, "{kind}");
    }
    for kind in [ResourceKind::BuildPolicy, ResourceKind::FunctionPolicy] {
        let tags = clients.iam.list_policy_tags().policy_arn(arn_of(kind)).send().await.expect("tags");
        let tags = tags.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
        assert_eq!(tags.collect::<BTreeMap<_, _>>(), expected, "{kind}");
    }
    for kind in [ResourceKind::BuildLogGroup, ResourceKind::FunctionLogGroup] {
        let tags = clients.logs.list_tags_for_resource().resource_arn(arn_of(kind)).send().await.expect("tags");
        assert_eq!(tags.tags.unwrap_or_default().into_iter().collect::<BTreeMap<_, _>>(), expected, "{kind}");
    }
    let repository = clients.ecr.list_tags_for_resource().resource_arn(arn_of(ResourceKind::Repository));
    let tags = repository.send().await.expect("tags");
    let tags = tags.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
    assert_eq!(tags.collect::<BTreeMap<_, _>>(), expected, "repository");
    let project = names.of(ResourceKind::BuildProject);
    let projects = clients.codebuild.batch_get_projects().names(project).send().await.expect("a project");
    let tags = projects.projects()[0].tags().iter();
    let tags = tags.map(|tag| (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned()));
    assert_eq!(tags.collect::<BTreeMap<_, _>>(), expected, "project");

    let function = clients.lambda.get_function().function_name(names.of(ResourceKind::Function));
    let function = function.send().await.expect("a function");
    assert_eq!(function.tags().cloned().unwrap_or_default().into_iter().collect::<BTreeMap<_, _>>(), expected);
    let configuration = function.configuration().expect("a configuration");
    assert_eq!((configuration.memory_size(), configuration.timeout()), (Some(512), Some(30)));
    program.run(["destroy", "--yes"]).ok();

    program.configure("[function]\nmemory_mb = 1024\ntimeout_seconds = 7\n");
    let names = deploy(&program);
    let configuration = clients.lambda.get_function_configuration().function_name(names.of(ResourceKind::Function));
    let configuration = configuration.send().await.expect("a configuration");
    assert_eq!((configuration.memory_size(), configuration.timeout()), (Some(1024), Some(7)));
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&clients).await;
}

#[test]
fn changed_settings_of_existing_resources_are_warned_about() {
    let program = Program::new();
    let sandbox = program.sandbox();
    program.run(["deploy", "--yes"]).ok();
    let warnings = || -> Vec<String> {
        let events = program.run(["deploy", "--yes", "--output", "json"]).ok().events();
        let warning = |event: Event| match event.kind {
            EventKind::WarningGiven { message, .. } => Some(message),
            _ => None,
        };
        events.into_iter().filter_map(warning).collect()
    };
    assert_eq!(warnings(), Vec::<String>::new());
    program.configure(
        "[function]\nmemory_mb = 1024\ntimeout_seconds = 7\n[logs]\nretention_days = 3\n[build]\ntimeout_minutes = 21\n",
    );
    let mut settings: Vec<String> = warnings()
        .iter()
        .map(|warning| {
            let (_, kept) = warning.split_once(" keeps its ").expect("a warning about a setting");
            kept.strip_suffix("; destroy and deploy again to change it").expect("what to do").to_owned()
        })
        .collect();
    settings.sort();
    let expected =
        ["memory of 512 MB", "retention of 7 days", "retention of 7 days", "timeout of 15 min", "timeout of 30 s"];
    assert_eq!(settings, expected);
    program.run(["destroy", "--yes"]).ok();
    sandbox.kill();
}

#[test]
fn json_logs_contain_only_json() {
    let program = Program::new();
    let sandbox = program.sandbox();
    let events = program.run(["deploy", "--output", "json"]).ok().events();
    let logged: Vec<&str> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::LogLine { source: LogSource::Build, text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let log = program.run(["logs", "build", "--output", "json"]).ok().stdout;
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let texts: Vec<&str> = lines.iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(texts, logged);
    sandbox.kill();
}
