//! The execution role of the macro's function.

use thumbctl_core::resource::ResourceKind;

use super::listing::Listing;
use super::role::RoleResource;
use super::{ResourceDescriptor, Stack, TemplateResource};

pub(super) static MACRO_ROLE: RoleResource = RoleResource {
    descriptor: ResourceDescriptor {
        kind: ResourceKind::MacroRole,
        title: "Macro role",
        purpose: "Allows the macro's function to write its log, and nothing else.",
        creation: None,
        deletion: None,
        listing: Some(Listing::Roles),
        cloudformation: Some(TemplateResource {
            stack: Stack::Macro,
            logical_id: "MacroRole",
            resource_type: "AWS::IAM::Role",
        }),
        terraform: None,
    },
    specification: None,
};
