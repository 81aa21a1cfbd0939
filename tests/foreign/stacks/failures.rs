//! Failed resources, and stacks that cannot be deleted: the error names the cause, `destroy` leaves nothing, and
//! `deploy` completes at the second attempt.

use serde_json::{Value, json};
use thumbctl_core::event::{EventKind, StrategyKind};

use thumbctl_test_support::shared_sandbox::{SharedSandbox, for_each_parallel};

thumbctl_test_support::foreign_tests! {
    [Python3] sync: failed_resource_is_named_and_its_stack_rolled_back_and_recreated,
        stack_that_cannot_be_deleted_is_emptied_and_deleted_again,
        throttled_calls_are_retried;
}

/// The number of concurrent deployments.
const AT_A_TIME: usize = 3;

/// A resource of a stack, the call that creates it, and the name in that call.
struct Resource {
    step: &'static str,
    logical_id: &'static str,
    call: (&'static str, &'static str),
    about: &'static str,
}

const fn resource(
    step: &'static str,
    logical_id: &'static str,
    call: (&'static str, &'static str),
    about: &'static str,
) -> Resource {
    Resource { step, logical_id, call, about }
}

const RESOURCES: [Resource; 18] = [
    resource("macro_stack", "MacroLogGroup", ("logs", "CreateLogGroup"), "/aws/lambda/NAME-macro"),
    resource("macro_stack", "MacroRole", ("iam", "CreateRole"), "NAME-macro-role"),
    resource("macro_stack", "MacroFunction", ("lambda", "CreateFunction"), "NAME-macro"),
    resource("macro_stack", "Macro", ("cloudformation", "RegisterMacro"), "NAME-macro"),
    resource("build_stack", "Repository", ("ecr", "CreateRepository"), "NAME"),
    resource("build_stack", "BuildSourceBucket", ("s3", "CreateBucket"), "NAME-build-source"),
    resource("build_stack", "BuildLogGroup", ("logs", "CreateLogGroup"), "/aws/codebuild/NAME-build"),
    resource("build_stack", "BuildPolicy", ("iam", "CreatePolicy"), "NAME-build-policy"),
    resource("build_stack", "BuildRole", ("iam", "CreateRole"), "NAME-build-role"),
    resource("build_stack", "BuildProject", ("codebuild", "CreateProject"), "NAME-build"),
    resource("app_stack", "SourceBucket", ("s3", "CreateBucket"), "NAME-source"),
    resource("app_stack", "SourceBucket", ("s3", "PutBucketNotificationConfiguration"), "NAME-source"),
    resource("app_stack", "DestinationBucket", ("s3", "CreateBucket"), "NAME-destination"),
    resource("app_stack", "FunctionLogGroup", ("logs", "CreateLogGroup"), "/aws/lambda/NAME-function"),
    resource("app_stack", "FunctionPolicy", ("iam", "CreatePolicy"), "NAME-function-policy"),
    resource("app_stack", "FunctionRole", ("iam", "CreateRole"), "NAME-function-role"),
    resource("app_stack", "Function", ("lambda", "CreateFunction"), "NAME-function"),
    resource("app_stack", "InvokePermission", ("lambda", "AddPermission"), "NAME-function"),
];

impl Resource {
    fn denied(&self, name: &str) -> Value {
        // The suffix is drawn at the start of the deployment.
        let about = self.about.replace("NAME", &format!("{name}-????????"));
        json!({ "service": self.call.0, "operation": self.call.1, "about": about, "times": 1,
                "kind": "error", "status": 403, "code": "AccessDenied", "message": "not allowed here" })
    }
}

fn failed_resource_is_named_and_its_stack_rolled_back_and_recreated() {
    let cases: Vec<(String, &Resource)> =
        RESOURCES.iter().enumerate().map(|(index, resource)| (format!("fails{index}"), resource)).collect();
    let rules: Vec<Value> = cases.iter().map(|(name, resource)| resource.denied(name)).collect();
    let shared = SharedSandbox::by(StrategyKind::Cloudformation, &rules);
    for_each_parallel(AT_A_TIME, cases.into_iter().enumerate(), |(index, (name, resource))| {
        let deployed = shared.run("deploy", &name);
        let failed: Vec<String> = deployed
            .events()
            .into_iter()
            .filter_map(|event| match event.kind {
                EventKind::StepFailed { step, .. } => Some(step.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(failed, [resource.step], "{deployed}");
        let printed = deployed.fails_with(1);
        assert!(printed.contains(&format!(": {} (AWS::", resource.logical_id)), "{printed}");
        assert!(printed.contains("not allowed here"), "{printed}");
        assert!(printed.contains("ROLLBACK_COMPLETE") && printed.contains("hint: "), "{printed}");
        if index % 3 == 0 {
            shared.deploy_completes(&name);
        }
        shared.destroy_leaves_nothing(&name);
    });
    shared.close();
}

fn stack_that_cannot_be_deleted_is_emptied_and_deleted_again() {
    let refused = |about: &str, service: &str, operation: &str, code: &str, times: u32| {
        json!({ "service": service, "operation": operation, "about": about, "times": times,
                "kind": "error", "status": 409, "code": code, "message": "not now" })
    };
    let shared = SharedSandbox::by(
        StrategyKind::Cloudformation,
        &[
            refused("once-????????-destination", "s3", "DeleteBucket", "BucketNotEmpty", 1),
            refused("often-????????-destination", "s3", "DeleteBucket", "BucketNotEmpty", 3),
            refused("build-????????-build-role", "iam", "DeleteRole", "DeleteConflict", 1),
        ],
    );
    for_each_parallel(AT_A_TIME, ["once", "often", "build"], |name| {
        shared.deploy_completes(name);
        if name == "often" {
            let printed = shared.run("destroy", name).fails_with(1);
            assert!(printed.contains("DestinationBucket (AWS::S3::Bucket) could not be deleted"), "{printed}");
            assert!(printed.contains("DELETE_FAILED"), "{printed}");
        }
        shared.destroy_leaves_nothing(name);
    });
    shared.close();
}

fn throttled_calls_are_retried() {
    let throttled = |operation: &str| json!({ "service": "cloudformation", "operation": operation, "about": "throttled-", "times": 10, "kind": "throttle" });
    let operations = [
        "CreateChangeSet",
        "DescribeChangeSet",
        "ExecuteChangeSet",
        "DescribeStackEvents",
        "DescribeStacks",
        "DeleteStack",
    ];
    let shared = SharedSandbox::by(StrategyKind::Cloudformation, &operations.map(throttled));
    let deployed = shared.deploy_completes("throttled");
    let is_retried = |kind: &EventKind| matches!(kind, EventKind::StepRetried { .. });
    assert!(deployed.events().iter().any(|event| is_retried(&event.kind)), "no retry is reported: {deployed}");
    shared.destroy_leaves_nothing("throttled");
    shared.close();
}
