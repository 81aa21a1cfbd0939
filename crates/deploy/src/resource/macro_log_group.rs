//! The log group of the macro's function.

use thumbctl_core::resource::ResourceKind;

use super::listing::Listing;
use super::log_group::LogGroupResource;
use super::{ResourceDescriptor, Stack, TemplateResource};

pub(super) static MACRO_LOG_GROUP: LogGroupResource = LogGroupResource(ResourceDescriptor {
    kind: ResourceKind::MacroLogGroup,
    title: "Macro log group",
    purpose: "Stores the log of the macro's function.",
    creation: None,
    deletion: None,
    listing: Some(Listing::LambdaLogGroups),
    cloudformation: Some(TemplateResource {
        stack: Stack::Macro,
        logical_id: "MacroLogGroup",
        resource_type: "AWS::Logs::LogGroup",
    }),
    terraform: None,
});
