//! The log group of the macro's function.

use thumbctl_core::resource::ResourceKind;

use super::listing::Listing;
use super::log_group::LogGroup;
use super::{Descriptor, Stack, TemplateResource};

pub(super) static MACRO_LOG_GROUP: LogGroup = LogGroup(Descriptor {
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
