//! Checks whether a resource exists in the cloud; changes nothing.

use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;

use super::deploy_target::DeployTarget;
use crate::aws::{AwsError, cloudformation, codebuild, ecr, iam, lambda, logs, s3};

/// A resource's presence in the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It exists.
    Exists,
    /// It does not exist.
    Missing,
    /// The check failed.
    Unknown(String),
}

impl Presence {
    /// Returns whether it certainly exists.
    pub fn exists(&self) -> bool {
        *self == Self::Exists
    }
}

/// Checks one resource.
pub(super) async fn presence(target: &DeployTarget, names: &Names, kind: ResourceKind) -> Result<Presence, AwsError> {
    let clients = &target.clients;
    let name = names.of(kind);
    let exists = match kind {
        ResourceKind::Repository => ecr::repository(&clients.ecr, &name).await?.is_some(),
        ResourceKind::Image => {
            let repository = names.of(ResourceKind::Repository);
            ecr::image_by_tag(&clients.ecr, &repository, names.image_tag()).await?.is_some()
        }
        ResourceKind::BuildSourceBucket | ResourceKind::SourceBucket | ResourceKind::DestinationBucket => {
            match s3::head_bucket(&clients.s3, &name).await? {
                s3::BucketPresence::Accessible => true,
                s3::BucketPresence::Missing => false,
                s3::BucketPresence::Denied => return Ok(Presence::Unknown("access denied".to_owned())),
            }
        }
        ResourceKind::BuildLogGroup | ResourceKind::FunctionLogGroup | ResourceKind::MacroLogGroup => {
            logs::log_group(&clients.logs, &name).await?.is_some()
        }
        ResourceKind::BuildPolicy | ResourceKind::FunctionPolicy => {
            let arn = format!("arn:aws:iam::{}:policy/{name}", target.identity.account);
            iam::policy(&clients.iam, &arn).await?.is_some()
        }
        ResourceKind::BuildRole | ResourceKind::FunctionRole | ResourceKind::MacroRole => {
            iam::role(&clients.iam, &name).await?.is_some()
        }
        ResourceKind::BuildProject => codebuild::project(&clients.codebuild, &name).await?.is_some(),
        ResourceKind::Function | ResourceKind::MacroFunction => {
            lambda::function(&clients.lambda, &name).await?.is_some()
        }
        ResourceKind::InvokePermission => {
            let (function, bucket) = (names.of(ResourceKind::Function), names.of(ResourceKind::SourceBucket));
            !lambda::bucket_permissions(&clients.lambda, &function, &bucket).await?.is_empty()
        }
        ResourceKind::MacroStack | ResourceKind::BuildStack | ResourceKind::AppStack => {
            let found = cloudformation::stack(&clients.cloudformation, &name).await?;
            found.is_some_and(|stack| !stack.status.is_deleted())
        }
        // Rule: CloudFormation lists no macros; one exists while its stack is complete.
        // https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Operations.html
        ResourceKind::Macro => {
            let stack = names.of(ResourceKind::MacroStack);
            let found = cloudformation::stack(&clients.cloudformation, &stack).await?;
            found.is_some_and(|stack| stack.status.is_complete())
        }
        ResourceKind::Notification => {
            let bucket = names.of(ResourceKind::SourceBucket);
            let rules = s3::notification(&clients.s3, &bucket).await?.unwrap_or_default();
            let function = names.of(ResourceKind::Function);
            rules.iter().any(|rule| rule.invokes(&function))
        }
    };
    Ok(if exists { Presence::Exists } else { Presence::Missing })
}

/// Checks one resource; an error becomes `Presence::Unknown`.
pub async fn presence_or_unknown(target: &DeployTarget, names: &Names, kind: ResourceKind) -> Presence {
    presence(target, names, kind).await.unwrap_or_else(|error| Presence::Unknown(error.to_string()))
}
