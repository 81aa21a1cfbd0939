//! The function's execution role.

use thumbctl_core::resource::ResourceKind;

use super::listing::Listing;
use super::role::{self, RoleResource, RoleSpecification};
use super::{ImportId, ResourceDescriptor, Stack, StepText, TemplateResource, TerraformResource};
use crate::aws::policy::Document;

pub(super) static FUNCTION_ROLE: RoleResource = RoleResource {
    descriptor: ResourceDescriptor {
        kind: ResourceKind::FunctionRole,
        title: "Function execution role",
        purpose: "Gives the function its permissions: Lambda assumes it.",
        creation: Some(StepText {
            title: "Create the function's execution role",
            reason: "Lambda assumes it for the function; its trust policy names lambda.amazonaws.com.",
            calls: role::CREATION,
        }),
        deletion: Some(StepText {
            title: "Delete the function's execution role",
            reason: role::DETACH_FIRST,
            calls: role::DELETION,
        }),
        listing: Some(Listing::Roles),
        cloudformation: Some(TemplateResource {
            stack: Stack::App,
            logical_id: "FunctionRole",
            resource_type: "AWS::IAM::Role",
        }),
        terraform: Some(TerraformResource {
            address: "module.function[0].aws_iam_role.function",
            parts: &["module.function[0].aws_iam_role_policy_attachment.function"],
            import: ImportId::Name,
        }),
    },
    specification: Some(RoleSpecification {
        trust: Document::FunctionTrust,
        policy: ResourceKind::FunctionPolicy,
        description: "Assumed by Lambda for the thumbnail function",
    }),
};
