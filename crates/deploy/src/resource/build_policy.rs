//! The build's permissions policy.

use thumbctl_core::resource::ResourceKind;

use super::listing::Listing;
use super::policy::{self, PolicyResource};
use super::{ImportId, ResourceDescriptor, Stack, StepText, TemplateResource, TerraformResource};
use crate::aws::policy::Document;

pub(super) static BUILD_POLICY: PolicyResource = PolicyResource {
    descriptor: ResourceDescriptor {
        kind: ResourceKind::BuildPolicy,
        title: "Build policy",
        purpose: "Lists the build's permissions.",
        creation: Some(StepText {
            title: "Create the build's policy",
            reason: "It allows the build to write its log, read its source and push the image.",
            calls: policy::CREATION,
        }),
        deletion: Some(StepText {
            title: "Delete the build's policy",
            reason: policy::VERSIONS_FIRST,
            calls: policy::DELETION,
        }),
        listing: Some(Listing::Policies),
        cloudformation: Some(TemplateResource {
            stack: Stack::Build,
            logical_id: "BuildPolicy",
            resource_type: "AWS::IAM::ManagedPolicy",
        }),
        terraform: Some(TerraformResource { address: "aws_iam_policy.build", parts: &[], import: ImportId::Arn }),
    },
    document: Document::BuildPolicy,
    description: "Permissions of the thumbnail function's build",
};
