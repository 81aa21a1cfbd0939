//! The steps that delete resources. Each can be repeated: an already deleted resource is recorded as deleted.

use std::time::Instant;

use thumbctl_core::engine::{ResourceChange, StepDone, StepError, StepScope};
use thumbctl_core::names::Names;
use thumbctl_core::plan::Step;
use thumbctl_core::resource::{ResourceKind, ResourceState};
use tokio::sync::mpsc;

use super::call::call;
use super::cloudformation::Stack;
use super::run_context::RunContext;
use crate::aws::s3::Emptied;
use crate::aws::{AwsError, Deleted, codebuild, ecr, iam, lambda, logs, s3, wait};

impl RunContext {
    pub(super) async fn remove_step(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError> {
        let kind = step.resource.expect("every step of a teardown is about a resource");
        // A teardown of leftovers may cover several deployments; the step's id has the suffix.
        let names = super::leftovers::names_of_step(&step.id, &self.names);
        let name = names.of(kind);
        let change =
            |state, seconds, note| ResourceChange { kind, name: name.clone(), arn: None, state, seconds, note };
        scope.changed(change(ResourceState::Deleting, None, None)).await?;
        if step.id.as_str().starts_with(super::teardown::EMPTY) {
            // It is deleted with its stack, which reports it.
            let emptied = match kind {
                ResourceKind::BuildProject => self.remove_builds(&name, scope).await?,
                _ => self.empty_bucket(&name, scope).await?,
            };
            return Ok(match emptied {
                Deleted::Now => StepDone::Finished,
                Deleted::AlreadyGone => StepDone::AlreadyDone,
            });
        }
        let began = Instant::now();
        let removed = match Stack::of(kind) {
            Some(stack) => self.remove_stack(stack, &names, scope).await,
            None => self.remove(kind, &names, scope).await,
        };
        let seconds = Some(began.elapsed().as_secs_f64());
        match removed {
            Ok(Deleted::Now) => {
                scope.changed(change(ResourceState::Deleted, seconds, None)).await?;
                Ok(StepDone::Finished)
            }
            Ok(Deleted::AlreadyGone) => {
                scope.changed(change(ResourceState::Deleted, seconds, Some("already deleted".to_owned()))).await?;
                Ok(StepDone::AlreadyDone)
            }
            Err(error) => {
                if matches!(error, StepError::Failed(_)) {
                    scope.changed(change(ResourceState::Failed, seconds, None)).await?;
                }
                Err(error)
            }
        }
    }

    pub(super) async fn remove(
        &self,
        kind: ResourceKind,
        names: &Names,
        scope: &StepScope,
    ) -> Result<Deleted, StepError> {
        let clients = &self.target.clients;
        let name = names.of(kind);
        let function = names.of(ResourceKind::Function);
        match kind {
            ResourceKind::Notification => {
                let bucket = names.of(ResourceKind::SourceBucket);
                retried(scope, || s3::clear_notification(&clients.s3, &bucket)).await
            }
            ResourceKind::BuildProject => {
                self.stop_builds(&name, scope).await?;
                retried(scope, || codebuild::delete_project(&clients.codebuild, &name)).await
            }
            ResourceKind::InvokePermission => {
                let bucket = names.of(ResourceKind::SourceBucket);
                let statements =
                    call(scope, &[], || lambda::bucket_permissions(&clients.lambda, &function, &bucket)).await?;
                let mut removed = Deleted::AlreadyGone;
                for statement in statements {
                    let id = statement["Sid"].as_str().unwrap_or_default();
                    removed = retried(scope, || lambda::remove_permission(&clients.lambda, &function, id)).await?;
                }
                Ok(removed)
            }
            ResourceKind::Function | ResourceKind::MacroFunction => {
                retried(scope, || lambda::delete_function(&clients.lambda, &name)).await
            }
            ResourceKind::SourceBucket | ResourceKind::DestinationBucket | ResourceKind::BuildSourceBucket => {
                self.remove_bucket(&name, scope).await
            }
            // Deleting the repository would delete it too; a step of its own makes it visible.
            ResourceKind::Image => {
                let repository = names.of(ResourceKind::Repository);
                retried(scope, || ecr::delete_image(&clients.ecr, &repository, names.image_tag())).await
            }
            ResourceKind::Repository => retried(scope, || ecr::delete_repository(&clients.ecr, &name)).await,
            ResourceKind::FunctionRole | ResourceKind::BuildRole | ResourceKind::MacroRole => {
                retried(scope, || iam::delete_role(&clients.iam, &name)).await
            }
            ResourceKind::FunctionPolicy | ResourceKind::BuildPolicy => {
                let arn = self.iam_arn("policy", &name);
                retried(scope, || iam::delete_policy(&clients.iam, &arn)).await
            }
            ResourceKind::FunctionLogGroup | ResourceKind::BuildLogGroup | ResourceKind::MacroLogGroup => {
                retried(scope, || logs::delete_log_group(&clients.logs, &name)).await
            }
            ResourceKind::MacroStack | ResourceKind::BuildStack | ResourceKind::AppStack | ResourceKind::Macro => {
                unreachable!("stacks are deleted as stacks, and a macro with its stack")
            }
        }
    }

    /// Stops a running build, and deletes all builds of a project.
    pub(super) async fn remove_builds(&self, project: &str, scope: &StepScope) -> Result<Deleted, StepError> {
        self.stop_builds(project, scope).await?;
        retried(scope, || codebuild::delete_builds(&self.target.clients.codebuild, project)).await
    }

    pub(super) async fn stop_builds(&self, project: &str, scope: &StepScope) -> Result<(), StepError> {
        let client = &self.target.clients.codebuild;
        // Only the newest can be running: one deployment starts one build at a time.
        let builds = call(scope, &[], || codebuild::builds_of(client, project)).await?.unwrap_or_default();
        for id in builds.iter().take(3) {
            let state = call(scope, &[], || codebuild::build(client, id)).await?;
            if state.is_some_and(|state| !state.complete) {
                scope.progress(format!("stopping the build {id}"), None, None).await?;
                call(scope, &[], || codebuild::stop_build(client, id)).await?;
            }
        }
        Ok(())
    }

    async fn remove_bucket(&self, bucket: &str, scope: &StepScope) -> Result<Deleted, StepError> {
        self.clear_bucket(bucket, AfterEmptying::Delete, scope).await
    }

    /// Deletes all objects of a bucket.
    pub(super) async fn empty_bucket(&self, bucket: &str, scope: &StepScope) -> Result<Deleted, StepError> {
        self.clear_bucket(bucket, AfterEmptying::Keep, scope).await
    }

    async fn clear_bucket(&self, bucket: &str, then: AfterEmptying, scope: &StepScope) -> Result<Deleted, StepError> {
        let client = &self.target.clients.s3;
        let (sender, mut counts) = mpsc::unbounded_channel::<Emptied>();
        let removal = retried(scope, || {
            let sender = sender.clone();
            async move {
                let mut progress = move |emptied| {
                    // The receiver outlives the deletion.
                    let _ = sender.send(emptied);
                };
                match then {
                    AfterEmptying::Delete => s3::empty_and_delete_bucket(client, bucket, &mut progress).await,
                    AfterEmptying::Keep => s3::empty_bucket(client, bucket, &mut progress)
                        .await
                        .map(|emptied| if emptied == Emptied::default() { Deleted::AlreadyGone } else { Deleted::Now }),
                }
            }
        });
        let mut removal = std::pin::pin!(removal);
        loop {
            tokio::select! {
                biased;
                Some(count) = counts.recv() => {
                    scope.progress(format!("{} objects deleted", count.objects), Some(count.objects), None).await?;
                }
                removed = &mut removal => return removed,
            }
        }
    }
}

/// What follows after a bucket is emptied.
#[derive(Clone, Copy, Debug)]
enum AfterEmptying {
    Keep,
    Delete,
}

async fn retried<F, Fut>(scope: &StepScope, make: F) -> Result<Deleted, StepError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Deleted, AwsError>>,
{
    call(scope, &[wait::CONFLICT], make).await
}
