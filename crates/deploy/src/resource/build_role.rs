//! The build's service role.

use thumbctl_core::resource::ResourceKind;

use super::listing::Listing;
use super::role::{self, RoleResource, RoleSpecification};
use super::{ImportId, ResourceDescriptor, Stack, StepText, TemplateResource, TerraformResource};
use crate::aws::policy::Document;

pub(super) static BUILD_ROLE: RoleResource = RoleResource {
    descriptor: ResourceDescriptor {
        kind: ResourceKind::BuildRole,
        title: "Build service role",
        purpose: "Gives the build its permissions: CodeBuild assumes it.",
        creation: Some(StepText {
            title: "Create the build's service role",
            reason: "CodeBuild assumes it; its trust policy names codebuild.amazonaws.com.",
            calls: role::CREATION,
        }),
        deletion: Some(StepText {
            title: "Delete the build's service role",
            reason: role::DETACH_FIRST,
            calls: role::DELETION,
        }),
        listing: Some(Listing::Roles),
        cloudformation: Some(TemplateResource {
            stack: Stack::Build,
            logical_id: "BuildRole",
            resource_type: "AWS::IAM::Role",
        }),
        terraform: Some(TerraformResource {
            address: "aws_iam_role.build",
            parts: &["aws_iam_role_policy_attachment.build"],
            import: ImportId::Name,
        }),
    },
    specification: Some(RoleSpecification {
        trust: Document::BuildTrust,
        policy: ResourceKind::BuildPolicy,
        description: "Assumed by CodeBuild to build the thumbnail function",
    }),
};
