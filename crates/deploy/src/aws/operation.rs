//! The AWS API operations that this layer calls, and the permission of each.
//!
//! An SDK error becomes an [`AwsError`](super::AwsError) only together with one of these operations, so a call
//! without a known permission does not compile.

/// An operation of one service.
pub(crate) trait AwsOperation: Copy + 'static {
    /// The service's name.
    const SERVICE: &'static str;

    /// The operation's API name.
    fn name(self) -> &'static str;
}

/// Defines one enum for each service: its operations, each with the IAM action where that has another
/// name.
macro_rules! operations {
    ($($type:ident = $service:literal, $prefix:literal { $($name:ident $(needs $action:literal)?),* $(,)? })*) => {
        $(
            #[doc = concat!("The operations of ", $service, " that are called.")]
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub(crate) enum $type { $($name),* }

            impl $type {
                /// Returns the operation's API name.
                pub(crate) const fn name(self) -> &'static str {
                    match self { $(Self::$name => stringify!($name)),* }
                }
            }

            impl AwsOperation for $type {
                const SERVICE: &'static str = $service;

                fn name(self) -> &'static str {
                    self.name()
                }
            }
        )*

        /// Service, operation and action of every call.
        const ALL: &[(&str, &str, &str)] = &[
            $($(($service, $type::$name.name(), operations!(@action $prefix $name $($action)?))),*),*
        ];
    };
    (@action $prefix:literal $name:ident) => { concat!($prefix, ":", stringify!($name)) };
    (@action $prefix:literal $name:ident $action:literal) => { concat!($prefix, ":", $action) };
}

operations! {
    CloudFormationOperation = "CloudFormation", "cloudformation" {
        CreateChangeSet,
        DeleteStack,
        DescribeChangeSet,
        DescribeStackEvents,
        DescribeStacks,
        ExecuteChangeSet,
    }
    CodeBuildOperation = "CodeBuild", "codebuild" {
        BatchDeleteBuilds,
        BatchGetBuilds,
        BatchGetProjects,
        CreateProject,
        DeleteProject,
        ListBuildsForProject,
        ListProjects,
        StartBuild,
        StopBuild,
    }
    EcrOperation = "ECR", "ecr" {
        BatchDeleteImage,
        CreateRepository,
        DeleteRepository,
        DescribeImages,
        DescribeRepositories,
        GetRepositoryPolicy,
        ListTagsForResource,
    }
    IamOperation = "IAM", "iam" {
        AttachRolePolicy,
        CreatePolicy,
        CreateRole,
        DeletePolicy,
        DeletePolicyVersion,
        DeleteRole,
        DeleteRolePolicy,
        DetachRolePolicy,
        GetPolicy,
        GetPolicyVersion,
        GetRole,
        ListAttachedRolePolicies,
        ListEntitiesForPolicy,
        ListPolicies,
        ListPolicyTags,
        ListPolicyVersions,
        ListRolePolicies,
        ListRoleTags,
        ListRoles,
        TagPolicy,
    }
    LambdaOperation = "Lambda", "lambda" {
        AddPermission,
        CreateFunction,
        DeleteFunction,
        GetFunction,
        GetFunctionConfiguration,
        GetPolicy,
        ListFunctions,
        ListTags,
        RemovePermission,
    }
    LogsOperation = "CloudWatch Logs", "logs" {
        CreateLogGroup,
        DeleteLogGroup,
        DescribeLogGroups,
        DescribeLogStreams,
        FilterLogEvents,
        GetLogEvents,
        ListTagsForResource,
        PutRetentionPolicy,
    }
    S3Operation = "S3", "s3" {
        AbortMultipartUpload,
        CreateBucket,
        DeleteBucket,
        // Buckets are emptied by version, including version `null`.
        DeleteObjects needs "DeleteObjectVersion",
        GetBucketEncryption needs "GetEncryptionConfiguration",
        GetBucketNotificationConfiguration needs "GetBucketNotification",
        GetBucketTagging,
        GetBucketVersioning,
        GetObject,
        GetPublicAccessBlock needs "GetBucketPublicAccessBlock",
        HeadBucket needs "ListBucket",
        HeadObject needs "GetObject",
        ListBuckets needs "ListAllMyBuckets",
        ListMultipartUploads needs "ListBucketMultipartUploads",
        ListObjectVersions needs "ListBucketVersions",
        ListObjectsV2 needs "ListBucket",
        PutBucketEncryption needs "PutEncryptionConfiguration",
        PutBucketNotificationConfiguration needs "PutBucketNotification",
        PutBucketTagging,
        PutObject,
        PutPublicAccessBlock needs "PutBucketPublicAccessBlock",
    }
}

/// The only STS operation called. It needs no permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GetCallerIdentity;

impl AwsOperation for GetCallerIdentity {
    const SERVICE: &'static str = "STS";

    fn name(self) -> &'static str {
        "GetCallerIdentity"
    }
}

/// Returns the IAM action of a call; `None` for calls that this layer does not make.
pub(crate) fn required_action(service: &str, operation: &str) -> Option<&'static str> {
    ALL.iter().find(|(of, name, _)| (*of, *name) == (service, operation)).map(|(_, _, action)| *action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::policy::Document;

    #[test]
    fn user_policy_allows_every_operation() {
        let policy = Document::UserPolicy.text();
        for (service, operation, action) in ALL {
            assert!(policy.contains(&format!("\"{action}\"")), "{service} {operation} needs {action}");
        }
    }

    #[test]
    fn required_action_is_known_by_service_and_operation() {
        assert_eq!(required_action("S3", "HeadBucket"), Some("s3:ListBucket"));
        assert_eq!(required_action("IAM", "GetPolicy"), Some("iam:GetPolicy"));
        assert_eq!(required_action("Lambda", "GetPolicy"), Some("lambda:GetPolicy"));
        assert_eq!(required_action("STS", "GetCallerIdentity"), None);
    }
}
