//! The Lambda function.

use async_trait::async_trait;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::resource::ResourceKind;

use super::console_page::ConsolePages;
use super::inspection::InspectionBuilder;
use super::listing::Listing;
use super::{
    ImportId, Presence, ResourceContext, ResourceDefinition, ResourceDescriptor, Stack, StepText, TemplateResource,
    TerraformResource, image_uri, kept_setting, lambda_function,
};
use crate::aws::lambda::{self, FunctionSpec, FunctionState};
use crate::aws::{AwsError, Deleted, ErrorKind, wait};
use crate::call::call;
use crate::run_context::RunContext;

static DESCRIPTOR: ResourceDescriptor = ResourceDescriptor {
    kind: ResourceKind::Function,
    title: "Lambda function",
    purpose: "Creates a thumbnail of each uploaded image; it runs only then.",
    creation: Some(StepText {
        title: "Create the Lambda function",
        reason: "It runs the image by its digest, since a tag can move.",
        calls: &["lambda:CreateFunction", "iam:PassRole"],
    }),
    deletion: Some(StepText {
        title: "Delete the Lambda function",
        reason: "Nothing invokes it any longer.",
        calls: &["lambda:DeleteFunction"],
    }),
    listing: Some(Listing::Functions),
    cloudformation: Some(TemplateResource {
        stack: Stack::App,
        logical_id: "Function",
        resource_type: "AWS::Lambda::Function",
    }),
    terraform: Some(TerraformResource {
        address: "module.function[0].aws_lambda_function.thumbnails",
        parts: &[],
        import: ImportId::Name,
    }),
};

/// The function.
#[derive(Debug)]
pub(super) struct FunctionResource;

#[async_trait]
impl ResourceDefinition for FunctionResource {
    fn descriptor(&self) -> &ResourceDescriptor {
        &DESCRIPTOR
    }

    fn arn(&self, context: ResourceContext<'_>) -> Option<String> {
        Some(lambda_function::arn(context, self.kind()))
    }

    fn console_page(&self, pages: &ConsolePages<'_>) -> String {
        lambda_function::function_page(pages, self.kind())
    }

    async fn presence(&self, context: ResourceContext<'_>) -> Result<Presence, AwsError> {
        lambda_function::presence(context, self.kind()).await
    }

    async fn inspect(&self, context: ResourceContext<'_>) -> Result<Option<InspectionBuilder>, AwsError> {
        lambda_function::inspect(context, self.kind()).await
    }

    async fn create(&self, run: &RunContext, scope: &StepScope) -> Result<Option<String>, StepError> {
        if let Some(arn) = existing(run, scope).await? {
            return Ok(Some(arn));
        }
        let settings = &run.target.settings.function;
        let environment = [
            ("DEST_BUCKET".to_owned(), run.name(ResourceKind::DestinationBucket)),
            ("MAX_SIZE".to_owned(), settings.max_size.to_string()),
        ];
        let spec = FunctionSpec {
            name: &run.name(self.kind()),
            description: "Creates a thumbnail of every image in the source bucket",
            image_uri: &image_uri(run, scope).await?,
            role_arn: &run.role_arn(ResourceKind::FunctionRole),
            memory_mb: settings.memory_mb,
            timeout_seconds: settings.timeout_seconds,
            environment: &environment,
            architecture: run.architecture(),
            tags: &run.tags(),
        };
        Ok(Some(create_or_adopt(run, &spec, scope).await?))
    }

    fn is_awaited(&self) -> bool {
        true
    }

    async fn differences(&self, run: &RunContext, scope: &StepScope) -> Result<Vec<String>, StepError> {
        let (client, name) = (&run.target.clients.lambda, &run.name(self.kind()));
        let configured = &run.target.settings.function;
        let found = call(scope, &[], || lambda::function(client, name)).await?;
        let Some(found) = found else { return Ok(Vec::new()) };
        let compared = [
            ("memory", found.memory_mb, configured.memory_mb, "MB"),
            ("timeout", found.timeout_seconds, configured.timeout_seconds, "s"),
        ];
        let changed = compared.into_iter().filter(|(_, kept, configured, _)| kept != configured);
        Ok(changed.map(|(setting, kept, _, unit)| kept_setting(name, setting, &format!("{kept} {unit}"))).collect())
    }

    async fn delete(&self, context: ResourceContext<'_>, scope: &StepScope) -> Result<Deleted, StepError> {
        lambda_function::delete_function(context, self.kind(), scope).await
    }
}

/// Returns the ARN of a function that an interrupted process has created. A failed one is deleted.
async fn existing(run: &RunContext, scope: &StepScope) -> Result<Option<String>, StepError> {
    let (client, name) = (&run.target.clients.lambda, &run.name(ResourceKind::Function));
    match call(scope, &[], || lambda::function(client, name)).await? {
        // Rule: a failed function cannot be repaired; it is recreated.
        // https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
        Some(found) if matches!(found.state, FunctionState::Failed(_)) => {
            scope.progress("deleting the failed function", None, None).await?;
            call(scope, &[wait::CONFLICT], || lambda::delete_function(client, name)).await?;
            Ok(None)
        }
        found => Ok(found.map(|found| found.arn)),
    }
}

async fn create_or_adopt(run: &RunContext, spec: &FunctionSpec<'_>, scope: &StepScope) -> Result<String, StepError> {
    let client = &run.target.clients.lambda;
    call(scope, &[wait::ROLE_PROPAGATION], || async {
        match lambda::create_function(client, spec).await {
            // The response was lost: the name is this deployment's own.
            Err(error) if error.kind == ErrorKind::AlreadyExists => {
                lambda::function(client, spec.name).await?.map(|found| found.arn).ok_or(error)
            }
            result => result,
        }
    })
    .await
}
