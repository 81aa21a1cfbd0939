//! The function's container image, which the build pushes.

use async_trait::async_trait;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::event::Failure;
use thumbctl_core::resource::ResourceKind;
use thumbctl_platform::text::bytes;

use super::console_page::ConsolePages;
use super::inspection::{InspectionBuilder, time};
use super::{
    ImportId, Presence, ResourceContext, ResourceDefinition, ResourceDescriptor, StepText, TerraformResource, of,
};
use crate::aws::{AwsError, Deleted, ecr};
use crate::call::{call, delete};
use crate::run_context::RunContext;

static DESCRIPTOR: ResourceDescriptor = ResourceDescriptor {
    kind: ResourceKind::Image,
    title: "Function image",
    purpose: "Packages the function with its dependencies for Lambda.",
    creation: Some(StepText {
        title: "Build the function's image",
        reason: "CodeBuild compiles the function and pushes its image to ECR.",
        calls: &["codebuild:StartBuild", "codebuild:BatchGetBuilds", "logs:GetLogEvents", "ecr:DescribeImages"],
    }),
    // Deleting the repository would delete it too; a step of its own makes it visible.
    deletion: Some(StepText {
        title: "Delete the function's image",
        reason: "No function uses it any longer.",
        calls: &["ecr:BatchDeleteImage"],
    }),
    listing: None,
    cloudformation: None,
    terraform: Some(TerraformResource { address: "terraform_data.build", parts: &[], import: ImportId::Never }),
};

/// The image.
#[derive(Debug)]
pub(super) struct ImageResource;

#[async_trait]
impl ResourceDefinition for ImageResource {
    fn descriptor(&self) -> &ResourceDescriptor {
        &DESCRIPTOR
    }

    fn arn(&self, _context: ResourceContext<'_>) -> Option<String> {
        None
    }

    // Its own page needs its digest; the repository's page lists it.
    fn console_page(&self, pages: &ConsolePages<'_>) -> String {
        of(ResourceKind::Repository).console_page(pages)
    }

    async fn presence(&self, context: ResourceContext<'_>) -> Result<Presence, AwsError> {
        Ok(find(context).await?.into())
    }

    async fn inspect(&self, context: ResourceContext<'_>) -> Result<Option<InspectionBuilder>, AwsError> {
        Ok(find(context).await?.map(|image| {
            let mut builder = InspectionBuilder::new(None);
            builder.row("digest", image.digest);
            builder.row("tags", image.tags.join(", "));
            builder.row("size", bytes(image.size));
            builder.optional("pushed", image.pushed_ms.map(time));
            builder.optional("media type", image.media_type);
            builder
        }))
    }

    async fn delete(&self, context: ResourceContext<'_>, scope: &StepScope) -> Result<Deleted, StepError> {
        let (client, repository) = (&context.target.clients.ecr, &context.name(ResourceKind::Repository));
        delete(scope, || ecr::delete_image(client, repository, context.names.image_tag())).await
    }
}

async fn find(context: ResourceContext<'_>) -> Result<Option<ecr::Image>, AwsError> {
    let repository = context.name(ResourceKind::Repository);
    ecr::image_by_tag(&context.target.clients.ecr, &repository, context.names.image_tag()).await
}

/// Returns the URI of the pushed image, by its digest: `<repository>@sha256:…`.
///
/// # Errors
/// When the repository or the image is missing, or a call fails.
pub(crate) async fn image_uri(run: &RunContext, scope: &StepScope) -> Result<String, StepError> {
    let client = &run.target.clients.ecr;
    let name = run.name(ResourceKind::Repository);
    let missing = |what: &str| {
        StepError::Failed(
            Failure::new(format!("{what} is missing, although its step has finished"))
                .with_hint("it was deleted; `thumbctl deploy` recreates it"),
        )
    };
    let repository = call(scope, &[], || ecr::repository(client, &name)).await?;
    let repository = repository.ok_or_else(|| missing("the ECR repository"))?;
    let image = call(scope, &[], || find(run.resources())).await?;
    let image = image.ok_or_else(|| missing("the function's image"))?;
    Ok(format!("{}@{}", repository.uri, image.digest))
}

/// Returns whether the image exists.
///
/// # Errors
/// When the call fails.
pub(crate) async fn image_exists(run: &RunContext, scope: &StepScope) -> Result<bool, StepError> {
    Ok(call(scope, &[], || find(run.resources())).await?.is_some())
}
