//! The ECR repository of the function's image.

use async_trait::async_trait;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::resource::ResourceKind;

use super::console_page::{ConsolePages, part};
use super::inspection::{InspectionBuilder, time, yes_or_no};
use super::listing::Listing;
use super::{
    ImportId, Presence, ResourceContext, ResourceDefinition, ResourceDescriptor, Stack, StepText, TemplateResource,
    TerraformResource,
};
use crate::aws::{AwsError, Deleted, ErrorKind, ecr};
use crate::call::{call, delete};
use crate::run_context::RunContext;

static DESCRIPTOR: ResourceDescriptor = ResourceDescriptor {
    kind: ResourceKind::Repository,
    title: "ECR repository",
    purpose: "Stores the function's container image: CodeBuild pushes it, Lambda pulls it.",
    creation: Some(StepText {
        title: "Create the ECR repository",
        reason: "It stores the function's image, and depends on no other resource.",
        calls: &["ecr:CreateRepository"],
    }),
    deletion: Some(StepText {
        title: "Delete the ECR repository",
        reason: "Deleted by force, with all its images.",
        calls: &["ecr:DeleteRepository"],
    }),
    listing: Some(Listing::Repositories),
    cloudformation: Some(TemplateResource {
        stack: Stack::Build,
        logical_id: "Repository",
        resource_type: "AWS::ECR::Repository",
    }),
    terraform: Some(TerraformResource { address: "aws_ecr_repository.function", parts: &[], import: ImportId::Name }),
};

/// The repository.
#[derive(Debug)]
pub(super) struct RepositoryResource;

#[async_trait]
impl ResourceDefinition for RepositoryResource {
    fn descriptor(&self) -> &ResourceDescriptor {
        &DESCRIPTOR
    }

    fn arn(&self, context: ResourceContext<'_>) -> Option<String> {
        Some(context.regional_arn("ecr", &format!("repository/{}", context.name(self.kind()))))
    }

    fn console_page(&self, pages: &ConsolePages<'_>) -> String {
        let ConsolePages { host, region, account, names } = pages;
        format!("{host}/ecr/repositories/private/{account}/{}?region={region}", part(&names.of(self.kind())))
    }

    async fn presence(&self, context: ResourceContext<'_>) -> Result<Presence, AwsError> {
        Ok(ecr::repository(&context.target.clients.ecr, &context.name(self.kind())).await?.into())
    }

    async fn inspect(&self, context: ResourceContext<'_>) -> Result<Option<InspectionBuilder>, AwsError> {
        let (client, name) = (&context.target.clients.ecr, &context.name(self.kind()));
        let Some(found) = ecr::repository(client, name).await? else { return Ok(None) };
        let (tags, policy) =
            tokio::join!(ecr::repository_tags(client, &found.arn), ecr::repository_policy(client, name));
        let mut builder = InspectionBuilder::new(Some(found.arn));
        builder.row("URI", found.uri);
        builder.optional("tag mutability", found.tag_mutability.map(|word| word.to_lowercase().replace('_', " ")));
        builder.optional("scan on push", found.scan_on_push.map(yes_or_no));
        builder.optional("encryption", found.encryption);
        builder.optional("created", found.created_ms.map(time));
        builder.tags(tags)?;
        if let Some(Some(policy)) = builder.part("resource policy", policy)? {
            builder.document("resource policy", policy);
        }
        Ok(Some(builder))
    }

    async fn create(&self, run: &RunContext, scope: &StepScope) -> Result<Option<String>, StepError> {
        let (client, name, tags) = (&run.target.clients.ecr, &run.name(self.kind()), &run.tags());
        let created = call(scope, &[], || async {
            match ecr::create_repository(client, name, tags).await {
                Err(error) if error.kind == ErrorKind::AlreadyExists => {
                    ecr::repository(client, name).await?.ok_or(error)
                }
                result => result,
            }
        });
        Ok(Some(created.await?.arn))
    }

    async fn delete(&self, context: ResourceContext<'_>, scope: &StepScope) -> Result<Deleted, StepError> {
        let (client, name) = (&context.target.clients.ecr, &context.name(self.kind()));
        delete(scope, || ecr::delete_repository(client, name)).await
    }
}
