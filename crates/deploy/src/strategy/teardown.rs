//! The plans that destroy a deployment: by resource, or by stack. Pure.

use thumbctl_core::deployment::Deployment;
use thumbctl_core::event::StrategyKind;
use thumbctl_core::plan::{Plan, Step};
use thumbctl_core::resource::ResourceKind::{self, *};

use super::{cloudformation, terraform};

/// The prefix of step ids that empty a bucket, or delete a project's builds.
pub(super) const EMPTY: &str = "empty_";

/// The plan that destroys a deployment: a step for everything that may exist, in reverse order of creation.
pub fn destroy(deployment: &Deployment) -> Plan {
    let exists = |kind| deployment.resource(kind).is_some_and(|resource| resource.state.may_exist());
    match deployment.origin() {
        Some(origin) if origin.strategy == StrategyKind::Terraform => terraform::plan::destroy(&exists),
        _ => destroy_kinds(&exists, ""),
    }
}

/// The kinds that are deleted individually, in a valid order of deletion.
pub(super) fn order() -> impl Iterator<Item = ResourceKind> {
    DESTROY_ORDER.into_iter().map(|(kind, _)| kind)
}

/// The steps that delete resources of the given kinds, with ids ending in `suffix`. Stacks delete their resources.
pub(super) fn destroy_kinds(exists: &dyn Fn(ResourceKind) -> bool, suffix: &str) -> Plan {
    let of_stacks = [MacroStack, BuildStack, AppStack, MacroLogGroup, MacroRole, MacroFunction, Macro];
    if of_stacks.into_iter().any(exists) {
        return cloudformation::plan::destroy(exists, suffix);
    }
    let kinds: Vec<ResourceKind> = DESTROY_ORDER.iter().map(|(kind, _)| *kind).filter(|kind| exists(*kind)).collect();
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
    Plan::new(steps).expect("the teardown's order has no cycles")
}

/// Each resource with those deleted before it. A user of a resource is deleted before it; log groups come
/// last, since a late invocation would recreate them.
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
            "Remove the notification",
            "Uploads must not invoke the function during the teardown.",
            &["s3:PutBucketNotification"],
        ),
        BuildProject => (
            "Delete the CodeBuild project and its builds",
            "A running build is stopped first.",
            &["codebuild:StopBuild", "codebuild:BatchDeleteBuilds", "codebuild:DeleteProject"],
        ),
        InvokePermission => {
            ("Remove the invoke permission", "S3 can no longer invoke the function.", &["lambda:RemovePermission"])
        }
        Function => ("Delete the Lambda function", "Nothing invokes it any longer.", &["lambda:DeleteFunction"]),
        SourceBucket => ("Empty and delete the source bucket", EMPTY_FIRST, EMPTYING),
        DestinationBucket => ("Empty and delete the destination bucket", EMPTY_FIRST, EMPTYING),
        BuildSourceBucket => ("Empty and delete the build source bucket", EMPTY_FIRST, EMPTYING),
        Image => ("Delete the function's image", "No function uses it any longer.", &["ecr:BatchDeleteImage"]),
        Repository => {
            ("Delete the ECR repository", "Deleted by force, with all its images.", &["ecr:DeleteRepository"])
        }
        FunctionRole => ("Delete the function's execution role", DETACH_FIRST, ROLE_CALLS),
        BuildRole => ("Delete the build's service role", DETACH_FIRST, ROLE_CALLS),
        FunctionPolicy => ("Delete the function's policy", VERSIONS_FIRST, POLICY_CALLS),
        BuildPolicy => ("Delete the build's policy", VERSIONS_FIRST, POLICY_CALLS),
        FunctionLogGroup => ("Delete the function's log group", LOGS_LAST, &["logs:DeleteLogGroup"]),
        BuildLogGroup => ("Delete the build's log group", LOGS_LAST, &["logs:DeleteLogGroup"]),
        MacroStack | MacroLogGroup | MacroRole | MacroFunction | Macro | BuildStack | AppStack => {
            unreachable!("stacks and their own kinds have a plan of their own")
        }
    }
}

const EMPTY_FIRST: &str = "S3 deletes only empty buckets: objects, versions, markers and incomplete uploads first.";
const DETACH_FIRST: &str = "IAM deletes only roles without policies: they are detached first.";
const VERSIONS_FIRST: &str = "IAM deletes only unattached policies with a single version.";
const LOGS_LAST: &str = "Deleted last: a late writer would recreate it.";
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
    fn teardown_has_a_step_for_each_kind_and_deletes_log_groups_last() {
        let plan = destroy_kinds(&|kind| ResourceKind::ARCHITECTURE.contains(&kind), "");
        assert_eq!(plan.steps().len(), ResourceKind::ARCHITECTURE.len());
        let depths = plan.depths();
        assert!(depths[&"function_log_group".into()] > depths[&"function_role".into()]);
        assert!(depths[&"build_log_group".into()] > depths[&"build_role".into()]);
    }
}
