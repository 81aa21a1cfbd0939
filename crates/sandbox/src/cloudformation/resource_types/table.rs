//! The table of resource types.

use super::ResourceType;
use super::properties as of;

/// Finds a supported type by name.
pub(crate) fn resource_type(name: &str) -> Option<&'static ResourceType> {
    TYPES.iter().find(|it| it.name == name)
}

static TYPES: [ResourceType; 11] = [
    ResourceType {
        name: "AWS::S3::Bucket",
        properties: of::s3::BUCKET,
        attributes: &["Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL"],
        early: true,
        provider: &super::s3::Bucket,
    },
    ResourceType {
        name: "AWS::S3::BucketPolicy",
        properties: of::s3::BUCKET_POLICY,
        attributes: &[],
        early: false,
        provider: &super::s3::BucketPolicy,
    },
    ResourceType {
        name: "AWS::ECR::Repository",
        properties: of::ecr::REPOSITORY,
        attributes: &["Arn", "RepositoryUri"],
        early: true,
        provider: &super::ecr::Repository,
    },
    ResourceType {
        name: "AWS::IAM::Role",
        properties: of::iam::ROLE,
        attributes: &["Arn", "RoleId"],
        early: true,
        provider: &super::iam::Role,
    },
    ResourceType {
        name: "AWS::IAM::ManagedPolicy",
        properties: of::iam::MANAGED_POLICY,
        attributes: &[
            "AttachmentCount",
            "CreateDate",
            "DefaultVersionId",
            "IsAttachable",
            "PermissionsBoundaryUsageCount",
            "PolicyArn",
            "PolicyId",
            "UpdateDate",
        ],
        early: true,
        provider: &super::iam::ManagedPolicy,
    },
    ResourceType {
        name: "AWS::IAM::Policy",
        properties: of::iam::POLICY,
        attributes: &["Id"],
        early: true,
        provider: &super::iam::Policy,
    },
    ResourceType {
        name: "AWS::CodeBuild::Project",
        properties: of::codebuild::PROJECT,
        attributes: &["Arn", "Id"],
        early: false,
        provider: &super::codebuild::Project,
    },
    ResourceType {
        name: "AWS::Lambda::Function",
        properties: of::lambda::FUNCTION,
        attributes: &["Arn", "SnapStartResponse.ApplyOn", "SnapStartResponse.OptimizationStatus"],
        early: false,
        provider: &super::lambda::Function,
    },
    ResourceType {
        name: "AWS::Lambda::Permission",
        properties: of::lambda::PERMISSION,
        attributes: &["Id"],
        early: false,
        provider: &super::lambda::Permission,
    },
    ResourceType {
        name: "AWS::Logs::LogGroup",
        properties: of::logs::LOG_GROUP,
        attributes: &["Arn"],
        early: true,
        provider: &super::logs::LogGroup,
    },
    ResourceType {
        name: "AWS::CloudFormation::Macro",
        properties: of::cloudformation::MACRO,
        attributes: &["Id"],
        early: false,
        provider: &super::cloudformation::Macro,
    },
];
