//! Deploy, inspect, test upload, destroy.

use std::collections::BTreeSet;

use thumbctl_core::event::{EventKind, LogSource, StrategyKind};
use thumbctl_core::resource::{ResourceKind, ResourceState};
use thumbctl_test_support::list_everything;
use thumbctl_test_support::run_events::{assert_made, assert_succeeded, first, outputs};

use super::program;

thumbctl_test_support::foreign_tests! {
    [Python3] async: uploaded_image_becomes_a_thumbnail_and_destroy_leaves_nothing,
        sequential_run_has_no_concurrent_steps,
        macro_and_build_stacks_are_created_in_parallel,
        purge_deletes_stacks_without_a_journal;
}

async fn uploaded_image_becomes_a_thumbnail_and_destroy_leaves_nothing() {
    let program = program();
    let (name, content) = thumbctl_deploy::assets::sample_images()[2];
    program.file(name, content);

    let deployed = program.run(["deploy", "--output", "json"]).ok().events();
    assert_succeeded(&deployed);
    let EventKind::RunStarted(started) = &deployed[0].kind else { panic!("a run starts with its start event") };
    assert_eq!(started.strategy, StrategyKind::Cloudformation);

    // The changes of a stack are reported before its creation.
    for (step, resources) in [("macro_stack", 4), ("build_stack", 6), ("app_stack", 7)] {
        let planned =
            |kind: &EventKind| matches!(kind, EventKind::ChangePlanned { step: of, .. } if of.as_str() == step);
        assert_eq!(deployed.iter().filter(|event| planned(&event.kind)).count(), resources, "{step}");
        let begins = |kind: &EventKind| matches!(kind, EventKind::StepStarted { step: of } if of.as_str() == step);
        assert!(first(&deployed, planned) < first(&deployed, begins), "{step}");
    }
    // Every resource is reported as in the other strategies: creating, then ready, after some time.
    assert_made(&deployed, &ResourceKind::ALL);
    // The stacks' events have a log of their own.
    let lines: Vec<&str> = deployed
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::LogLine { source: LogSource::Stack, text, timestamp } => {
                assert!(timestamp.is_some(), "no time: {text}");
                Some(text.as_str())
            }
            _ => None,
        })
        .collect();
    for resource in ["Macro", "BuildProject", "InvokePermission"] {
        let made = |line: &&str| line.split_whitespace().skip(1).eq([resource, "CREATE_COMPLETE"]);
        assert_eq!(lines.iter().copied().filter(made).count(), 1, "{resource}: {lines:#?}");
    }

    let text = program.run(["logs", "stack"]).ok().stdout;
    assert_eq!(text.lines().count(), lines.len(), "the log is incomplete: {text}");
    // And the outputs.
    let outputs = outputs(&deployed);
    let names = &started.names;
    for (name, kind) in [("ProjectName", ResourceKind::BuildProject), ("FunctionName", ResourceKind::Function)] {
        assert_eq!(outputs.get(name), Some(&names.of(kind)), "{outputs:?}");
    }

    let status = program.run(["status", "--output", "json"]).ok().json();
    let resources = status["resources"].as_array().expect("a list");
    let kinds: Vec<&str> = resources.iter().filter_map(|resource| resource["resource"].as_str()).collect();
    assert_eq!(kinds, ResourceKind::ALL.map(ResourceKind::as_str));
    for resource in resources {
        assert_eq!((&resource["journal"], &resource["cloud"]), (&"ready".into(), &"there".into()), "{resource}");
    }

    let again = program.run(["deploy", "--output", "json"]).ok().events();
    let done: Vec<_> = again.iter().filter(|event| matches!(event.kind, EventKind::StepFinished { .. })).collect();
    assert!(done.is_empty(), "steps were repeated: {done:?}");

    program.run(["upload", "--save", "thumbs", name]).ok();
    assert!(program.work_dir().join("thumbs").join(format!("thumb-{name}")).exists());

    let destroyed = program.run(["destroy", "--yes", "--output", "json"]).ok().events();
    assert_succeeded(&destroyed);
    let gone: BTreeSet<ResourceKind> = destroyed
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ResourceChanged { resource, state: ResourceState::Deleted, .. } => Some(*resource),
            _ => None,
        })
        .collect();
    assert!(gone.into_iter().eq(ResourceKind::ALL), "a resource is not reported as deleted");
    assert_eq!(list_everything(&program.join().await.clients, "").await, Vec::<String>::new());
}

async fn sequential_run_has_no_concurrent_steps() {
    let program = program();
    for command in [&["deploy"][..], &["destroy", "--yes"]] {
        let events = program.run([command, &["--parallelism", "1", "--output", "json"]].concat()).ok().events();
        let mut running = None;
        for event in &events {
            match &event.kind {
                EventKind::StepStarted { step } => assert_eq!(running.replace(step), None, "while {step} begins"),
                EventKind::StepFinished { step, .. } => assert_eq!(running.take(), Some(step)),
                EventKind::StepSkipped { .. } => running = None,
                _ => {}
            }
        }
    }
    assert_eq!(list_everything(&program.join().await.clients, "").await, Vec::<String>::new());
}

async fn macro_and_build_stacks_are_created_in_parallel() {
    let program = program();
    let sandbox = program.sandbox_with_faults(
        r#"[{"service":"cloudformation","operation":"ExecuteChangeSet","times":2,"kind":"delay","delay_ms":400}]"#,
    );
    let events = program.run(["deploy", "--output", "json"]).ok().events();
    let at = |is_end: bool, step: &str| {
        first(&events, |kind| match kind {
            EventKind::StepStarted { step: of } => !is_end && of.as_str() == step,
            EventKind::StepFinished { step: of, .. } => is_end && of.as_str() == step,
            _ => false,
        })
    };
    assert!(at(false, "macro_stack") < at(true, "build_stack") && at(false, "build_stack") < at(true, "macro_stack"));
    assert!(at(false, "app_change_set") > at(true, "macro_stack") && at(false, "app_change_set") > at(true, "build"));
    program.run(["destroy", "--yes"]).ok();
    assert_eq!(list_everything(&sandbox.clients(), "").await, Vec::<String>::new());
}

async fn purge_deletes_stacks_without_a_journal() {
    let program = program();
    let sandbox = program.sandbox();
    program.run(["deploy"]).ok();
    std::fs::remove_dir_all(program.state_dir().join("deployments")).expect("the journal exists");
    let purged = program.run(["destroy", "--purge", "--yes", "--output", "json"]).ok().events();
    let steps = purged.iter().filter_map(|event| match &event.kind {
        EventKind::StepFinished { step, .. } => step.as_str().rsplit_once('-').map(|(step, _)| step.to_owned()),
        _ => None,
    });
    let steps: BTreeSet<String> = steps.collect();
    assert!(["macro_stack", "build_stack", "app_stack"].iter().all(|step| steps.contains(*step)), "{steps:?}");
    assert_eq!(list_everything(&sandbox.clients(), "").await, Vec::<String>::new());
}
