//! The source bucket's event notification.

use async_trait::async_trait;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::resource::ResourceKind;

use super::bucket::bucket_page;
use super::console_page::ConsolePages;
use super::inspection::InspectionBuilder;
use super::{
    ImportId, Presence, ResourceContext, ResourceDefinition, ResourceDescriptor, Stack, StepText, TemplateResource,
    TerraformResource, lambda_function,
};
use crate::aws::s3::EventRule;
use crate::aws::{AwsError, Deleted, s3, wait};
use crate::call::{call, delete};
use crate::run_context::RunContext;

static DESCRIPTOR: ResourceDescriptor = ResourceDescriptor {
    kind: ResourceKind::Notification,
    title: "Event notification",
    purpose: "Invokes the function for each new image.",
    creation: Some(StepText {
        title: "Notify the function of new images",
        reason: "S3 validates the permission at once, so the permission comes first.",
        calls: &["s3:PutBucketNotification"],
    }),
    deletion: Some(StepText {
        title: "Remove the notification",
        reason: "Uploads must not invoke the function during the teardown.",
        calls: &["s3:PutBucketNotification"],
    }),
    listing: None,
    // A property of the bucket.
    cloudformation: Some(TemplateResource {
        stack: Stack::App,
        logical_id: "SourceBucket",
        resource_type: "AWS::S3::Bucket",
    }),
    terraform: Some(TerraformResource {
        address: "module.function[0].aws_s3_bucket_notification.source",
        parts: &[],
        import: ImportId::Never,
    }),
};

/// The notification.
#[derive(Debug)]
pub(super) struct NotificationResource;

#[async_trait]
impl ResourceDefinition for NotificationResource {
    fn descriptor(&self) -> &ResourceDescriptor {
        &DESCRIPTOR
    }

    fn arn(&self, _context: ResourceContext<'_>) -> Option<String> {
        None
    }

    fn console_page(&self, pages: &ConsolePages<'_>) -> String {
        bucket_page(pages, &pages.names.of(ResourceKind::SourceBucket), "properties")
    }

    async fn presence(&self, context: ResourceContext<'_>) -> Result<Presence, AwsError> {
        Ok(rules(context).await?.into_iter().next().into())
    }

    async fn inspect(&self, context: ResourceContext<'_>) -> Result<Option<InspectionBuilder>, AwsError> {
        let rules = rules(context).await?;
        if rules.is_empty() {
            return Ok(None);
        }
        let mut builder = InspectionBuilder::new(None);
        builder.row("bucket", context.name(ResourceKind::SourceBucket));
        for rule in rules {
            builder.row("events", rule.events.join(", "));
            builder.row("prefix", rule.prefix.unwrap_or_else(|| "any".to_owned()));
            builder.row("suffix", rule.suffix.unwrap_or_else(|| "any".to_owned()));
            builder.row("function", rule.function_arn);
            builder.optional("id", rule.id);
        }
        Ok(Some(builder))
    }

    async fn create(&self, run: &RunContext, scope: &StepScope) -> Result<Option<String>, StepError> {
        let (client, bucket) = (&run.target.clients.s3, &run.name(ResourceKind::SourceBucket));
        let function = &lambda_function::arn(run.resources(), ResourceKind::Function);
        let rules = [wait::DESTINATION_VALIDATION, wait::CONFLICT];
        call(scope, &rules, || s3::put_notification(client, bucket, function)).await?;
        Ok(None)
    }

    async fn delete(&self, context: ResourceContext<'_>, scope: &StepScope) -> Result<Deleted, StepError> {
        let (client, bucket) = (&context.target.clients.s3, &context.name(ResourceKind::SourceBucket));
        delete(scope, || s3::clear_notification(client, bucket)).await
    }
}

/// The bucket's rules that invoke the function.
async fn rules(context: ResourceContext<'_>) -> Result<Vec<EventRule>, AwsError> {
    let (bucket, function) = (context.name(ResourceKind::SourceBucket), context.name(ResourceKind::Function));
    let rules = s3::notification(&context.target.clients.s3, &bucket).await?.unwrap_or_default();
    Ok(rules.into_iter().filter(|rule| rule.invokes(&function)).collect())
}
