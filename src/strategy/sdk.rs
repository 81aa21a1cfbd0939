//! The SDK strategy: every resource by a direct call of the AWS SDK, the original's third way.
//!
//! Every step can be done again: it looks what is there, makes what is missing, and takes what an earlier process made
//! just before it died.

mod build;
mod build_side;
mod call;
mod function_side;
pub mod inspect;
pub mod leftovers;
pub mod plan;
mod probe;
mod remove;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use serde_json::Value;

pub use self::probe::{Presence, presence_or_why_not};
use crate::aws::policy::{self, Document, PolicyValues};
use crate::aws::{Architecture, Tags};
use crate::cloud::{Clients, CloudLabel, Identity};
use crate::deployment::Deployment;
use crate::engine::{ResourceChange, StepDone, StepError, StepRunner, StepScope};
use crate::event::{Action, StrategyKind};
use crate::names::Names;
use crate::plan::Step;
use crate::resource::{ResourceKind, ResourceState};
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

/// Does the steps of the SDK strategy's plans.
#[derive(Debug)]
pub struct SdkStrategy {
    site: Site,
    names: Names,
    action: Action,
    /// What the journal said when the run began.
    before: Deployment,
}

impl SdkStrategy {
    /// A runner for one run.
    pub fn new(site: Site, names: Names, action: Action, before: Deployment) -> Self {
        Self { site, names, action, before }
    }

    fn name(&self, kind: ResourceKind) -> String {
        self.names.of(kind)
    }

    fn tags(&self) -> Tags {
        tags_of(&self.names, &self.site.region)
    }

    fn architecture(&self) -> Architecture {
        architecture_in(&self.site.label)
    }

    fn policy(&self, document: Document) -> Value {
        document_of(document, &self.names, &self.site)
    }

    fn role_arn(&self, kind: ResourceKind) -> String {
        self.iam_arn("role", kind)
    }

    fn policy_arn(&self, kind: ResourceKind) -> String {
        self.iam_arn("policy", kind)
    }

    fn iam_arn(&self, what: &str, kind: ResourceKind) -> String {
        format!("arn:aws:iam::{}:{what}/{}", self.site.identity.account, self.name(kind))
    }

    /// Makes a resource, unless the journal says that it is ready and the cloud says that it is there.
    ///
    /// `create` makes it or takes what is there of that name; it answers the ARN, if it has one.
    async fn ensure(
        &self,
        scope: &StepScope,
        kind: ResourceKind,
        create: impl Future<Output = Result<Option<String>, StepError>>,
    ) -> Result<StepDone, StepError> {
        if self.before.is_ready(kind) && self.is_there(scope, kind).await? {
            return Ok(StepDone::AlreadyDone);
        }
        let change =
            |state, arn, seconds| ResourceChange { kind, name: self.name(kind), arn, state, seconds, note: None };
        scope.changed(change(ResourceState::Creating, None, None)).await?;
        let began = Instant::now();
        match create.await {
            Ok(arn) => {
                let seconds = Some(began.elapsed().as_secs_f64());
                scope.changed(change(ResourceState::Ready, arn, seconds)).await?;
                Ok(StepDone::Finished)
            }
            Err(error) => {
                if matches!(error, StepError::Failed(_)) {
                    let seconds = Some(began.elapsed().as_secs_f64());
                    scope.changed(change(ResourceState::Failed, None, seconds)).await?;
                }
                Err(error)
            }
        }
    }

    async fn is_there(&self, scope: &StepScope, kind: ResourceKind) -> Result<bool, StepError> {
        let presence = call::call(scope, &[], || probe::presence(&self.site, &self.names, kind)).await?;
        Ok(presence.is_there())
    }
}

#[async_trait]
impl StepRunner for SdkStrategy {
    async fn run(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError> {
        match self.action {
            Action::Deploy => self.deploy_step(step, scope).await,
            Action::Destroy => self.destroy_step(step, scope).await,
            Action::Trial => unreachable!("trials are not run by a strategy"),
        }
    }
}

impl SdkStrategy {
    async fn deploy_step(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError> {
        match step.id.as_str() {
            plan::REPOSITORY => self.create_repository(scope).await,
            plan::BUILD_SOURCE_BUCKET => self.create_bucket(scope, ResourceKind::BuildSourceBucket).await,
            plan::BUILD_SOURCE => self.upload_source(scope).await,
            plan::BUILD_LOG_GROUP => self.create_log_group(scope, ResourceKind::BuildLogGroup).await,
            plan::BUILD_POLICY => self.create_policy(scope, ResourceKind::BuildPolicy).await,
            plan::BUILD_ROLE => self.create_role(scope, ResourceKind::BuildRole).await,
            plan::BUILD_PROJECT => self.create_project(scope).await,
            plan::BUILD => self.build_image(scope).await,
            plan::SOURCE_BUCKET => self.create_bucket(scope, ResourceKind::SourceBucket).await,
            plan::DESTINATION_BUCKET => self.create_bucket(scope, ResourceKind::DestinationBucket).await,
            plan::FUNCTION_LOG_GROUP => self.create_log_group(scope, ResourceKind::FunctionLogGroup).await,
            plan::FUNCTION_POLICY => self.create_policy(scope, ResourceKind::FunctionPolicy).await,
            plan::FUNCTION_ROLE => self.create_role(scope, ResourceKind::FunctionRole).await,
            plan::FUNCTION => self.create_function(scope).await,
            plan::FUNCTION_ACTIVE => self.await_function(scope).await,
            plan::INVOKE_PERMISSION => self.permit_invocation(scope).await,
            plan::NOTIFICATION => self.notify_function(scope).await,
            other => unreachable!("the plan has no step '{other}'"),
        }
    }
}

/// The tags that everything of a deployment carries.
pub fn tags_of(names: &Names, region: &str) -> Tags {
    Tags::from([
        (DEPLOYMENT_TAG.to_owned(), names.deployment().to_string()),
        (STRATEGY_TAG.to_owned(), StrategyKind::Sdk.to_string()),
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
fn architecture_in(label: &CloudLabel) -> Architecture {
    match label {
        CloudLabel::Sandbox if cfg!(target_arch = "aarch64") => Architecture::Arm64,
        _ => Architecture::X86_64,
    }
}
