//! What Lambda functions share, and [`LambdaFunctionResource`]: one that only a stack creates.

use async_trait::async_trait;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::resource::ResourceKind;
use thumbctl_platform::text::bytes;

use super::console_page::{ConsolePages, part};
use super::inspection::{DENIED, InspectionBuilder, time_of_text};
use super::{Presence, ResourceContext, ResourceDefinition, ResourceDescriptor};
use crate::aws::lambda::FunctionState;
use crate::aws::{AwsError, Deleted, lambda};
use crate::call::delete;

/// A function that only a stack creates.
#[derive(Debug)]
pub(super) struct LambdaFunctionResource(pub(super) ResourceDescriptor);

#[async_trait]
impl ResourceDefinition for LambdaFunctionResource {
    fn descriptor(&self) -> &ResourceDescriptor {
        &self.0
    }

    fn arn(&self, context: ResourceContext<'_>) -> Option<String> {
        Some(arn(context, self.kind()))
    }

    fn console_page(&self, pages: &ConsolePages<'_>) -> String {
        function_page(pages, self.kind())
    }

    async fn presence(&self, context: ResourceContext<'_>) -> Result<Presence, AwsError> {
        presence(context, self.kind()).await
    }

    async fn inspect(&self, context: ResourceContext<'_>) -> Result<Option<InspectionBuilder>, AwsError> {
        inspect(context, self.kind()).await
    }

    async fn delete(&self, context: ResourceContext<'_>, scope: &StepScope) -> Result<Deleted, StepError> {
        delete_function(context, self.kind(), scope).await
    }
}

pub(super) fn arn(context: ResourceContext<'_>, kind: ResourceKind) -> String {
    context.regional_arn("lambda", &format!("function:{}", context.name(kind)))
}

pub(super) fn function_page(pages: &ConsolePages<'_>, kind: ResourceKind) -> String {
    format!("{}/lambda/home?region={}#/functions/{}", pages.host, pages.region, part(&pages.names.of(kind)))
}

pub(super) async fn presence(context: ResourceContext<'_>, kind: ResourceKind) -> Result<Presence, AwsError> {
    Ok(lambda::function(&context.target.clients.lambda, &context.name(kind)).await?.into())
}

pub(super) async fn delete_function(
    context: ResourceContext<'_>,
    kind: ResourceKind,
    scope: &StepScope,
) -> Result<Deleted, StepError> {
    let (client, name) = (&context.target.clients.lambda, &context.name(kind));
    delete(scope, || lambda::delete_function(client, name)).await
}

pub(super) async fn inspect(
    context: ResourceContext<'_>,
    kind: ResourceKind,
) -> Result<Option<InspectionBuilder>, AwsError> {
    let (client, name) = (&context.target.clients.lambda, &context.name(kind));
    let Some(found) = lambda::function(client, name).await? else { return Ok(None) };
    let code = lambda::function_code(client, name).await;
    let mut builder = InspectionBuilder::new(Some(found.arn));
    builder.row("state", describe_state(found.state));
    builder.optional("description", found.description);
    let code = builder.part("image", code)?;
    let mut tags = None;
    match code {
        Some(None) => return Ok(None),
        Some(Some(code)) => {
            builder.optional("image", code.image_uri);
            let digest = code.resolved_image_uri.as_deref().and_then(|uri| uri.split_once('@'));
            builder.optional("image digest", digest.map(|(_, digest)| digest.to_owned()));
            tags = code.tags;
        }
        None => {}
    }
    builder.row("architecture", found.architectures.join(", "));
    builder.row("memory", format!("{} MB", found.memory_mb));
    builder.row("timeout", format!("{} s", found.timeout_seconds));
    builder.row("execution role", found.role_arn);
    builder.optional("log group", found.log_group);
    for (name, value) in &found.environment.0 {
        builder.variable(name, value);
    }
    // For an image, Lambda reports 0: it is in ECR.
    builder.row("code size", if found.code_size == 0 { "stored in ECR".to_owned() } else { bytes(found.code_size) });
    builder.optional("changed", found.last_modified.map(time_of_text));
    match tags {
        Some(tags) => builder.tags(Ok(tags))?,
        None => builder.row("tags", DENIED),
    }
    Ok(Some(builder))
}

fn describe_state(state: FunctionState) -> String {
    match state {
        FunctionState::Pending => "pending".to_owned(),
        FunctionState::Active => "active".to_owned(),
        FunctionState::Inactive => "inactive".to_owned(),
        FunctionState::Failed(reason) => format!("failed: {reason}"),
    }
}
