//! [`PolicyResource`]: a managed policy of IAM.

use async_trait::async_trait;
use thumbctl_core::engine::{StepError, StepScope};

use super::console_page::{ConsolePages, iam_home, part};
use super::inspection::{InspectionBuilder, time};
use super::{Presence, ResourceContext, ResourceDefinition, ResourceDescriptor, adopt};
use crate::aws::policy::Document;
use crate::aws::{AwsError, Deleted, ErrorKind, iam, wait};
use crate::call::{call, delete};
use crate::run_context::RunContext;

pub(super) const CREATION: &[&str] = &["iam:CreatePolicy"];
pub(super) const DELETION: &[&str] = &["iam:ListPolicyVersions", "iam:DeletePolicyVersion", "iam:DeletePolicy"];
pub(super) const VERSIONS_FIRST: &str = "IAM deletes only unattached policies with a single version.";

/// A managed policy.
#[derive(Debug)]
pub(super) struct PolicyResource {
    pub(super) descriptor: ResourceDescriptor,
    pub(super) document: Document,
    pub(super) description: &'static str,
}

impl PolicyResource {
    fn arn_in(&self, context: ResourceContext<'_>) -> String {
        context.iam_arn(&format!("policy/{}", context.name(self.kind())))
    }
}

#[async_trait]
impl ResourceDefinition for PolicyResource {
    fn descriptor(&self) -> &ResourceDescriptor {
        &self.descriptor
    }

    fn document(&self) -> Option<Document> {
        Some(self.document)
    }

    fn arn(&self, context: ResourceContext<'_>) -> Option<String> {
        Some(self.arn_in(context))
    }

    fn console_page(&self, pages: &ConsolePages<'_>) -> String {
        let arn = part(&format!("arn:aws:iam::{}:policy/{}", pages.account, pages.names.of(self.kind())));
        format!("{}#/policies/details/{arn}?section=permissions", iam_home(pages.region))
    }

    async fn presence(&self, context: ResourceContext<'_>) -> Result<Presence, AwsError> {
        Ok(iam::policy(&context.target.clients.iam, &self.arn_in(context)).await?.into())
    }

    async fn inspect(&self, context: ResourceContext<'_>) -> Result<Option<InspectionBuilder>, AwsError> {
        let (client, arn) = (&context.target.clients.iam, self.arn_in(context));
        let Some(found) = iam::policy(client, &arn).await? else { return Ok(None) };
        let mut builder = InspectionBuilder::new(Some(found.arn));
        builder.optional("description", found.description);
        builder
            .optional("attached to", found.attachment_count.map(|count| format!("{count} of roles, users and groups")));
        builder.optional("default version", found.default_version.clone());
        builder.optional("created", found.created_ms.map(time));
        builder.optional("changed", found.updated_ms.map(time));
        builder.tags(Ok(found.tags))?;
        if let Some(version) = found.default_version {
            let document = iam::policy_document(client, &arn, &version).await;
            if let Some(document) = builder.part("permissions", document)? {
                builder.document("permissions", document);
            }
        }
        Ok(Some(builder))
    }

    async fn create(&self, run: &RunContext, scope: &StepScope) -> Result<Option<String>, StepError> {
        let (client, name, tags) = (&run.target.clients.iam, &run.name(self.kind()), &run.tags());
        let (document, arn) = (&run.policy(self.document), &self.arn_in(run.resources()));
        let created = call(scope, &[wait::CONFLICT], || async {
            match iam::create_policy(client, name, document, self.description, tags).await {
                Err(error) if error.kind == ErrorKind::AlreadyExists => {
                    let found = iam::policy(client, arn).await?;
                    adopt(run, found.map(|found| (found.arn, found.tags)), error)
                }
                result => result,
            }
        });
        Ok(Some(created.await?))
    }

    async fn delete(&self, context: ResourceContext<'_>, scope: &StepScope) -> Result<Deleted, StepError> {
        let (client, arn) = (&context.target.clients.iam, &self.arn_in(context));
        delete(scope, || iam::delete_policy(client, arn)).await
    }
}
