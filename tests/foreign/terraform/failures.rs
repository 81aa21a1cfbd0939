//! Errors of the cloud: a failed apply names the cause, a repeated one completes, and destroy leaves nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use thumbctl_core::event::EventKind;
use thumbctl_core::resource::ResourceKind;
use thumbctl_core::resource::ResourceState;
use thumbctl_test_support::shared_sandbox::{for_each_parallel, probe};

use super::{shared, terraform};

thumbctl_test_support::foreign_tests! {
    [Terraform] sync: error_at_any_resource_is_reported_and_the_next_deploy_completes_or_destroy_leaves_nothing,
        failed_build_in_the_apply_is_reported_as_a_build_and_repeated,
        transient_errors_are_retried_by_the_provider,
        lost_response_creates_nothing_twice,
        slow_and_throttled_calls_are_retried;
}

/// The call that creates each kind, and its expected error.
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

/// The text that identifies the call in a fault's rule.
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

/// The kinds that fail in one apply, independent of each other; and whether the deployment is completed afterwards, or
/// destroyed at once.
const TOGETHER: [(&[ResourceKind], bool); 7] = [
    (
        &[
            ResourceKind::Repository,
            ResourceKind::BuildLogGroup,
            ResourceKind::BuildPolicy,
            ResourceKind::SourceBucket,
            ResourceKind::DestinationBucket,
            ResourceKind::FunctionPolicy,
            ResourceKind::FunctionRole,
        ],
        false,
    ),
    (&[ResourceKind::BuildSourceBucket, ResourceKind::BuildProject, ResourceKind::FunctionLogGroup], true),
    (&[ResourceKind::BuildRole], false),
    (&[ResourceKind::Image], false),
    (&[ResourceKind::Function], false),
    (&[ResourceKind::InvokePermission], true),
    (&[ResourceKind::Notification], false),
];

/// The call that creates a resource.
fn making(kind: ResourceKind) -> (&'static str, &'static str) {
    let (_, service, operation) = MAKING.into_iter().find(|(made, ..)| *made == kind).expect("each kind has its call");
    (service, operation)
}

fn error_at_any_resource_is_reported_and_the_next_deploy_completes_or_destroy_leaves_nothing() {
    let Some(terraform) = terraform() else { return };
    let struck = TOGETHER.iter().flat_map(|(kinds, _)| *kinds);
    assert_eq!(struck.collect::<BTreeSet<_>>().len(), MAKING.len(), "each resource has its error");
    let mut faults = Vec::new();
    for (at, (kinds, _)) in TOGETHER.iter().enumerate() {
        for kind in *kinds {
            let (service, operation) = making(*kind);
            faults.push(json!({
                "service": service, "operation": operation, "about": about(*kind, &format!("bad{at}")),
                "times": 1, "kind": "error", "status": 400, "code": "AccessDeniedException"
            }));
        }
    }
    let mut shared = shared(&terraform, &faults);
    let providers = shared.share_providers(3, &terraform);
    for_each_parallel(3, TOGETHER.iter().enumerate(), |(at, (kinds, is_completed))| {
        let name = format!("bad{at}");
        let _served = providers.serving(&name);
        let failed = shared.run("deploy", &name).ends_with(1);
        let errors: Vec<&str> = failed.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{kinds:?}: {failed}");
        assert!(errors[0].contains("AccessDenied"), "{kinds:?}: {failed}");
        assert!(failed.stderr.contains("hint: "), "{failed}");
        let events = failed.events();
        let failure = events.iter().find_map(|event| match &event.kind {
            EventKind::StepFailed { error, .. } => Some(error),
            _ => None,
        });
        let failure = failure.expect("a step failed");
        let mut messages: Vec<&str> = failure.causes.iter().map(String::as_str).collect();
        // A build's failure has its own message, and Terraform's as its cause.
        messages.push(&failure.message);
        for kind in *kinds {
            // The message names its resource, whatever else has failed.
            let address = address_of(*kind);
            let is_reported =
                |text: &&str| text.contains("AccessDenied") && (text.contains(address) || *kind == ResourceKind::Image);
            assert!(messages.iter().any(is_reported), "{kind}: {messages:#?}");
            let mut states = events.iter().filter_map(|event| match &event.kind {
                EventKind::ResourceChanged { resource, state, .. } if resource == kind => Some(*state),
                _ => None,
            });
            assert_eq!(states.next_back(), Some(ResourceState::Failed), "{kind}");
        }
        if *is_completed {
            shared.deploy_completes(&name);
        }
        shared.destroy_leaves_nothing(&name);
    });
    shared.close();
}

/// The configuration's address of a kind in [`MAKING`].
fn address_of(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::Repository => "aws_ecr_repository.function",
        ResourceKind::BuildSourceBucket => "aws_s3_bucket.build_source",
        ResourceKind::BuildLogGroup => "aws_cloudwatch_log_group.build",
        ResourceKind::BuildPolicy => "aws_iam_policy.build",
        ResourceKind::BuildRole => "aws_iam_role_policy_attachment.build",
        ResourceKind::BuildProject => "aws_codebuild_project.function",
        ResourceKind::SourceBucket => "aws_s3_bucket_server_side_encryption_configuration.source",
        ResourceKind::DestinationBucket => "aws_s3_bucket_public_access_block.destination",
        ResourceKind::FunctionLogGroup => "aws_cloudwatch_log_group.function",
        ResourceKind::FunctionPolicy => "aws_iam_policy.function",
        ResourceKind::FunctionRole => "aws_iam_role.function",
        ResourceKind::Function => "aws_lambda_function.thumbnails",
        ResourceKind::InvokePermission => "aws_lambda_permission.source",
        ResourceKind::Notification => "aws_s3_bucket_notification.source",
        _ => "terraform_data.build",
    }
}

/// A failed build is reported as in the other strategies: its phase, its last lines; and it is repeated.
fn failed_build_in_the_apply_is_reported_as_a_build_and_repeated() {
    let Some(terraform) = terraform() else { return };
    let fault = json!({"service":"ecr","operation":"GetAuthorizationToken","times":1,"kind":"error","status":400,"code":"AccessDeniedException"});
    let mut shared = shared(&terraform, &[fault]);
    let providers = shared.share_providers(1, &terraform);
    let _served = providers.serving("built");
    let failed = shared.run("deploy", "built").ends_with(1);
    assert!(failed.stderr.contains("the build failed in phase PRE_BUILD"), "{failed}");
    let failure = failed.events().into_iter().find_map(|event| match event.kind {
        EventKind::StepFailed { error, .. } => Some(error),
        _ => None,
    });
    let failure = failure.expect("a step failed");
    assert!(!failure.log.is_empty() && failure.causes[0].contains("codebuild.tf line"), "{failure:?}");
    shared.deploy_completes("built");
    assert_eq!(shared.build_count("built"), 2);
    shared.destroy_leaves_nothing("built");
    shared.close();
}

/// Rules that fail the provider's calls about a text, each twice, and one that shows their effect. The build's own
/// calls are excluded: they are not retried.
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

/// The provider retries transient errors.
fn transient_errors_are_retried_by_the_provider() {
    let Some(terraform) = terraform() else { return };
    let faults = striking("broken-", "failure");
    let mut shared = shared(&terraform, &faults);
    let providers = shared.share_providers(1, &terraform);
    let _served = providers.serving("broken");
    assert!(shared.rule_applies("broken-"), "the rules are about this deployment");
    shared.deploy_completes("broken");
    shared.destroy_leaves_nothing("broken");
    shared.close();
}

/// Every creating call has its effect, and its response is lost once: the next deploy finds
/// the resource by its name and imports it.
fn lost_response_creates_nothing_twice() {
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
        // Without Lambda's: the provider takes a conflict for an update in progress, and retries for minutes.
        "PutBucketNotificationConfiguration",
    ];
    let lost = creates
        .map(|operation| json!({"service":"*","operation":operation,"about":"lost-","times":1,"kind":"drop_after"}));
    let mut shared = shared(&terraform, &lost);
    let providers = shared.share_providers(1, &terraform);
    let _served = providers.serving("lost");
    let mut runs = 1;
    while shared.run("deploy", "lost").code != Some(0) {
        runs += 1;
        assert!(runs < 12, "it does not complete");
    }
    assert!(runs > 1, "no response was lost");
    shared.assert_complete("lost");
    assert_eq!(shared.build_count("lost"), 1);
    shared.destroy_leaves_nothing("lost");
    shared.close();
}

/// Slow calls are awaited, and throttled calls are retried.
fn slow_and_throttled_calls_are_retried() {
    let Some(terraform) = terraform() else { return };
    let faults = striking("slow-", "throttle");
    let mut shared = shared(&terraform, &faults);
    let providers = shared.share_providers(1, &terraform);
    let _served = providers.serving("slow");
    assert!(shared.rule_applies("slow-"), "the rules are about this deployment");
    shared.deploy_completes("slow");
    shared.destroy_leaves_nothing("slow");
    shared.close();
}
