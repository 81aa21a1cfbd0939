//! The CloudFormation stack of the macro that generates bucket names.

use thumbctl_core::resource::ResourceKind;

use super::ResourceDescriptor;
use super::listing::Listing;
use super::stack::StackResource;

pub(super) static MACRO_STACK: StackResource = StackResource(ResourceDescriptor {
    kind: ResourceKind::MacroStack,
    title: "Macro stack",
    purpose: "Groups the macro's resources; it comes first, since a template can only call an existing macro.",
    creation: None,
    deletion: None,
    listing: Some(Listing::Stacks),
    cloudformation: None,
    terraform: None,
});
