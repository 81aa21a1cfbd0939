//! The AWS managed policies that this architecture may use.
//!
//! awsim creates an empty policy for any name, which allows nothing. Other policies than these are rejected.

use awsim_core::AwsError;
use awsim_iam::state::{IamState, Policy, PolicyVersion};
use serde_json::json;

const PREFIX: &str = "arn:aws:iam::aws:policy/";

/// The name with its path, and the actions it allows on all resources.
const POLICIES: &[(&str, &[&str])] = &[
    ("AdministratorAccess", &["*"]),
    ("PowerUserAccess", &["codebuild:*", "ecr:*", "lambda:*", "logs:*", "s3:*", "iam:GetRole", "iam:ListRoles"]),
    (
        "ReadOnlyAccess",
        &[
            "codebuild:BatchGet*",
            "codebuild:List*",
            "ecr:BatchCheck*",
            "ecr:BatchGet*",
            "ecr:Describe*",
            "ecr:Get*",
            "ecr:List*",
            "iam:Get*",
            "iam:List*",
            "lambda:Get*",
            "lambda:List*",
            "logs:Describe*",
            "logs:FilterLogEvents",
            "logs:Get*",
            "logs:List*",
            "s3:Get*",
            "s3:List*",
        ],
    ),
    ("IAMFullAccess", &["iam:*"]),
    ("IAMReadOnlyAccess", &["iam:Get*", "iam:List*"]),
    ("AmazonS3FullAccess", &["s3:*"]),
    ("AmazonS3ReadOnlyAccess", &["s3:Get*", "s3:List*"]),
    ("AmazonEC2ContainerRegistryFullAccess", &["ecr:*"]),
    (
        "AmazonEC2ContainerRegistryPowerUser",
        &[
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:DescribeImages",
            "ecr:DescribeRepositories",
            "ecr:GetAuthorizationToken",
            "ecr:GetDownloadUrlForLayer",
            "ecr:GetLifecyclePolicy",
            "ecr:GetRepositoryPolicy",
            "ecr:InitiateLayerUpload",
            "ecr:ListImages",
            "ecr:ListTagsForResource",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
        ],
    ),
    (
        "AmazonEC2ContainerRegistryReadOnly",
        &[
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:DescribeImages",
            "ecr:DescribeRepositories",
            "ecr:GetAuthorizationToken",
            "ecr:GetDownloadUrlForLayer",
            "ecr:GetLifecyclePolicy",
            "ecr:GetRepositoryPolicy",
            "ecr:ListImages",
            "ecr:ListTagsForResource",
        ],
    ),
    ("AWSCodeBuildAdminAccess", &["codebuild:*", "iam:GetRole", "logs:GetLogEvents"]),
    (
        "AWSCodeBuildDeveloperAccess",
        &["codebuild:StartBuild", "codebuild:StopBuild", "codebuild:BatchGet*", "codebuild:List*"],
    ),
    ("AWSLambda_FullAccess", &["lambda:*", "iam:GetPolicy", "iam:GetRole", "iam:PassRole", "logs:DescribeLogGroups"]),
    ("AWSLambda_ReadOnlyAccess", &["lambda:Get*", "lambda:List*", "iam:GetPolicy", "iam:GetRole"]),
    ("service-role/AWSLambdaBasicExecutionRole", &["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]),
    ("CloudWatchLogsFullAccess", &["logs:*"]),
    ("CloudWatchLogsReadOnlyAccess", &["logs:Describe*", "logs:FilterLogEvents", "logs:Get*", "logs:List*"]),
];

/// Creates an AWS managed policy before it is attached. Ignores other policies.
pub(crate) fn provide(state: &IamState, arn: &str) -> Result<(), AwsError> {
    let Some(name) = arn.strip_prefix(PREFIX) else { return Ok(()) };
    if state.policies.contains_key(arn) {
        return Ok(());
    }
    let Some((_, actions)) = POLICIES.iter().find(|(known, _)| *known == name) else {
        return Err(AwsError::not_found(
            "NoSuchEntity",
            format!(
                "Policy {arn} does not exist or is not attachable: the sandbox does not have this AWS managed policy."
            ),
        ));
    };
    let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
    let document = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let (path, short) =
        name.rsplit_once('/').map_or(("/".to_owned(), name), |(path, name)| (format!("/{path}/"), name));
    let created = "2015-02-06T18:39:46Z".to_owned();
    let version = PolicyVersion {
        version_id: "v1".to_owned(),
        document: document.clone(),
        is_default_version: true,
        create_date: created.clone(),
    };
    let policy = Policy {
        policy_name: short.to_owned(),
        policy_id: crate::authz::sessions::access_key("ANPA"),
        arn: arn.to_owned(),
        path,
        description: None,
        policy_document: document,
        create_date: created.clone(),
        update_date: created,
        attachment_count: 0,
        versions: vec![version],
        default_version_id: "v1".to_owned(),
        tags: Default::default(),
    };
    state.policies.insert(arn.to_owned(), policy);
    Ok(())
}
