//! The SDK strategy's plan. Pure.

use thumbctl_core::plan::{Plan, Step};
use thumbctl_core::resource::ResourceKind::*;

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

/// The plan of a deployment. Names of roles, buckets and log groups are known before they exist, so policies can name
/// them and need not wait for them.
pub fn deploy(source: &BuildSource) -> Plan {
    let mut steps = vec![
        Step::new(
            REPOSITORY,
            "Create the ECR repository",
            "It stores the function's image, and depends on no other resource.",
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
                "CodeBuild reads the function's source from S3; no other source host is needed.",
            )
            .about(BuildSourceBucket)
            .calls(&BUCKET_CALLS),
        );
        steps.push(
            Step::new(
                BUILD_SOURCE,
                "Upload the function's source",
                "A zip without a root folder, as CodeBuild expects.",
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
            "CodeBuild would create it with no retention limit, and leave it undeleted.",
        )
        .about(BuildLogGroup)
        .calls(&["logs:CreateLogGroup", "logs:PutRetentionPolicy"]),
        Step::new(
            BUILD_POLICY,
            "Create the build's policy",
            "It allows the build to write its log, read its source and push the image.",
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
            "It names the source, the build image and the role. A new role needs seconds to become usable: the call \
             is retried on that error only.",
        )
        .needs(&project_needs)
        .about(BuildProject)
        .calls(&["codebuild:CreateProject", "iam:PassRole"]),
        Step::new(BUILD, "Build the function's image", "CodeBuild compiles the function and pushes its image to ECR.")
            .needs(&[BUILD_PROJECT])
            .about(Image)
            .calls(&["codebuild:StartBuild", "codebuild:BatchGetBuilds", "logs:GetLogEvents", "ecr:DescribeImages"]),
        Step::new(SOURCE_BUCKET, "Create the source bucket", "Images are uploaded here.")
            .about(SourceBucket)
            .calls(&BUCKET_CALLS),
        Step::new(
            DESTINATION_BUCKET,
            "Create the destination bucket",
            "Thumbnails are written here; in the source bucket, each would invoke the function again.",
        )
        .about(DestinationBucket)
        .calls(&BUCKET_CALLS),
        Step::new(
            FUNCTION_LOG_GROUP,
            "Create the function's log group",
            "Lambda would create it at the first invocation, and leave it undeleted.",
        )
        .about(FunctionLogGroup)
        .calls(&["logs:CreateLogGroup", "logs:PutRetentionPolicy"]),
        Step::new(
            FUNCTION_POLICY,
            "Create the function's policy",
            "It allows the function to write its log, read the source bucket and write the destination bucket.",
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
        Step::new(FUNCTION, "Create the Lambda function", "It runs the image by its digest, since a tag can move.")
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
            "A statement in the function's policy; it names the bucket by ARN, so neither waits for the other.",
        )
        .needs(&[FUNCTION])
        .about(InvokePermission)
        .calls(&["lambda:AddPermission"]),
        Step::new(
            NOTIFICATION,
            "Notify the function of new images",
            "S3 validates the permission at once, so the permission comes first.",
        )
        .needs(&[INVOKE_PERMISSION, FUNCTION_ACTIVE, SOURCE_BUCKET, DESTINATION_BUCKET])
        .about(Notification)
        .calls(&["s3:PutBucketNotification"]),
    ]);
    Plan::new(steps).expect("the steps above are in order")
}

#[cfg(test)]
mod tests {
    use thumbctl_core::resource::ResourceKind;

    use super::*;

    #[test]
    fn deployment_creates_every_resource() {
        let plan = deploy(&BuildSource::Bundle);
        for kind in ResourceKind::ARCHITECTURE {
            assert!(plan.steps().iter().any(|step| step.resource == Some(kind)), "no step creates {kind}");
        }
    }

    #[test]
    fn github_source_needs_no_bucket() {
        let plan = deploy(&BuildSource::Github { url: "https://github.com/a/b".into() });
        assert!(plan.steps().iter().all(|step| step.resource != Some(BuildSourceBucket)));
    }

    #[test]
    fn permission_comes_before_notification() {
        let plan = deploy(&BuildSource::Bundle);
        let notification = plan.step(&NOTIFICATION.into()).expect("the plan has it");
        assert!(notification.needs.contains(&INVOKE_PERMISSION.into()));
    }
}
