//! The plans that take a deployment down: every resource by itself, or stacks as stacks. Pure.

use thumbctl_core::deployment::Deployment;
use thumbctl_core::event::StrategyKind;
use thumbctl_core::plan::{Plan, Step};
use thumbctl_core::resource::ResourceKind::{self, *};

use super::{cloudformation, terraform};

/// What the ids of steps that empty a bucket, or a project of its builds, begin with.
pub(super) const EMPTY: &str = "empty_";

/// What takes a deployment down: steps for everything that may be there, the reverse of how it was made.
pub fn destroy(deployment: &Deployment) -> Plan {
    let stands = |kind| deployment.resource(kind).is_some_and(|resource| resource.state.may_exist());
    match deployment.origin() {
        Some(origin) if origin.strategy == StrategyKind::Terraform => terraform::plan::destroy(&stands),
        _ => destroy_kinds(&stands, ""),
    }
}

/// The kinds that are removed by themselves, in the order in which they may be removed one after another.
pub(super) fn order() -> impl Iterator<Item = ResourceKind> {
    DESTROY_ORDER.into_iter().map(|(kind, _)| kind)
}

/// The steps that remove resources of the kinds given, under ids that end in `suffix`. What a stack has made goes with it.
pub(super) fn destroy_kinds(stands: &dyn Fn(ResourceKind) -> bool, suffix: &str) -> Plan {
    let of_stacks = [MacroStack, BuildStack, AppStack, MacroLogGroup, MacroRole, MacroFunction, Macro];
    if of_stacks.into_iter().any(stands) {
        return cloudformation::plan::destroy(stands, suffix);
    }
    let kinds: Vec<ResourceKind> = DESTROY_ORDER.iter().map(|(kind, _)| *kind).filter(|kind| stands(*kind)).collect();
    let steps = DESTROY_ORDER
        .iter()
        .filter(|(kind, _)| kinds.contains(kind))
        .map(|(kind, after)| {
            let needs: Vec<String> = after
                .iter()
                .filter(|needed| kinds.contains(needed))
                .map(|needed| format!("{needed}{suffix}"))
                .collect();
            let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
            let (title, why, calls) = removal(*kind);
            Step::new(&format!("{kind}{suffix}"), title, why).needs(&needs).about(*kind).calls(calls)
        })
        .collect();
    Plan::new(steps).expect("the teardown's order has no circles")
}

/// What is removed, and after what. Everything that still works is stopped before what it works on goes; log groups go
/// last, since a late invocation would make them again.
const DESTROY_ORDER: [(ResourceKind, &[ResourceKind]); 15] = [
    (Notification, &[]),
    (BuildProject, &[]),
    (InvokePermission, &[Notification]),
    (Function, &[Notification, InvokePermission]),
    (SourceBucket, &[Notification, Function]),
    (DestinationBucket, &[Function]),
    (BuildSourceBucket, &[BuildProject]),
    (Image, &[Function, BuildProject]),
    (Repository, &[Function, BuildProject, Image]),
    (FunctionRole, &[Function]),
    (FunctionPolicy, &[FunctionRole]),
    (BuildRole, &[BuildProject]),
    (BuildPolicy, &[BuildRole]),
    (FunctionLogGroup, &[Function, FunctionRole, SourceBucket, DestinationBucket]),
    (BuildLogGroup, &[BuildProject, BuildRole]),
];

fn removal(kind: ResourceKind) -> (&'static str, &'static str, &'static [&'static str]) {
    match kind {
        Notification => (
            "Take the notification off",
            "So that nothing starts the function while it goes.",
            &["s3:PutBucketNotification"],
        ),
        BuildProject => (
            "Delete the CodeBuild project and its builds",
            "A build that still runs is stopped first.",
            &["codebuild:StopBuild", "codebuild:BatchDeleteBuilds", "codebuild:DeleteProject"],
        ),
        InvokePermission => {
            ("Remove the invoke permission", "S3 may not invoke the function any more.", &["lambda:RemovePermission"])
        }
        Function => ("Delete the Lambda function", "Nothing invokes it any more.", &["lambda:DeleteFunction"]),
        SourceBucket => ("Empty and delete the source bucket", EMPTY_FIRST, EMPTYING),
        DestinationBucket => ("Empty and delete the destination bucket", EMPTY_FIRST, EMPTYING),
        BuildSourceBucket => ("Empty and delete the build source bucket", EMPTY_FIRST, EMPTYING),
        Image => ("Delete the function's image", "Nothing runs it any more.", &["ecr:BatchDeleteImage"]),
        Repository => {
            ("Delete the ECR repository", "By force, with whatever images are in it.", &["ecr:DeleteRepository"])
        }
        FunctionRole => ("Delete the function's execution role", DETACH_FIRST, ROLE_CALLS),
        BuildRole => ("Delete the build's service role", DETACH_FIRST, ROLE_CALLS),
        FunctionPolicy => ("Delete the function's policy", VERSIONS_FIRST, POLICY_CALLS),
        BuildPolicy => ("Delete the build's policy", VERSIONS_FIRST, POLICY_CALLS),
        FunctionLogGroup => ("Delete the function's log group", LOGS_LAST, &["logs:DeleteLogGroup"]),
        BuildLogGroup => ("Delete the build's log group", LOGS_LAST, &["logs:DeleteLogGroup"]),
        MacroStack | MacroLogGroup | MacroRole | MacroFunction | Macro | BuildStack | AppStack => {
            unreachable!("stacks and what only they have are taken down by their own plan")
        }
    }
}

const EMPTY_FIRST: &str = "S3 deletes only empty buckets: objects, versions, markers and unfinished uploads go first.";
const DETACH_FIRST: &str = "IAM deletes only roles without policies, so they are detached first.";
const VERSIONS_FIRST: &str = "IAM deletes only policies that nobody has and that have one version.";
const LOGS_LAST: &str = "Last, since whoever writes to it would make it again.";
const EMPTYING: &[&str] = &[
    "s3:ListObjectVersions",
    "s3:ListMultipartUploads",
    "s3:DeleteObjects",
    "s3:AbortMultipartUpload",
    "s3:DeleteBucket",
];
const ROLE_CALLS: &[&str] = &["iam:ListAttachedRolePolicies", "iam:DetachRolePolicy", "iam:DeleteRole"];
const POLICY_CALLS: &[&str] = &["iam:ListPolicyVersions", "iam:DeletePolicyVersion", "iam:DeletePolicy"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_teardown_has_a_step_for_everything_and_takes_log_groups_last() {
        let plan = destroy_kinds(&|kind| ResourceKind::ARCHITECTURE.contains(&kind), "");
        assert_eq!(plan.steps().len(), ResourceKind::ARCHITECTURE.len());
        let depths = plan.depths();
        assert!(depths[&"function_log_group".into()] > depths[&"function_role".into()]);
        assert!(depths[&"build_log_group".into()] > depths[&"build_role".into()]);
    }
}
