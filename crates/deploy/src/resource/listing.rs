//! [`Listing`]: the listings that find a deployment's resources without a journal.

use crate::aws::{AwsError, Tagged, cloudformation, codebuild, ecr, iam, lambda, logs, s3};
use crate::deploy_target::DeployTarget;

/// A listing of one service, by the prefix of names. The order is that in which they are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Listing {
    /// S3 buckets of the region.
    Buckets,
    /// ECR repositories.
    Repositories,
    /// CodeBuild projects.
    BuildProjects,
    /// Lambda functions.
    Functions,
    /// CloudFormation stacks.
    Stacks,
    /// IAM roles.
    Roles,
    /// IAM policies of the account.
    Policies,
    /// Log groups of CodeBuild projects.
    CodebuildLogGroups,
    /// Log groups of Lambda functions.
    LambdaLogGroups,
}

impl Listing {
    /// Lists the resources whose names start with the prefix.
    ///
    /// # Errors
    /// When the call fails.
    pub(crate) async fn find(self, target: &DeployTarget, prefix: &str) -> Result<Vec<Tagged>, AwsError> {
        let clients = &target.clients;
        match self {
            Self::Buckets => s3::list_buckets(&clients.s3, prefix, &target.region).await,
            Self::Repositories => ecr::list_repositories(&clients.ecr, prefix).await,
            Self::BuildProjects => codebuild::list_projects(&clients.codebuild, prefix).await,
            Self::Functions => lambda::list_functions(&clients.lambda, prefix).await,
            Self::Stacks => cloudformation::list_stacks(&clients.cloudformation, prefix).await,
            Self::Roles => iam::list_roles(&clients.iam, prefix).await,
            Self::Policies => iam::list_policies(&clients.iam, prefix).await,
            Self::CodebuildLogGroups => logs::list_log_groups(&clients.logs, &format!("/aws/codebuild/{prefix}")).await,
            Self::LambdaLogGroups => logs::list_log_groups(&clients.logs, &format!("/aws/lambda/{prefix}")).await,
        }
    }
}
