//! [`RunContext`]: the data that every strategy's steps use.

use serde_json::Value;
use thumbctl_core::deployment::Deployment;
use thumbctl_core::event::StrategyKind;
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;

use crate::aws::policy::Document;
use crate::aws::{Architecture, Tags};
use crate::deploy_target::{self, DeployTarget};
use crate::resource::{self, ResourceContext};

/// One run's cloud, names and the deployment before it.
#[derive(Clone, Debug)]
pub(crate) struct RunContext {
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
    pub(crate) fn name(&self, kind: ResourceKind) -> String {
        self.names.of(kind)
    }

    pub(crate) fn tags(&self) -> Tags {
        deploy_target::tags_of(&self.names, &self.target.region, self.strategy)
    }

    pub(crate) fn architecture(&self) -> Architecture {
        deploy_target::architecture_in(&self.target.label)
    }

    pub(crate) fn policy(&self, document: Document) -> Value {
        deploy_target::document_of(document, &self.names, &self.target)
    }

    /// What the deployment's resources need to find themselves.
    pub(crate) fn resources(&self) -> ResourceContext<'_> {
        ResourceContext { target: &self.target, names: &self.names }
    }

    /// The ARN of a role of this deployment.
    pub(crate) fn role_arn(&self, kind: ResourceKind) -> String {
        self.arn_of(kind, &self.names).expect("roles have ARNs")
    }

    /// The ARN of a policy of this deployment.
    pub(crate) fn policy_arn(&self, kind: ResourceKind) -> String {
        self.arn_of(kind, &self.names).expect("policies have ARNs")
    }

    /// The ARN of a kind's resource, if the kind has one.
    pub(crate) fn arn_of(&self, kind: ResourceKind, names: &Names) -> Option<String> {
        resource::of(kind).arn(ResourceContext { target: &self.target, names })
    }
}
