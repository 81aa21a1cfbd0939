//! Errors of the cloud: an apply that fails says why, goes on when it is run again, and leaves nothing when it is destroyed.

use serde_json::{Value, json};
use thumbctl::event::EventKind;
use thumbctl::resource::ResourceKind;
use thumbctl::resource::ResourceState;

use super::{arena, terraform};
use thumbctl_test_support::arena::{probe, side_by_side};

thumbctl_test_support::foreign_tests! {
    [Terraform] sync: an_error_at_any_resource_is_told_and_the_next_deploy_completes_or_destroy_leaves_nothing,
        a_build_that_fails_inside_the_apply_is_told_as_a_build_and_built_anew,
        what_fails_in_the_cloud_for_a_while_is_waited_out,
        a_lost_answer_makes_nothing_twice,
        throttling_is_waited_out;
}

/// The call that makes each kind, and what of it is told.
const MAKING: [(ResourceKind, &str, &str); 15] = [
    (ResourceKind::Repository, "ecr", "CreateRepository"),
    (ResourceKind::BuildSourceBucket, "s3", "CreateBucket"),
    (ResourceKind::BuildLogGroup, "logs", "CreateLogGroup"),
    (ResourceKind::BuildPolicy, "iam", "CreatePolicy"),
    (ResourceKind::BuildRole, "iam", "AttachRolePolicy"),
    (ResourceKind::BuildProject, "codebuild", "CreateProject"),
    (ResourceKind::Image, "codebuild", "StartBuild"),
    (ResourceKind::SourceBucket, "s3", "PutBucketEncryption"),
    (ResourceKind::DestinationBucket, "s3", "PutPublicAccessBlock"),
    (ResourceKind::FunctionLogGroup, "logs", "PutRetentionPolicy"),
    (ResourceKind::FunctionPolicy, "iam", "CreatePolicy"),
    (ResourceKind::FunctionRole, "iam", "CreateRole"),
    (ResourceKind::Function, "lambda", "CreateFunction"),
    (ResourceKind::InvokePermission, "lambda", "AddPermission"),
    (ResourceKind::Notification, "s3", "PutBucketNotificationConfiguration"),
];

/// What a fault's rule says whose call it is.
fn about(kind: ResourceKind, name: &str) -> String {
    let role = match kind {
        ResourceKind::Repository => return format!("{name}-????????"),
        ResourceKind::BuildSourceBucket => "build-source",
        ResourceKind::BuildLogGroup => return format!("/aws/codebuild/{name}-????????-build"),
        ResourceKind::BuildProject | ResourceKind::Image => "build",
        ResourceKind::SourceBucket | ResourceKind::Notification => "source",
        ResourceKind::DestinationBucket => "destination",
        ResourceKind::FunctionLogGroup => return format!("/aws/lambda/{name}-????????-function"),
        ResourceKind::BuildPolicy => "build-policy",
        ResourceKind::BuildRole => "build-role",
        ResourceKind::FunctionPolicy => "function-policy",
        ResourceKind::FunctionRole => "function-role",
        _ => "function",
    };
    format!("{name}-????????-{role}")
}

fn an_error_at_any_resource_is_told_and_the_next_deploy_completes_or_destroy_leaves_nothing() {
    let Some(terraform) = terraform() else { return };
    let faults: Vec<_> = MAKING
        .iter()
        .enumerate()
        .map(|(at, (kind, service, operation))| {
            json!({
                "service": service, "operation": operation, "about": about(*kind, &format!("bad{at}")),
                "times": 1, "kind": "error", "status": 400, "code": "AccessDeniedException"
            })
        })
        .collect();
    let arena = arena(&terraform, &faults);
    side_by_side(2, MAKING.iter().enumerate(), |(at, (kind, _, operation))| {
        let name = format!("bad{at}");
        let failed = arena.run("deploy", &name).ends_with(1);
        let errors: Vec<&str> = failed.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{kind}: {failed}");
        assert!(errors[0].contains("AccessDenied"), "{kind} at {operation}: {failed}");
        assert!(failed.stderr.contains("hint: "), "{failed}");
        let mut states = failed.events().into_iter().filter_map(|event| match event.kind {
            EventKind::ResourceChanged { resource, state, .. } if resource == *kind => Some(state),
            _ => None,
        });
        assert_eq!(states.next_back(), Some(ResourceState::Failed), "{kind}");
        if at % 4 == 1 {
            arena.deploy_completes(&name);
        }
        arena.destroy_leaves_nothing(&name);
    });
    arena.close();
}

/// A build that fails is told as in the other ways: its phase, its last lines; and it is built anew.
fn a_build_that_fails_inside_the_apply_is_told_as_a_build_and_built_anew() {
    let Some(terraform) = terraform() else { return };
    let fault = json!({"service":"ecr","operation":"GetAuthorizationToken","times":1,"kind":"error","status":400,"code":"AccessDeniedException"});
    let arena = arena(&terraform, &[fault]);
    let failed = arena.run("deploy", "built").ends_with(1);
    assert!(failed.stderr.contains("the build failed in phase PRE_BUILD"), "{failed}");
    let failure = failed.events().into_iter().find_map(|event| match event.kind {
        EventKind::StepFailed { error, .. } => Some(error),
        _ => None,
    });
    let failure = failure.expect("a step failed");
    assert!(!failure.log.is_empty() && failure.causes[0].contains("codebuild.tf line"), "{failure:?}");
    arena.deploy_completes("built");
    assert_eq!(arena.builds_of("built"), 2);
    arena.destroy_leaves_nothing("built");
    arena.close();
}

/// Rules that strike the provider's calls about a text, each twice, and one that shows that they are about it. The build's own
/// calls are left alone: nobody makes those again.
fn striking(about: &str, kind: &str) -> Vec<Value> {
    let calls = [
        ("iam", "CreatePolicy"),
        ("iam", "CreateRole"),
        ("iam", "AttachRolePolicy"),
        ("iam", "DeleteRole"),
        ("s3", "CreateBucket"),
        ("s3", "PutBucketEncryption"),
        ("s3", "PutPublicAccessBlock"),
        ("s3", "PutBucketNotificationConfiguration"),
        ("s3", "DeleteBucket"),
        ("logs", "CreateLogGroup"),
        ("logs", "PutRetentionPolicy"),
        ("codebuild", "CreateProject"),
        ("lambda", "CreateFunction"),
        ("lambda", "AddPermission"),
        ("lambda", "DeleteFunction"),
    ];
    let rule =
        |(service, operation)| json!({"service":service,"operation":operation,"about":about,"times":2,"kind":kind});
    [probe(about)].into_iter().chain(calls.map(rule)).collect()
}

/// An error of the cloud's that passes, the provider waits out.
fn what_fails_in_the_cloud_for_a_while_is_waited_out() {
    let Some(terraform) = terraform() else { return };
    let faults = striking("broken-", "failure");
    let arena = arena(&terraform, &faults);
    assert!(arena.strikes("broken-"), "the rules are about this deployment");
    arena.deploy_completes("broken");
    arena.destroy_leaves_nothing("broken");
    arena.close();
}

/// Every call that makes something has its effect, and its answer is lost once: what the provider then takes for somebody
/// else's is found by its name and imported by the next deploy.
fn a_lost_answer_makes_nothing_twice() {
    let Some(terraform) = terraform() else { return };
    let creates = [
        "CreateRepository",
        "CreateBucket",
        "CreateLogGroup",
        "CreatePolicy",
        "CreateRole",
        "AttachRolePolicy",
        "CreateProject",
        "StartBuild",
        // Without Lambda's: a conflict the provider takes for a function that is being changed, and asks for minutes.
        "PutBucketNotificationConfiguration",
    ];
    let lost = creates
        .map(|operation| json!({"service":"*","operation":operation,"about":"lost-","times":1,"kind":"drop_after"}));
    let arena = arena(&terraform, &lost);
    let mut runs = 1;
    while arena.run("deploy", "lost").code != Some(0) {
        runs += 1;
        assert!(runs < 12, "it does not come to an end");
    }
    assert!(runs > 1, "the provider finds its own things in its way");
    arena.all_is_there_once("lost");
    assert_eq!(arena.builds_of("lost"), 1);
    arena.destroy_leaves_nothing("lost");
    arena.close();
}

/// What was asked to be slow is waited for, and what asks for fewer requests is asked again.
fn throttling_is_waited_out() {
    let Some(terraform) = terraform() else { return };
    let faults = striking("slow-", "throttle");
    let arena = arena(&terraform, &faults);
    assert!(arena.strikes("slow-"), "the rules are about this deployment");
    arena.deploy_completes("slow");
    arena.destroy_leaves_nothing("slow");
    arena.close();
}
