//! [`Site`]: where a deployment is made, and what everything made there carries.

use std::sync::Arc;

use serde_json::Value;
use thumbctl_core::event::StrategyKind;
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;

use crate::aws::policy::{self, Document, PolicyValues};
use crate::aws::{Architecture, Tags};
use crate::cloud::{Clients, CloudLabel, Identity};
use crate::settings::{BuildSource, Settings};

/// The tag that says which deployment something belongs to: its value is the deployment's name.
pub const DEPLOYMENT_TAG: &str = "thumbctl:deployment";
/// The tag that says which strategy made something.
pub const STRATEGY_TAG: &str = "thumbctl:strategy";

/// The tag that says in which region something is used: IAM's things are in none.
pub const REGION_TAG: &str = "thumbctl:region";

/// Where a deployment is made, and with what.
#[derive(Clone, Debug)]
pub struct Site {
    /// The services.
    pub clients: Clients,
    /// Which cloud.
    pub label: CloudLabel,
    /// Who we are in it.
    pub identity: Identity,
    /// Its region.
    pub region: String,
    /// The user's settings.
    pub settings: Arc<Settings>,
}

/// The tags that everything of a deployment carries.
pub fn tags_of(names: &Names, region: &str, strategy: StrategyKind) -> Tags {
    Tags::from([
        (DEPLOYMENT_TAG.to_owned(), names.deployment().to_string()),
        (STRATEGY_TAG.to_owned(), strategy.to_string()),
        (REGION_TAG.to_owned(), region.to_owned()),
    ])
}

/// A policy document with this deployment's names in it.
pub fn document_of(document: Document, names: &Names, site: &Site) -> Value {
    let of = |kind| names.of(kind);
    let bundled = site.settings.build.source == BuildSource::Bundle;
    let values = PolicyValues {
        account: site.identity.account.clone(),
        region: site.region.clone(),
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

/// The sandbox runs the function on this machine, so its images are this machine's; CodeBuild's default fleet is x86-64.
pub(super) fn architecture_in(label: &CloudLabel) -> Architecture {
    match label {
        CloudLabel::Sandbox if cfg!(target_arch = "aarch64") => Architecture::Arm64,
        _ => Architecture::X86_64,
    }
}
