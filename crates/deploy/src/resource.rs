//! The kinds of resources: one file each has what is particular to a kind. Kinds of one AWS service share a type, which
//! has the calls.

mod app_stack;
mod bucket;
mod build_log_group;
mod build_policy;
mod build_project;
mod build_role;
mod build_source_bucket;
mod build_stack;
mod console_page;
mod destination_bucket;
mod function;
mod function_log_group;
mod function_policy;
mod function_role;
mod image;
pub mod inspection;
mod invoke_permission;
mod lambda_function;
pub(crate) mod listing;
mod log_group;
mod macro_function;
mod macro_log_group;
mod macro_role;
mod macro_stack;
mod notification;
mod policy;
mod presence;
mod repository;
mod role;
mod source_bucket;
mod stack;
mod template_macro;

use std::fmt;

use async_trait::async_trait;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::event::Failure;
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;

pub(crate) use self::bucket::empty_bucket;
pub(crate) use self::build_project::{delete_builds, stop_builds};
pub(crate) use self::build_source_bucket::SOURCE_KEY;
use self::console_page::ConsolePages;
pub use self::console_page::console_url;
pub(crate) use self::image::{image_exists, image_uri};
use self::inspection::InspectionBuilder;
pub use self::inspection::{Inspection, inspect};
use self::listing::Listing;
pub use self::presence::{Presence, presence_or_unknown};
pub(crate) use self::presence::{exists, presence};
pub(crate) use self::stack::Stack;
use crate::aws::policy::Document;
use crate::aws::{AwsError, Deleted, Tags};
use crate::deploy_target::{DEPLOYMENT_TAG, DeployTarget};
use crate::run_context::RunContext;

/// A kind of resource: its texts, and how it is found, inspected, created and deleted.
#[async_trait]
pub(crate) trait ResourceDefinition: fmt::Debug + Send + Sync {
    /// What is known of the kind without a call.
    fn descriptor(&self) -> &ResourceDescriptor;

    /// Its ARN, if its kind has one that follows from its name.
    fn arn(&self, context: ResourceContext<'_>) -> Option<String>;

    /// The policy document that it is created with.
    fn document(&self) -> Option<Document> {
        None
    }

    /// Its page in the AWS console.
    fn console_page(&self, pages: &ConsolePages<'_>) -> String;

    /// Checks whether it exists.
    async fn presence(&self, context: ResourceContext<'_>) -> Result<Presence, AwsError>;

    /// Reads its configuration; `None` if it does not exist. An error of the first call is the inspection's; a denied
    /// later call only affects its part.
    async fn inspect(&self, context: ResourceContext<'_>) -> Result<Option<InspectionBuilder>, AwsError>;

    /// Creates it by SDK calls, or adopts one that an interrupted process has created. Returns its ARN, if it has one.
    async fn create(&self, _run: &RunContext, _scope: &StepScope) -> Result<Option<String>, StepError> {
        Err(self.created_by_stack())
    }

    /// Returns whether it is usable only some time after its creation, which a step of its own awaits.
    fn is_awaited(&self) -> bool {
        false
    }

    /// Compares an existing resource with the settings; returns a sentence for each difference.
    async fn differences(&self, _run: &RunContext, _scope: &StepScope) -> Result<Vec<String>, StepError> {
        Ok(Vec::new())
    }

    /// Deletes it by SDK calls.
    async fn delete(&self, _context: ResourceContext<'_>, _scope: &StepScope) -> Result<Deleted, StepError> {
        Err(StepError::Failed(Failure::new(format!("{} is deleted with its stack", self.title()))))
    }

    /// The error for creating what only its stack creates.
    fn created_by_stack(&self) -> StepError {
        StepError::Failed(Failure::new(format!("{} is created by its stack", self.title())))
    }

    /// Its kind.
    fn kind(&self) -> ResourceKind {
        self.descriptor().kind
    }

    /// Its name on screens.
    fn title(&self) -> &'static str {
        self.descriptor().title
    }
}

/// What is known of a kind without a call.
#[derive(Debug)]
pub struct ResourceDescriptor {
    /// The kind.
    pub kind: ResourceKind,
    /// Its name on screens.
    pub title: &'static str,
    /// Its purpose in one sentence.
    pub purpose: &'static str,
    /// The step that creates it by SDK calls; `None` for what only CloudFormation creates.
    pub creation: Option<StepText>,
    /// The step that deletes it by SDK calls; `None` for what is deleted with its stack.
    pub deletion: Option<StepText>,
    /// The listing that finds it without a journal.
    pub(crate) listing: Option<Listing>,
    /// Its resource in the templates.
    pub(crate) cloudformation: Option<TemplateResource>,
    /// Its resources in the configuration.
    pub(crate) terraform: Option<TerraformResource>,
}

/// The texts of a step.
#[derive(Debug)]
pub struct StepText {
    /// What it does.
    pub title: &'static str,
    /// The reason for it, or for its position.
    pub reason: &'static str,
    /// The API operations that it calls.
    pub calls: &'static [&'static str],
}

/// A resource in a template.
#[derive(Debug)]
pub(crate) struct TemplateResource {
    /// The stack of the template.
    pub(crate) stack: Stack,
    /// Its logical id.
    pub(crate) logical_id: &'static str,
    /// Its type, for example `AWS::S3::Bucket`.
    pub(crate) resource_type: &'static str,
}

/// A kind's resources in the Terraform configuration.
#[derive(Debug)]
pub(crate) struct TerraformResource {
    /// The address of its main resource.
    pub(crate) address: &'static str,
    /// The addresses of its settings, which are Terraform resources of their own.
    pub(crate) parts: &'static [&'static str],
    /// The id by which an existing resource is imported.
    pub(crate) import: ImportId,
}

/// The import id of a resource that exists and is not in Terraform's state.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ImportId {
    /// Its name.
    Name,
    /// Its ARN.
    Arn,
    /// The function's name and the statement's id.
    Statement,
    /// None: creating it again has the same result.
    Never,
}

/// One deployment in its cloud: what a resource needs to find itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResourceContext<'a> {
    /// The cloud.
    pub(crate) target: &'a DeployTarget,
    /// The names of the deployment's resources.
    pub(crate) names: &'a Names,
}

impl ResourceContext<'_> {
    /// The name of a kind's resource.
    pub(crate) fn name(&self, kind: ResourceKind) -> String {
        self.names.of(kind)
    }

    /// The ARN of a resource in the target's region and account, for example of the service `ecr` and the resource
    /// `repository/thumbs`.
    fn regional_arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.target.region, self.target.identity.account)
    }

    /// The ARN of an IAM resource, for example `role/thumbs`.
    fn iam_arn(&self, resource: &str) -> String {
        format!("arn:aws:iam::{}:{resource}", self.target.identity.account)
    }
}

/// Returns what is known of a kind without a call.
pub fn descriptor(kind: ResourceKind) -> &'static ResourceDescriptor {
    of(kind).descriptor()
}

/// Returns a kind's resource.
pub(crate) fn of(kind: ResourceKind) -> &'static dyn ResourceDefinition {
    match kind {
        ResourceKind::MacroStack => &macro_stack::MACRO_STACK,
        ResourceKind::MacroLogGroup => &macro_log_group::MACRO_LOG_GROUP,
        ResourceKind::MacroRole => &macro_role::MACRO_ROLE,
        ResourceKind::MacroFunction => &macro_function::MACRO_FUNCTION,
        ResourceKind::Macro => &template_macro::TemplateMacroResource,
        ResourceKind::BuildStack => &build_stack::BUILD_STACK,
        ResourceKind::Repository => &repository::RepositoryResource,
        ResourceKind::BuildSourceBucket => &build_source_bucket::BUILD_SOURCE_BUCKET,
        ResourceKind::BuildLogGroup => &build_log_group::BUILD_LOG_GROUP,
        ResourceKind::BuildPolicy => &build_policy::BUILD_POLICY,
        ResourceKind::BuildRole => &build_role::BUILD_ROLE,
        ResourceKind::BuildProject => &build_project::BuildProjectResource,
        ResourceKind::Image => &image::ImageResource,
        ResourceKind::AppStack => &app_stack::APP_STACK,
        ResourceKind::SourceBucket => &source_bucket::SOURCE_BUCKET,
        ResourceKind::DestinationBucket => &destination_bucket::DESTINATION_BUCKET,
        ResourceKind::FunctionLogGroup => &function_log_group::FUNCTION_LOG_GROUP,
        ResourceKind::FunctionPolicy => &function_policy::FUNCTION_POLICY,
        ResourceKind::FunctionRole => &function_role::FUNCTION_ROLE,
        ResourceKind::Function => &function::FunctionResource,
        ResourceKind::InvokePermission => &invoke_permission::InvokePermissionResource,
        ResourceKind::Notification => &notification::NotificationResource,
    }
}

/// All kinds' resources, in plan order.
pub(crate) fn all() -> impl Iterator<Item = &'static dyn ResourceDefinition> {
    ResourceKind::ALL.into_iter().map(of)
}

/// The sentence for a setting that an existing resource keeps.
fn kept_setting(name: &str, setting: &str, kept: &str) -> String {
    format!("{name} keeps its {setting} of {kept}; destroy and deploy again to change it")
}

/// Adopts an existing resource with this deployment's tag: an interrupted process created it, or a call whose response
/// was lost. Otherwise it has another owner, and the error is returned.
fn adopt(run: &RunContext, found: Option<(String, Tags)>, error: AwsError) -> Result<String, AwsError> {
    let owner = run.names.deployment().as_str();
    match found {
        Some((arn, tags)) if tags.get(DEPLOYMENT_TAG).is_some_and(|tag| tag == owner) => Ok(arn),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_descriptor_and_steps_unless_a_stack_creates_it() {
        for kind in ResourceKind::ALL {
            let descriptor = of(kind).descriptor();
            assert_eq!(descriptor.kind, kind);
            let is_created = ResourceKind::ARCHITECTURE.contains(&kind);
            assert_eq!(descriptor.creation.is_some(), is_created, "{kind}");
            assert_eq!(descriptor.deletion.is_some(), is_created, "{kind}");
            assert_eq!(descriptor.terraform.is_some(), is_created, "{kind}");
        }
    }
}
