//! [`RunContext`]: the data that every strategy's steps use.

use serde_json::Value;
use thumbctl_core::deployment::Deployment;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::event::StrategyKind;
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;

use super::call::call;
use super::deploy_target::{self, DeployTarget};
use super::probe;
use crate::aws::policy::Document;
use crate::aws::{Architecture, Tags};

/// One run's cloud, names and the deployment before it.
#[derive(Debug)]
pub struct RunContext {
    /// The cloud.
    pub target: DeployTarget,
    /// The deployment's names.
    pub names: Names,
    /// The deployment's strategy.
    pub strategy: StrategyKind,
    /// The deployment before the run, from the journal.
    pub before: Deployment,
}

impl RunContext {
    pub(super) fn name(&self, kind: ResourceKind) -> String {
        self.names.of(kind)
    }

    pub(super) fn tags(&self) -> Tags {
        deploy_target::tags_of(&self.names, &self.target.region, self.strategy)
    }

    pub(super) fn architecture(&self) -> Architecture {
        deploy_target::architecture_in(&self.target.label)
    }

    pub(super) fn policy(&self, document: Document) -> Value {
        deploy_target::document_of(document, &self.names, &self.target)
    }

    pub(super) fn role_arn(&self, kind: ResourceKind) -> String {
        self.iam_arn("role", &self.name(kind))
    }

    pub(super) fn policy_arn(&self, kind: ResourceKind) -> String {
        self.iam_arn("policy", &self.name(kind))
    }

    pub(super) fn iam_arn(&self, what: &str, name: &str) -> String {
        format!("arn:aws:iam::{}:{what}/{name}", self.target.identity.account)
    }

    pub(super) async fn exists(&self, scope: &StepScope, kind: ResourceKind) -> Result<bool, StepError> {
        let presence = call(scope, &[], || probe::presence(&self.target, &self.names, kind)).await?;
        Ok(presence.exists())
    }

    /// The ARN of a kind's resource, if the kind has one.
    pub(super) fn arn_of(&self, kind: ResourceKind, names: &Names) -> Option<String> {
        let (region, account, name) = (&self.target.region, &self.target.identity.account, names.of(kind));
        Some(match kind {
            ResourceKind::Repository => format!("arn:aws:ecr:{region}:{account}:repository/{name}"),
            ResourceKind::BuildSourceBucket | ResourceKind::SourceBucket | ResourceKind::DestinationBucket => {
                format!("arn:aws:s3:::{name}")
            }
            ResourceKind::BuildLogGroup | ResourceKind::FunctionLogGroup | ResourceKind::MacroLogGroup => {
                format!("arn:aws:logs:{region}:{account}:log-group:{name}")
            }
            ResourceKind::BuildPolicy | ResourceKind::FunctionPolicy => self.iam_arn("policy", &name),
            ResourceKind::BuildRole | ResourceKind::FunctionRole | ResourceKind::MacroRole => {
                self.iam_arn("role", &name)
            }
            ResourceKind::BuildProject => format!("arn:aws:codebuild:{region}:{account}:project/{name}"),
            ResourceKind::Function | ResourceKind::MacroFunction => {
                format!("arn:aws:lambda:{region}:{account}:function:{name}")
            }
            // A stack's ARN ends in an id that only CloudFormation assigns.
            ResourceKind::MacroStack | ResourceKind::BuildStack | ResourceKind::AppStack => return None,
            ResourceKind::Image | ResourceKind::InvokePermission | ResourceKind::Notification | ResourceKind::Macro => {
                return None;
            }
        })
    }
}
