//! The statement that allows S3 to invoke the function.

use async_trait::async_trait;
use serde_json::Value;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::resource::ResourceKind;

use super::console_page::ConsolePages;
use super::inspection::InspectionBuilder;
use super::{
    ImportId, Presence, ResourceContext, ResourceDefinition, ResourceDescriptor, Stack, StepText, TemplateResource,
    TerraformResource, lambda_function,
};
use crate::aws::{AwsError, Deleted, ErrorKind, lambda, wait};
use crate::call::{call, delete};
use crate::run_context::RunContext;

static DESCRIPTOR: ResourceDescriptor = ResourceDescriptor {
    kind: ResourceKind::InvokePermission,
    title: "Invoke permission",
    purpose: "Allows S3 to invoke the function, for the source bucket's events only.",
    creation: Some(StepText {
        title: "Let the source bucket invoke the function",
        reason: "A statement in the function's policy; it names the bucket by ARN, so neither waits for the other.",
        calls: &["lambda:AddPermission"],
    }),
    deletion: Some(StepText {
        title: "Remove the invoke permission",
        reason: "S3 can no longer invoke the function.",
        calls: &["lambda:RemovePermission"],
    }),
    listing: None,
    cloudformation: Some(TemplateResource {
        stack: Stack::App,
        logical_id: "InvokePermission",
        resource_type: "AWS::Lambda::Permission",
    }),
    terraform: Some(TerraformResource {
        address: "module.function[0].aws_lambda_permission.source",
        parts: &[],
        import: ImportId::Statement,
    }),
};

/// The permission.
#[derive(Debug)]
pub(super) struct InvokePermissionResource;

#[async_trait]
impl ResourceDefinition for InvokePermissionResource {
    fn descriptor(&self) -> &ResourceDescriptor {
        &DESCRIPTOR
    }

    fn arn(&self, _context: ResourceContext<'_>) -> Option<String> {
        None
    }

    fn console_page(&self, pages: &ConsolePages<'_>) -> String {
        let function = lambda_function::function_page(pages, ResourceKind::Function);
        format!("{function}?subtab=permissions&tab=configure")
    }

    async fn presence(&self, context: ResourceContext<'_>) -> Result<Presence, AwsError> {
        Ok(statements(context).await?.into_iter().next().into())
    }

    async fn inspect(&self, context: ResourceContext<'_>) -> Result<Option<InspectionBuilder>, AwsError> {
        Ok(statements(context).await?.into_iter().next().map(|statement| {
            let mut builder = InspectionBuilder::new(None);
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let condition = &statement["Condition"];
            builder.row("function", context.name(ResourceKind::Function));
            builder.optional("effect", text(&statement["Effect"]));
            builder.optional("principal", text(&statement["Principal"]["Service"]).or(text(&statement["Principal"])));
            builder.optional("action", text(&statement["Action"]));
            builder.optional("source", text(&condition["ArnLike"]["AWS:SourceArn"]));
            builder.optional("source account", text(&condition["StringEquals"]["AWS:SourceAccount"]));
            builder.document("resource policy", statement);
            builder
        }))
    }

    async fn create(&self, run: &RunContext, scope: &StepScope) -> Result<Option<String>, StepError> {
        let (client, account) = (&run.target.clients.lambda, &run.target.identity.account);
        let (statement, function) = (&run.name(self.kind()), &run.name(ResourceKind::Function));
        let bucket = &run.name(ResourceKind::SourceBucket);
        call(scope, &[wait::CONFLICT], || async {
            match lambda::add_bucket_permission(client, function, statement, bucket, account).await {
                Err(error) if error.kind == ErrorKind::AlreadyExists => Ok(()),
                result => result,
            }
        })
        .await?;
        Ok(None)
    }

    async fn delete(&self, context: ResourceContext<'_>, scope: &StepScope) -> Result<Deleted, StepError> {
        let (client, function) = (&context.target.clients.lambda, &context.name(ResourceKind::Function));
        let mut deleted = Deleted::AlreadyGone;
        for statement in call(scope, &[], || statements(context)).await? {
            let id = statement["Sid"].as_str().unwrap_or_default();
            deleted = delete(scope, || lambda::remove_permission(client, function, id)).await?;
        }
        Ok(deleted)
    }
}

/// The statements of the function's policy for the source bucket.
async fn statements(context: ResourceContext<'_>) -> Result<Vec<Value>, AwsError> {
    let (function, bucket) = (context.name(ResourceKind::Function), context.name(ResourceKind::SourceBucket));
    lambda::bucket_permissions(&context.target.clients.lambda, &function, &bucket).await
}
