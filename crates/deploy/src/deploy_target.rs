//! [`DeployTarget`]: where a deployment is created, and the tags of its resources.

use std::sync::Arc;

use serde_json::Value;
use thumbctl_core::event::StrategyKind;
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;

use crate::aws::policy::{self, Document, PolicyValues};
use crate::aws::{Architecture, Tags};
use crate::cloud::{Clients, CloudLabel, Identity};
use crate::settings::{BuildSource, Settings};

/// The tag with the deployment's name.
pub const DEPLOYMENT_TAG: &str = "thumbctl:deployment";
/// The tag with the strategy that created the resource.
pub const STRATEGY_TAG: &str = "thumbctl:strategy";

/// The tag with the region that uses the resource: IAM is global.
pub const REGION_TAG: &str = "thumbctl:region";

/// Where a deployment is created, and the clients for it.
#[derive(Clone, Debug)]
pub struct DeployTarget {
    /// The service clients.
    pub clients: Clients,
    /// The cloud.
    pub label: CloudLabel,
    /// The caller's identity.
    pub identity: Identity,
    /// The region.
    pub region: String,
    /// The user's settings.
    pub settings: Arc<Settings>,
}

/// The tags of a deployment's resources.
pub fn tags_of(names: &Names, region: &str, strategy: StrategyKind) -> Tags {
    Tags::from([
        (DEPLOYMENT_TAG.to_owned(), names.deployment().to_string()),
        (STRATEGY_TAG.to_owned(), strategy.to_string()),
        (REGION_TAG.to_owned(), region.to_owned()),
    ])
}

/// A policy document with this deployment's names.
pub fn document_of(document: Document, names: &Names, target: &DeployTarget) -> Value {
    let of = |kind| names.of(kind);
    let bundled = target.settings.build.source == BuildSource::Bundle;
    let values = PolicyValues {
        account: target.identity.account.clone(),
        region: target.region.clone(),
        prefix: names.deployment().to_string(),
        repository: of(ResourceKind::Repository),
        build_log_group: of(ResourceKind::BuildLogGroup),
        function_log_group: of(ResourceKind::FunctionLogGroup),
        source_bucket: of(ResourceKind::SourceBucket),
        destination_bucket: of(ResourceKind::DestinationBucket),
        build_source_bucket: bundled.then(|| of(ResourceKind::BuildSourceBucket)),
    };
    policy::render(document, &values).expect("the shipped documents are JSON whose placeholders all have values")
}

/// The sandbox runs the function here, so its images have this machine's architecture; CodeBuild's default is x86-64.
pub(crate) fn architecture_in(label: &CloudLabel) -> Architecture {
    match label {
        CloudLabel::Sandbox if cfg!(target_arch = "aarch64") => Architecture::Arm64,
        _ => Architecture::X86_64,
    }
}
