//! The CloudFormation stack of the build's resources.

use thumbctl_core::resource::ResourceKind;

use super::ResourceDescriptor;
use super::listing::Listing;
use super::stack::StackResource;

pub(super) static BUILD_STACK: StackResource = StackResource(ResourceDescriptor {
    kind: ResourceKind::BuildStack,
    title: "Build stack",
    purpose: "Groups the build's resources.",
    creation: None,
    deletion: None,
    listing: Some(Listing::Stacks),
    cloudformation: None,
    terraform: None,
});
