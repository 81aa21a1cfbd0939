//! Refusals by the user, and errors for the user.

use std::process::Stdio;

use aws_sdk_cloudformation::types::{Capability, Parameter, StackStatus, Tag};
use rustix::process::Signal;
use thumbctl_core::event::EventKind;
use thumbctl_test_support::{Finished, Program, Running, list_everything, until};

use super::program;

thumbctl_test_support::foreign_tests! {
    [] async: plan_reads_the_templates_and_creates_nothing,
        stack_of_another_owner_is_left_alone;
    [] sync: without_python_nothing_is_started;
    [Python3] async: stack_refused_at_its_gate_leaves_not_even_its_name,
        cancelling_leaves_cloudformation_running_and_deploy_attaches_to_it,
        existing_deployment_keeps_its_strategy,
        resource_deleted_outside_cloudformation_is_reported,
        stack_updated_elsewhere_is_awaited_and_keeps_its_images,
        only_a_teardown_deletes_bucket_contents;
}

/// Runs a command and types these lines.
fn with_answers(program: &Program, arguments: &[&str], answers: &str) -> Finished {
    let mut command = program.command(arguments);
    let typed = program.file("typed", answers);
    command.stdin(Stdio::from(std::fs::File::open(typed).expect("it was just written")));
    Running::start(command).wait()
}

async fn stack_refused_at_its_gate_leaves_not_even_its_name() {
    let program = program();
    let sandbox = program.sandbox();
    // The change set may be created and shown; its execution is refused.
    let refused = with_answers(&program, &["deploy", "--step"], "y\nq\n").ends_with(130);
    assert!(refused.stderr.contains("add MacroFunction (AWS::Lambda::Function)"), "{refused}");
    assert_eq!(list_everything(&sandbox.clients(), "").await, Vec::<String>::new());
    let status = program.run(["status", "--output", "json"]).ok().json();
    let resources = status["resources"].as_array().expect("a list");
    assert!(resources.iter().all(|resource| resource["journal"] == "gone"), "{status}");
    assert!(program.run(["destroy", "--yes"]).ok().stdout.starts_with("Nothing is deployed"));
}

async fn cancelling_leaves_cloudformation_running_and_deploy_attaches_to_it() {
    let program = program();
    let sandbox = program.sandbox_with_faults(
        r#"[{"service":"lambda","operation":"CreateFunction","times":1,"kind":"delay","delay_ms":1500}]"#,
    );
    let mut deploy = program.start(["deploy", "--output", "json"]);
    deploy.wait_for_event(
        "the macro's function",
        |kind| matches!(kind, EventKind::LogLine { text, .. } if text.contains("MacroFunction")),
    );
    deploy.signal(Signal::INT);
    let cancelled = deploy.wait().ends_with(130);
    let continues = |kind: &EventKind| matches!(kind, EventKind::StepProgress { message, .. } if message.contains("CloudFormation continues"));
    assert!(cancelled.events().iter().any(|event| continues(&event.kind)), "{cancelled}");
    program.run(["deploy"]).ok();
    let status = program.run(["status"]).ok().stdout;
    assert!(status.contains("22 resources: 22 exist"), "{status}");
    program.run(["destroy", "--yes"]).ok();
    assert_eq!(list_everything(&sandbox.clients(), "").await, Vec::<String>::new());
}

async fn existing_deployment_keeps_its_strategy() {
    let program = Program::new();
    program.run(["deploy", "--strategy", "cloudformation"]).ok();
    let refused = program.run(["deploy", "--strategy", "sdk"]).fails_with(1);
    assert!(refused.contains("was created by cloudformation, and cannot be continued by sdk"), "{refused}");
    assert!(refused.contains("hint: "), "{refused}");
    // Without a strategy, the deployment's own is used.
    let plan = program.run(["plan", "--output", "json"]).ok().json();
    assert_eq!(plan["strategy"], "cloudformation");
    program.run(["deploy"]).ok();
    program.run(["destroy", "--yes", "--strategy", "sdk"]).ok();
    assert_eq!(list_everything(&program.join().await.clients, "").await, Vec::<String>::new());
}

fn without_python_nothing_is_started() {
    let mut program = program();
    let empty = program.work_dir().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    program.set("PATH", &empty);
    let refused = program.run(["deploy"]).fails_with(1);
    assert!(refused.contains("needs python3") && refused.contains("--strategy sdk"), "{refused}");
    assert!(program.journals("thumbnails").is_empty(), "no run was started");
    let doctor = program.run(["doctor", "--output", "json"]).ends_with(1).json();
    let checks = doctor["checks"].as_array().expect("a list");
    let python = checks.iter().find(|check| check["what"] == "python3").expect("it is looked for");
    assert_eq!(python["verdict"], "missing", "{python}");
}

async fn plan_reads_the_templates_and_creates_nothing() {
    let program = program();
    let plan = program.run(["plan"]).ok().stdout;
    for words in [
        "by cloudformation",
        "Create the macro's stack",
        "cloudformation:ExecuteChangeSet",
        "-app",
        "MacroLogGroup (AWS::Logs::LogGroup)",
    ] {
        assert!(plan.contains(words), "{words}: {plan}");
    }
    assert_eq!(list_everything(&program.join().await.clients, "").await, Vec::<String>::new());
    assert!(program.journals("thumbnails").is_empty());
}

async fn resource_deleted_outside_cloudformation_is_reported() {
    let program = program();
    let sandbox = program.sandbox();
    program.run(["deploy"]).ok();
    let clients = sandbox.clients();
    let left = list_everything(&clients, "").await;
    let bucket =
        left.iter().find_map(|line| line.strip_prefix("bucket ").filter(|name| name.ends_with("-destination")));
    clients.s3.delete_bucket().bucket(bucket.expect("a bucket")).send().await.expect("it is empty");
    let printed = program.run(["deploy"]).fails_with(1);
    assert!(printed.contains("Destination bucket") && printed.contains("is missing"), "{printed}");
    program.run(["destroy", "--yes"]).ok();
    assert_eq!(list_everything(&clients, "").await, Vec::<String>::new());
}

async fn stack_of_another_owner_is_left_alone() {
    let program = program();
    let sandbox = program.sandbox();
    let clients = sandbox.clients();
    let name = "thumbnails-deadbeef-app";
    let tag = Tag::builder().key("thumbctl:deployment").value("somebody").build();
    let template = r#"{"Resources":{"Group":{"Type":"AWS::Logs::LogGroup","Properties":{"LogGroupName":"theirs"}}}}"#;
    let create = clients.cloudformation.create_stack().stack_name(name).template_body(template).tags(tag);
    create.send().await.expect("a stack");
    let purged = program.run(["destroy", "--purge", "--yes"]).ok();
    assert!(purged.stderr.contains(&format!("kept: {name}")), "{purged}");
    assert!(list_everything(&clients, "").await.contains(&format!("stack {name}")));
}

async fn stack_updated_elsewhere_is_awaited_and_keeps_its_images() {
    let program = program();
    let sandbox = program.sandbox_with_faults(
        r#"[{"service":"iam","operation":"TagRole","about":"-function-role","times":1,"kind":"delay","delay_ms":1500}]"#,
    );
    let clients = sandbox.clients();
    let (name, content) = thumbctl_deploy::assets::sample_images()[2];
    program.file(name, content);
    let events = program.run(["deploy", "--output", "json"]).ok().events();
    let EventKind::RunStarted(started) = &events[0].kind else { panic!("a run starts with its start event") };
    program.run(["upload", name]).ok();

    let stack = started.names.of(thumbctl_core::resource::ResourceKind::AppStack);
    let describe = || clients.cloudformation.describe_stacks().stack_name(&stack).send();
    let found = describe().await.expect("a stack").stacks()[0].clone();
    let same = |one: &Parameter| {
        Parameter::builder().set_parameter_key(one.parameter_key.clone()).use_previous_value(true).build()
    };
    let tag = Tag::builder().key("team").value("another").build();
    let update = clients.cloudformation.update_stack().stack_name(&stack).use_previous_template(true);
    let update = update.set_parameters(Some(found.parameters().iter().map(same).collect()));
    let update = update.set_tags(Some([found.tags().to_vec(), vec![tag]].concat()));
    let update = update.capabilities(Capability::CapabilityNamedIam).capabilities(Capability::CapabilityAutoExpand);
    update.send().await.expect("an update");
    let status = describe().await.expect("a stack").stacks()[0].stack_status().cloned();
    assert_eq!(status, Some(StackStatus::UpdateInProgress));

    let again = program.run(["deploy"]).ok();
    assert!(again.stdout.contains("waiting for the end of the stack's UPDATE_IN_PROGRESS"), "{again}");
    let left = list_everything(&clients, "").await;
    assert!(left.iter().any(|line| line.starts_with("object ") && line.ends_with(name)), "{left:?}");
    program.run(["destroy", "--yes"]).ok();
    assert_eq!(list_everything(&clients, "").await, Vec::<String>::new());
}

async fn only_a_teardown_deletes_bucket_contents() {
    let program = program();
    let sandbox = program.sandbox();
    let clients = sandbox.clients();
    let (name, content) = thumbctl_deploy::assets::sample_images()[2];
    program.file(name, content);
    let events = program.run(["deploy", "--output", "json"]).ok().events();
    let EventKind::RunStarted(started) = &events[0].kind else { panic!("a run starts with its start event") };
    program.run(["upload", name]).ok();
    let stack = started.names.of(thumbctl_core::resource::ResourceKind::AppStack);
    clients.cloudformation.delete_stack().stack_name(&stack).send().await.expect("its deletion begins");
    let describe = || clients.cloudformation.describe_stacks().stack_name(&stack).send();
    until("the deletion's failure", || async {
        let found = describe().await.ok()?;
        (found.stacks()[0].stack_status() == Some(&StackStatus::DeleteFailed)).then_some(())
    })
    .await;

    let printed = program.run(["deploy"]).fails_with(1);
    assert!(
        printed.contains("DELETE_FAILED") && printed.contains("a deployment does not delete the contents"),
        "{printed}"
    );
    let left = list_everything(&clients, "").await;
    assert!(left.iter().any(|line| line.starts_with("object ") && line.ends_with(name)), "{left:?}");
    program.run(["destroy", "--yes"]).ok();
    assert_eq!(list_everything(&clients, "").await, Vec::<String>::new());
}
