//! The Lambda function behind the macro.

use thumbctl_core::resource::ResourceKind;

use super::lambda_function::LambdaFunctionResource;
use super::listing::Listing;
use super::{ResourceDescriptor, Stack, TemplateResource};

pub(super) static MACRO_FUNCTION: LambdaFunctionResource = LambdaFunctionResource(ResourceDescriptor {
    kind: ResourceKind::MacroFunction,
    title: "Macro function",
    purpose: "Generates a bucket's name from prefix, suffix and role when a template is processed.",
    creation: None,
    deletion: None,
    listing: Some(Listing::Functions),
    cloudformation: Some(TemplateResource {
        stack: Stack::Macro,
        logical_id: "MacroFunction",
        resource_type: "AWS::Lambda::Function",
    }),
    terraform: None,
});
