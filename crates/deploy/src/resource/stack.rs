//! [`Stack`]: the three CloudFormation stacks, and [`StackResource`]: one of them as a resource.

use async_trait::async_trait;
use thumbctl_core::resource::ResourceKind;

use super::console_page::{ConsolePages, part};
use super::inspection::{InspectionBuilder, time};
use super::{Presence, ResourceContext, ResourceDefinition, ResourceDescriptor, TemplateResource, all};
use crate::aws::{AwsError, cloudformation};

/// One of the three stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    /// The macro that generates bucket names.
    Macro,
    /// The build's resources.
    Build,
    /// The buckets and the function.
    App,
}

impl Stack {
    /// All three, in a valid order of creation.
    pub(crate) const ALL: [Self; 3] = [Self::Macro, Self::Build, Self::App];

    /// Its resource kind.
    pub(crate) fn kind(self) -> ResourceKind {
        match self {
            Self::Macro => ResourceKind::MacroStack,
            Self::Build => ResourceKind::BuildStack,
            Self::App => ResourceKind::AppStack,
        }
    }

    /// The stack of a kind, if it is one.
    pub(crate) fn of(kind: ResourceKind) -> Option<Self> {
        Self::ALL.into_iter().find(|stack| stack.kind() == kind)
    }

    /// Its resources, in plan order, with their kinds. The source bucket includes its notification.
    pub(crate) fn resources(self) -> impl Iterator<Item = (ResourceKind, &'static TemplateResource)> {
        let resources = all().filter_map(|one| Some((one.kind(), one.descriptor().cloudformation.as_ref()?)));
        resources.filter(move |(_, resource)| resource.stack == self)
    }

    /// The kinds of its resources.
    pub(crate) fn kinds(self) -> Vec<ResourceKind> {
        self.resources().map(|(kind, _)| kind).collect()
    }
}

/// A stack.
#[derive(Debug)]
pub(super) struct StackResource(pub(super) ResourceDescriptor);

#[async_trait]
impl ResourceDefinition for StackResource {
    fn descriptor(&self) -> &ResourceDescriptor {
        &self.0
    }

    // It ends in an id that only CloudFormation assigns.
    fn arn(&self, _context: ResourceContext<'_>) -> Option<String> {
        None
    }

    // Its own page needs its id, which only CloudFormation has; the list is filtered by name.
    fn console_page(&self, pages: &ConsolePages<'_>) -> String {
        let ConsolePages { host, region, names, .. } = pages;
        format!("{host}/cloudformation/home?region={region}#/stacks?filteringText={}", part(&names.of(self.kind())))
    }

    async fn presence(&self, context: ResourceContext<'_>) -> Result<Presence, AwsError> {
        Ok(find(context, self.kind()).await?.filter(|stack| !stack.status.is_deleted()).into())
    }

    async fn inspect(&self, context: ResourceContext<'_>) -> Result<Option<InspectionBuilder>, AwsError> {
        let found = find(context, self.kind()).await?;
        let Some(found) = found.filter(|found| !found.status.is_deleted()) else { return Ok(None) };
        let mut builder = InspectionBuilder::new(Some(found.id));
        builder.row("status", found.status.as_str());
        builder.optional("reason", found.reason);
        builder.optional("description", found.description);
        builder.optional("created", found.created_ms.map(time));
        for (name, value) in found.parameters {
            builder.row(&format!("parameter {name}"), value);
        }
        for (name, value) in found.outputs {
            builder.row(&format!("output {name}"), value);
        }
        builder.tags(Ok(found.tags))?;
        Ok(Some(builder))
    }
}

/// Reads the stack of a kind.
pub(super) async fn find(
    context: ResourceContext<'_>,
    kind: ResourceKind,
) -> Result<Option<cloudformation::Stack>, AwsError> {
    cloudformation::stack(&context.target.clients.cloudformation, &context.name(kind)).await
}
