//! The CloudFormation stack of the buckets and the function.

use thumbctl_core::resource::ResourceKind;

use super::ResourceDescriptor;
use super::listing::Listing;
use super::stack::StackResource;

pub(super) static APP_STACK: StackResource = StackResource(ResourceDescriptor {
    kind: ResourceKind::AppStack,
    title: "Application stack",
    purpose: "Groups the buckets and the function.",
    creation: None,
    deletion: None,
    listing: Some(Listing::Stacks),
    cloudformation: None,
    terraform: None,
});
