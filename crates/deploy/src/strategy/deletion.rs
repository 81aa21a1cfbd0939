//! The runner of steps that delete resources. Each can be repeated: an already deleted resource is recorded as deleted.

use std::time::Instant;

use async_trait::async_trait;
use thumbctl_core::engine::{ResourceChange, StepDone, StepError, StepRunner, StepScope};
use thumbctl_core::names::Names;
use thumbctl_core::plan::Step;
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::typed_plan::StepWork;
use crate::aws::Deleted;
use crate::resource::{self, ResourceContext, Stack};
use crate::run_context::RunContext;

/// What a step of a teardown does.
#[derive(Clone, Debug)]
pub(crate) struct DeletionStep {
    /// What it deletes.
    pub(crate) extent: Extent,
    /// The kind of the resource.
    pub(crate) kind: ResourceKind,
    /// The names of the deployment: a teardown of leftovers may cover several.
    pub(crate) names: Names,
}

/// What a step of a teardown deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The resource.
    Resource,
    /// The contents: a bucket's objects, or a project's builds. The resource is deleted with its stack, which reports it.
    Contents,
}

impl DeletionStep {
    /// The step's id, without the suffix of leftovers' steps.
    pub(super) fn id(extent: Extent, kind: ResourceKind) -> String {
        match extent {
            Extent::Resource => kind.to_string(),
            Extent::Contents => format!("empty_{kind}"),
        }
    }
}

/// The runner of a teardown by direct calls and by stacks.
#[derive(Debug)]
pub(super) struct Teardown {
    pub(super) context: RunContext,
    pub(super) work: StepWork<DeletionStep>,
}

#[async_trait]
impl StepRunner for Teardown {
    async fn run(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError> {
        self.context.delete_step(self.work.of(step)?, scope).await
    }
}

impl RunContext {
    /// Runs a step of a teardown.
    pub(super) async fn delete_step(&self, step: &DeletionStep, scope: &StepScope) -> Result<StepDone, StepError> {
        let (kind, names, name) = (step.kind, &step.names, step.names.of(step.kind));
        let change =
            |state, seconds, note| ResourceChange { kind, name: name.clone(), arn: None, state, seconds, note };
        scope.changed(change(ResourceState::Deleting, None, None)).await?;
        if step.extent == Extent::Contents {
            let emptied = match kind {
                ResourceKind::BuildProject => resource::delete_builds(&self.target, &name, scope).await?,
                _ => resource::empty_bucket(&self.target, &name, scope).await?,
            };
            return Ok(match emptied {
                Deleted::Now => StepDone::Finished,
                Deleted::AlreadyGone => StepDone::AlreadyDone,
            });
        }
        let began = Instant::now();
        let deleted = match Stack::of(kind) {
            Some(stack) => self.remove_stack(stack, names, scope).await,
            None => self.delete(kind, names, scope).await,
        };
        let seconds = Some(began.elapsed().as_secs_f64());
        match deleted {
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

    /// Deletes one resource by direct calls.
    pub(super) async fn delete(
        &self,
        kind: ResourceKind,
        names: &Names,
        scope: &StepScope,
    ) -> Result<Deleted, StepError> {
        resource::of(kind).delete(ResourceContext { target: &self.target, names }, scope).await
    }
}
