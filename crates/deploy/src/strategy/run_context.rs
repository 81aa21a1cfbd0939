//! [`RunContext`]: what every strategy's steps work with.

use serde_json::Value;
use thumbctl_core::deployment::Deployment;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::event::StrategyKind;
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;

use super::call::call;
use super::probe;
use super::site::{self, Site};
use crate::aws::policy::Document;
use crate::aws::{Architecture, Tags};

/// One run's cloud, names and past.
#[derive(Debug)]
pub struct RunContext {
    /// Where.
    pub site: Site,
    /// The deployment's names.
    pub names: Names,
    /// By which way the deployment is made.
    pub strategy: StrategyKind,
    /// What the journal said when the run began.
    pub before: Deployment,
}

impl RunContext {
    pub(super) fn name(&self, kind: ResourceKind) -> String {
        self.names.of(kind)
    }

    pub(super) fn tags(&self) -> Tags {
        site::tags_of(&self.names, &self.site.region, self.strategy)
    }

    pub(super) fn architecture(&self) -> Architecture {
        site::architecture_in(&self.site.label)
    }

    pub(super) fn policy(&self, document: Document) -> Value {
        site::document_of(document, &self.names, &self.site)
    }

    pub(super) fn role_arn(&self, kind: ResourceKind) -> String {
        self.iam_arn("role", &self.name(kind))
    }

    pub(super) fn policy_arn(&self, kind: ResourceKind) -> String {
        self.iam_arn("policy", &self.name(kind))
    }

    pub(super) fn iam_arn(&self, what: &str, name: &str) -> String {
        format!("arn:aws:iam::{}:{what}/{name}", self.site.identity.account)
    }

    pub(super) async fn is_there(&self, scope: &StepScope, kind: ResourceKind) -> Result<bool, StepError> {
        let presence = call(scope, &[], || probe::presence(&self.site, &self.names, kind)).await?;
        Ok(presence.is_there())
    }

    /// The ARN that a kind's resource has, if such things have one.
    pub(super) fn arn_of(&self, kind: ResourceKind, names: &Names) -> Option<String> {
        let (region, account, name) = (&self.site.region, &self.site.identity.account, names.of(kind));
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
            // A stack's ARN ends in an id of its own, which only CloudFormation knows.
            ResourceKind::MacroStack | ResourceKind::BuildStack | ResourceKind::AppStack => return None,
            ResourceKind::Image | ResourceKind::InvokePermission | ResourceKind::Notification | ResourceKind::Macro => {
                return None;
            }
        })
    }
}
