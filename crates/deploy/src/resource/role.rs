//! [`RoleResource`]: a role of IAM.

use async_trait::async_trait;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::resource::ResourceKind;

use super::console_page::{ConsolePages, iam_home, part};
use super::inspection::{InspectionBuilder, minutes, time};
use super::{Presence, ResourceContext, ResourceDefinition, ResourceDescriptor, adopt};
use crate::aws::policy::Document;
use crate::aws::{AwsError, Deleted, ErrorKind, iam, wait};
use crate::call::{call, delete};
use crate::run_context::RunContext;

pub(super) const CREATION: &[&str] = &["iam:CreateRole", "iam:AttachRolePolicy"];
pub(super) const DELETION: &[&str] = &["iam:ListAttachedRolePolicies", "iam:DetachRolePolicy", "iam:DeleteRole"];
pub(super) const DETACH_FIRST: &str = "IAM deletes only roles without policies: they are detached first.";

/// A role. The macro's is created by its stack only.
#[derive(Debug)]
pub(super) struct RoleResource {
    pub(super) descriptor: ResourceDescriptor,
    pub(super) specification: Option<RoleSpecification>,
}

/// What a role is created with.
#[derive(Debug)]
pub(super) struct RoleSpecification {
    pub(super) trust: Document,
    /// The policy that is attached.
    pub(super) policy: ResourceKind,
    pub(super) description: &'static str,
}

#[async_trait]
impl ResourceDefinition for RoleResource {
    fn descriptor(&self) -> &ResourceDescriptor {
        &self.descriptor
    }

    fn document(&self) -> Option<Document> {
        self.specification.as_ref().map(|specification| specification.trust)
    }

    fn arn(&self, context: ResourceContext<'_>) -> Option<String> {
        Some(context.iam_arn(&format!("role/{}", context.name(self.kind()))))
    }

    fn console_page(&self, pages: &ConsolePages<'_>) -> String {
        let role = part(&pages.names.of(self.kind()));
        format!("{}#/roles/details/{role}?section=permissions", iam_home(pages.region))
    }

    async fn presence(&self, context: ResourceContext<'_>) -> Result<Presence, AwsError> {
        Ok(iam::role(&context.target.clients.iam, &context.name(self.kind())).await?.into())
    }

    async fn inspect(&self, context: ResourceContext<'_>) -> Result<Option<InspectionBuilder>, AwsError> {
        let (client, name) = (&context.target.clients.iam, &context.name(self.kind()));
        let Some(found) = iam::role(client, name).await? else { return Ok(None) };
        let attached = iam::attached_policies(client, name).await;
        let mut builder = InspectionBuilder::new(Some(found.arn));
        builder.optional("description", found.description);
        match builder.part("attached policy", attached)? {
            Some(None) => return Ok(None),
            Some(Some(policies)) if policies.is_empty() => builder.row("attached policy", "none"),
            Some(Some(policies)) => policies.into_iter().for_each(|arn| builder.row("attached policy", arn)),
            None => {}
        }
        builder.optional("maximum session duration", found.max_session_seconds.map(|seconds| minutes(seconds / 60)));
        builder.optional("created", found.created_ms.map(time));
        builder.tags(Ok(found.tags))?;
        if let Some(trust) = found.trust {
            builder.document("trust", trust);
        }
        Ok(Some(builder))
    }

    async fn create(&self, run: &RunContext, scope: &StepScope) -> Result<Option<String>, StepError> {
        let Some(RoleSpecification { trust, policy, description }) = &self.specification else {
            return Err(self.created_by_stack());
        };
        let (client, name, tags) = (&run.target.clients.iam, &run.name(self.kind()), &run.tags());
        let trust = &run.policy(*trust);
        let arn = call(scope, &[wait::CONFLICT], || async {
            match iam::create_role(client, name, trust, description, tags).await {
                Err(error) if error.kind == ErrorKind::AlreadyExists => {
                    let found = iam::role(client, name).await?;
                    adopt(run, found.map(|found| (found.arn, found.tags)), error)
                }
                result => result,
            }
        })
        .await?;
        let policy = &run.policy_arn(*policy);
        // A new policy may not be visible yet.
        call(scope, &[wait::CONFLICT, wait::NOT_YET_SEEN], || iam::attach_role_policy(client, name, policy)).await?;
        Ok(Some(arn))
    }

    async fn delete(&self, context: ResourceContext<'_>, scope: &StepScope) -> Result<Deleted, StepError> {
        let (client, name) = (&context.target.clients.iam, &context.name(self.kind()));
        delete(scope, || iam::delete_role(client, name)).await
    }
}
