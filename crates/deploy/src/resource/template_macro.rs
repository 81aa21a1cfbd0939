//! The macro that the application's template calls.

use async_trait::async_trait;
use thumbctl_core::resource::ResourceKind;

use super::console_page::ConsolePages;
use super::inspection::InspectionBuilder;
use super::{Presence, ResourceContext, ResourceDefinition, ResourceDescriptor, Stack, TemplateResource, of, stack};
use crate::aws::AwsError;

static DESCRIPTOR: ResourceDescriptor = ResourceDescriptor {
    kind: ResourceKind::Macro,
    title: "Template macro",
    purpose: "Connects the application's template to the macro's function.",
    creation: None,
    deletion: None,
    listing: None,
    cloudformation: Some(TemplateResource {
        stack: Stack::Macro,
        logical_id: "Macro",
        resource_type: "AWS::CloudFormation::Macro",
    }),
    terraform: None,
};

/// The macro.
///
/// Rule: CloudFormation lists no macros; one exists while its stack is complete.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Operations.html>
#[derive(Debug)]
pub(super) struct TemplateMacroResource;

#[async_trait]
impl ResourceDefinition for TemplateMacroResource {
    fn descriptor(&self) -> &ResourceDescriptor {
        &DESCRIPTOR
    }

    fn arn(&self, _context: ResourceContext<'_>) -> Option<String> {
        None
    }

    // Macros have no page: their stack's page is used.
    fn console_page(&self, pages: &ConsolePages<'_>) -> String {
        of(ResourceKind::MacroStack).console_page(pages)
    }

    async fn presence(&self, context: ResourceContext<'_>) -> Result<Presence, AwsError> {
        let found = stack::find(context, ResourceKind::MacroStack).await?;
        Ok(found.filter(|stack| stack.status.is_complete()).into())
    }

    async fn inspect(&self, context: ResourceContext<'_>) -> Result<Option<InspectionBuilder>, AwsError> {
        let found = stack::find(context, ResourceKind::MacroStack).await?;
        Ok(found.filter(|stack| stack.status.is_complete()).map(|stack| {
            let mut builder = InspectionBuilder::new(None);
            builder.row("stack", stack.name);
            builder.row("function", context.name(ResourceKind::MacroFunction));
            builder
        }))
    }
}
