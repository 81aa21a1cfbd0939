//! The log group of the build.

use thumbctl_core::resource::ResourceKind;

use super::listing::Listing;
use super::log_group::{self, LogGroupResource};
use super::{ImportId, ResourceDescriptor, Stack, StepText, TemplateResource, TerraformResource};

pub(super) static BUILD_LOG_GROUP: LogGroupResource = LogGroupResource(ResourceDescriptor {
    kind: ResourceKind::BuildLogGroup,
    title: "Build log group",
    purpose: "Stores the build's log until its retention ends.",
    creation: Some(StepText {
        title: "Create the build's log group",
        reason: "CodeBuild would create it with no retention limit, and leave it undeleted.",
        calls: log_group::CREATION,
    }),
    deletion: Some(StepText {
        title: "Delete the build's log group",
        reason: log_group::DELETED_LAST,
        calls: log_group::DELETION,
    }),
    listing: Some(Listing::CodebuildLogGroups),
    cloudformation: Some(TemplateResource {
        stack: Stack::Build,
        logical_id: "BuildLogGroup",
        resource_type: "AWS::Logs::LogGroup",
    }),
    terraform: Some(TerraformResource {
        address: "aws_cloudwatch_log_group.build",
        parts: &[],
        import: ImportId::Name,
    }),
});
