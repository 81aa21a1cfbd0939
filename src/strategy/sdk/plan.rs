//! The SDK strategy's plans. Pure.

use crate::deployment::Deployment;
use crate::plan::{Plan, Step};
use crate::resource::ResourceKind::{self, *};
use crate::settings::BuildSource;

pub(super) const REPOSITORY: &str = "repository";
pub(super) const BUILD_SOURCE_BUCKET: &str = "build_source_bucket";
pub(super) const BUILD_SOURCE: &str = "build_source";
pub(super) const BUILD_LOG_GROUP: &str = "build_log_group";
pub(super) const BUILD_POLICY: &str = "build_policy";
pub(super) const BUILD_ROLE: &str = "build_role";
pub(super) const BUILD_PROJECT: &str = "build_project";
pub(super) const BUILD: &str = "build";
pub(super) const SOURCE_BUCKET: &str = "source_bucket";
pub(super) const DESTINATION_BUCKET: &str = "destination_bucket";
pub(super) const FUNCTION_LOG_GROUP: &str = "function_log_group";
pub(super) const FUNCTION_POLICY: &str = "function_policy";
pub(super) const FUNCTION_ROLE: &str = "function_role";
pub(super) const FUNCTION: &str = "function";
pub(super) const FUNCTION_ACTIVE: &str = "function_active";
pub(super) const INVOKE_PERMISSION: &str = "invoke_permission";
pub(super) const NOTIFICATION: &str = "notification";

const BUCKET_CALLS: [&str; 4] =
    ["s3:CreateBucket", "s3:PutBucketTagging", "s3:PutPublicAccessBlock", "s3:PutBucketEncryption"];

/// What a deployment does. The names of roles, buckets and log groups are known before they exist, so policies can name
/// them and need not wait for them.
pub fn deploy(source: &BuildSource) -> Plan {
    let mut steps = vec![
        Step::new(
            REPOSITORY,
            "Create the ECR repository",
            "It keeps the function's image and depends on nothing: the most independent resource of all.",
        )
        .about(Repository)
        .calls(&["ecr:CreateRepository"]),
    ];
    let mut project_needs = vec![REPOSITORY, BUILD_LOG_GROUP, BUILD_ROLE];
    if *source == BuildSource::Bundle {
        steps.push(
            Step::new(
                BUILD_SOURCE_BUCKET,
                "Create the build source bucket",
                "CodeBuild takes the function's source from S3, so no repository elsewhere has to be reached.",
            )
            .about(BuildSourceBucket)
            .calls(&BUCKET_CALLS),
        );
        steps.push(
            Step::new(
                BUILD_SOURCE,
                "Upload the function's source",
                "A zip without a root folder, as CodeBuild wants it.",
            )
            .needs(&[BUILD_SOURCE_BUCKET])
            .calls(&["s3:PutObject"]),
        );
        project_needs.push(BUILD_SOURCE);
    }
    steps.extend([
        Step::new(
            BUILD_LOG_GROUP,
            "Create the build's log group",
            "CodeBuild would create it by itself, but without an end to its retention, and leave it behind.",
        )
        .about(BuildLogGroup)
        .calls(&["logs:CreateLogGroup", "logs:PutRetentionPolicy"]),
        Step::new(
            BUILD_POLICY,
            "Create the build's policy",
            "What the build may do: write its log, read its source, push to the repository.",
        )
        .about(BuildPolicy)
        .calls(&["iam:CreatePolicy"]),
        Step::new(
            BUILD_ROLE,
            "Create the build's service role",
            "CodeBuild assumes it; its trust policy names codebuild.amazonaws.com.",
        )
        .needs(&[BUILD_POLICY])
        .about(BuildRole)
        .calls(&["iam:CreateRole", "iam:AttachRolePolicy"]),
        Step::new(
            BUILD_PROJECT,
            "Create the CodeBuild project",
            "It says where the source is, what builds it and as whom. A new role takes seconds until it can be assumed: the call \
             is made again on exactly that error.",
        )
        .needs(&project_needs)
        .about(BuildProject)
        .calls(&["codebuild:CreateProject", "iam:PassRole"]),
        Step::new(BUILD, "Build the function's image", "CodeBuild compiles the function and pushes its image to ECR.")
            .needs(&[BUILD_PROJECT])
            .about(Image)
            .calls(&["codebuild:StartBuild", "codebuild:BatchGetBuilds", "logs:GetLogEvents", "ecr:DescribeImages"]),
        Step::new(SOURCE_BUCKET, "Create the source bucket", "Images are put here.").about(SourceBucket).calls(&BUCKET_CALLS),
        Step::new(
            DESTINATION_BUCKET,
            "Create the destination bucket",
            "Thumbnails are written here; were it the source bucket, every thumbnail would start the function again.",
        )
        .about(DestinationBucket)
        .calls(&BUCKET_CALLS),
        Step::new(
            FUNCTION_LOG_GROUP,
            "Create the function's log group",
            "Lambda would create it at the first invocation, and leave it behind.",
        )
        .about(FunctionLogGroup)
        .calls(&["logs:CreateLogGroup", "logs:PutRetentionPolicy"]),
        Step::new(
            FUNCTION_POLICY,
            "Create the function's policy",
            "What the function may do: write its log, read the source bucket, write the destination bucket.",
        )
        .about(FunctionPolicy)
        .calls(&["iam:CreatePolicy"]),
        Step::new(
            FUNCTION_ROLE,
            "Create the function's execution role",
            "Lambda assumes it for the function; its trust policy names lambda.amazonaws.com.",
        )
        .needs(&[FUNCTION_POLICY])
        .about(FunctionRole)
        .calls(&["iam:CreateRole", "iam:AttachRolePolicy"]),
        Step::new(
            FUNCTION,
            "Create the Lambda function",
            "Made from the image, named by its digest, since a tag may move.",
        )
        .needs(&[BUILD, FUNCTION_ROLE, FUNCTION_LOG_GROUP])
        .about(Function)
        .calls(&["lambda:CreateFunction", "iam:PassRole"]),
        Step::new(
            FUNCTION_ACTIVE,
            "Wait until the function is active",
            "Lambda prepares the image first; until then the function cannot be invoked.",
        )
        .needs(&[FUNCTION])
        .about(Function)
        .calls(&["lambda:GetFunctionConfiguration"]),
        Step::new(
            INVOKE_PERMISSION,
            "Let the source bucket invoke the function",
            "A statement in the function's own policy; the bucket's ARN is written by hand, so that neither waits for the other.",
        )
        .needs(&[FUNCTION])
        .about(InvokePermission)
        .calls(&["lambda:AddPermission"]),
        Step::new(
            NOTIFICATION,
            "Notify the function of new images",
            "S3 checks at once that it may invoke the function, so the permission comes first.",
        )
        .needs(&[INVOKE_PERMISSION, FUNCTION_ACTIVE, SOURCE_BUCKET, DESTINATION_BUCKET])
        .about(Notification)
        .calls(&["s3:PutBucketNotification"]),
    ]);
    Plan::new(steps).expect("the deployment's steps are written down in order, above")
}

/// What takes a deployment down: a step for everything that may be there, the reverse of how it was made.
pub fn destroy(deployment: &Deployment) -> Plan {
    destroy_kinds(&|kind| deployment.resource(kind).is_some_and(|resource| resource.state.may_exist()), "")
}

/// The steps that remove resources of the kinds given, under ids that end in `suffix`.
pub(super) fn destroy_kinds(stands: &dyn Fn(ResourceKind) -> bool, suffix: &str) -> Plan {
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
    fn a_deployment_makes_every_resource() {
        let plan = deploy(&BuildSource::Bundle);
        for kind in ResourceKind::ALL {
            assert!(plan.steps().iter().any(|step| step.resource == Some(kind)), "nobody makes {kind}");
        }
    }

    #[test]
    fn a_github_source_needs_no_bucket() {
        let plan = deploy(&BuildSource::Github { url: "https://github.com/a/b".into() });
        assert!(plan.steps().iter().all(|step| step.resource != Some(BuildSourceBucket)));
    }

    #[test]
    fn a_teardown_has_a_step_for_everything_and_takes_log_groups_last() {
        let plan = destroy_kinds(&|_| true, "");
        assert_eq!(plan.steps().len(), ResourceKind::ALL.len());
        let depths = plan.depths();
        assert!(depths[&"function_log_group".into()] > depths[&"function_role".into()]);
        assert!(depths[&"build_log_group".into()] > depths[&"build_role".into()]);
    }

    #[test]
    fn permission_comes_before_notification() {
        let plan = deploy(&BuildSource::Bundle);
        let notification = plan.step(&NOTIFICATION.into()).expect("the plan has it");
        assert!(notification.needs.contains(&INVOKE_PERMISSION.into()));
    }
}
