//! The function's image in the repository.

use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::event::Failure;
use thumbctl_core::resource::ResourceKind;

use super::call::call;
use super::run_context::RunContext;
use crate::aws::ecr;

impl RunContext {
    /// Returns the URI of the pushed image, by its digest: `<repository>@sha256:…`.
    pub(super) async fn image_uri(&self, scope: &StepScope) -> Result<String, StepError> {
        let client = &self.target.clients.ecr;
        let name = self.name(ResourceKind::Repository);
        let missing = |what: &str| {
            StepError::Failed(
                Failure::new(format!("{what} is missing, although its step has finished"))
                    .with_hint("it was deleted; `thumbctl deploy` recreates it"),
            )
        };
        let repository = call(scope, &[], || ecr::repository(client, &name)).await?;
        let repository = repository.ok_or_else(|| missing("the ECR repository"))?;
        let image = call(scope, &[], || ecr::image_by_tag(client, &name, self.names.image_tag())).await?;
        let image = image.ok_or_else(|| missing("the function's image"))?;
        Ok(format!("{}@{}", repository.uri, image.digest))
    }

    pub(super) async fn image_exists(&self, scope: &StepScope) -> Result<bool, StepError> {
        let (client, repository) = (&self.target.clients.ecr, self.name(ResourceKind::Repository));
        let image = call(scope, &[], || ecr::image_by_tag(client, &repository, self.names.image_tag())).await?;
        Ok(image.is_some())
    }
}
