//! The function's source, uploaded for CodeBuild.

use thumbctl_core::engine::{StepDone, StepError, StepScope};
use thumbctl_core::event::Failure;
use thumbctl_core::resource::ResourceKind;

use crate::assets;
use crate::aws::{s3, wait};
use crate::call::call;
use crate::resource::{SOURCE_KEY, image_exists};
use crate::run_context::RunContext;

impl RunContext {
    pub(super) async fn upload_source(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let bucket = self.name(ResourceKind::BuildSourceBucket);
        // The source of an existing image is kept; an interrupted teardown may have deleted it.
        if self.before.is_ready(ResourceKind::Image)
            && image_exists(self, scope).await?
            && call(scope, &[wait::NOT_YET_SEEN], || s3::head_object(&self.target.clients.s3, &bucket, SOURCE_KEY))
                .await?
                .is_some()
        {
            return Ok(StepDone::AlreadyDone);
        }
        let zip = assets::function_zip()
            .map_err(|error| StepError::Failed(Failure::new(format!("cannot zip the function's source: {error}"))))?;
        scope.progress(format!("{} bytes to s3://{bucket}/{SOURCE_KEY}", zip.len()), None, None).await?;
        call(scope, &[wait::NOT_YET_SEEN], || {
            s3::put_object_bytes(&self.target.clients.s3, &bucket, SOURCE_KEY, zip.clone(), "application/zip")
        })
        .await?;
        Ok(StepDone::Finished)
    }
}
