//! The function's permissions policy.

use thumbctl_core::resource::ResourceKind;

use super::listing::Listing;
use super::policy::{self, PolicyResource};
use super::{ImportId, ResourceDescriptor, Stack, StepText, TemplateResource, TerraformResource};
use crate::aws::policy::Document;

pub(super) static FUNCTION_POLICY: PolicyResource = PolicyResource {
    descriptor: ResourceDescriptor {
        kind: ResourceKind::FunctionPolicy,
        title: "Function policy",
        purpose: "Allows the function to read images, and to write thumbnails and its log.",
        creation: Some(StepText {
            title: "Create the function's policy",
            reason: "It allows the function to write its log, read the source bucket and write the destination bucket.",
            calls: policy::CREATION,
        }),
        deletion: Some(StepText {
            title: "Delete the function's policy",
            reason: policy::VERSIONS_FIRST,
            calls: policy::DELETION,
        }),
        listing: Some(Listing::Policies),
        cloudformation: Some(TemplateResource {
            stack: Stack::App,
            logical_id: "FunctionPolicy",
            resource_type: "AWS::IAM::ManagedPolicy",
        }),
        terraform: Some(TerraformResource {
            address: "module.function[0].aws_iam_policy.function",
            parts: &[],
            import: ImportId::Arn,
        }),
    },
    document: Document::FunctionPolicy,
    description: "Permissions of the thumbnail function",
};
