//! The log group of the function.

use thumbctl_core::resource::ResourceKind;

use super::listing::Listing;
use super::log_group::{self, LogGroupResource};
use super::{ImportId, ResourceDescriptor, Stack, StepText, TemplateResource, TerraformResource};

pub(super) static FUNCTION_LOG_GROUP: LogGroupResource = LogGroupResource(ResourceDescriptor {
    kind: ResourceKind::FunctionLogGroup,
    title: "Function log group",
    purpose: "Stores the log of the function's invocations.",
    creation: Some(StepText {
        title: "Create the function's log group",
        reason: "Lambda would create it at the first invocation, and leave it undeleted.",
        calls: log_group::CREATION,
    }),
    deletion: Some(StepText {
        title: "Delete the function's log group",
        reason: log_group::DELETED_LAST,
        calls: log_group::DELETION,
    }),
    listing: Some(Listing::LambdaLogGroups),
    cloudformation: Some(TemplateResource {
        stack: Stack::App,
        logical_id: "FunctionLogGroup",
        resource_type: "AWS::Logs::LogGroup",
    }),
    terraform: Some(TerraformResource {
        address: "module.function[0].aws_cloudwatch_log_group.function",
        parts: &[],
        import: ImportId::Name,
    }),
});
