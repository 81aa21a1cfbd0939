//! The SDK strategy: every resource by a direct call of the AWS SDK, the third way of the original project.
//!
//! Every step can be repeated: it checks what exists, creates what is missing, and adopts what an interrupted process
//! has created.

mod build_side;
mod function_side;
pub mod plan;

use std::time::Instant;

use async_trait::async_trait;
use thumbctl_core::engine::{ResourceChange, StepDone, StepError, StepRunner, StepScope};
use thumbctl_core::event::Action;
use thumbctl_core::plan::Step;
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::run_context::RunContext;

/// The runner of the SDK strategy's plans.
#[derive(Debug)]
pub struct SdkStrategy {
    context: RunContext,
    action: Action,
}

impl SdkStrategy {
    /// Creates a runner for one run.
    pub fn new(context: RunContext, action: Action) -> Self {
        Self { context, action }
    }

    /// Creates a resource, unless the journal records it as ready and the cloud has it.
    ///
    /// `create` creates it or adopts an existing one; it returns the ARN, if there is one.
    async fn ensure(
        &self,
        scope: &StepScope,
        kind: ResourceKind,
        create: impl Future<Output = Result<Option<String>, StepError>>,
    ) -> Result<StepDone, StepError> {
        if self.context.before.is_ready(kind) && self.context.exists(scope, kind).await? {
            return Ok(StepDone::AlreadyDone);
        }
        let change = |state, arn, seconds| ResourceChange {
            kind,
            name: self.context.name(kind),
            arn,
            state,
            seconds,
            note: None,
        };
        scope.changed(change(ResourceState::Creating, None, None)).await?;
        let began = Instant::now();
        match create.await {
            Ok(arn) => {
                let seconds = Some(began.elapsed().as_secs_f64());
                scope.changed(change(ResourceState::Ready, arn, seconds)).await?;
                Ok(StepDone::Finished)
            }
            Err(error) => {
                if matches!(error, StepError::Failed(_)) {
                    let seconds = Some(began.elapsed().as_secs_f64());
                    scope.changed(change(ResourceState::Failed, None, seconds)).await?;
                }
                Err(error)
            }
        }
    }
}

#[async_trait]
impl StepRunner for SdkStrategy {
    async fn run(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError> {
        match self.action {
            Action::Deploy => self.deploy_step(step, scope).await,
            Action::Destroy => self.context.remove_step(step, scope).await,
            Action::TestUpload => unreachable!("test uploads have a runner of their own"),
        }
    }
}

impl SdkStrategy {
    async fn deploy_step(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError> {
        match step.id.as_str() {
            plan::REPOSITORY => self.create_repository(scope).await,
            plan::BUILD_SOURCE_BUCKET => self.create_bucket(scope, ResourceKind::BuildSourceBucket).await,
            plan::BUILD_SOURCE => self.context.upload_source(scope).await,
            plan::BUILD_LOG_GROUP => self.create_log_group(scope, ResourceKind::BuildLogGroup).await,
            plan::BUILD_POLICY => self.create_policy(scope, ResourceKind::BuildPolicy).await,
            plan::BUILD_ROLE => self.create_role(scope, ResourceKind::BuildRole).await,
            plan::BUILD_PROJECT => self.create_project(scope).await,
            plan::BUILD => self.context.build_image(scope).await,
            plan::SOURCE_BUCKET => self.create_bucket(scope, ResourceKind::SourceBucket).await,
            plan::DESTINATION_BUCKET => self.create_bucket(scope, ResourceKind::DestinationBucket).await,
            plan::FUNCTION_LOG_GROUP => self.create_log_group(scope, ResourceKind::FunctionLogGroup).await,
            plan::FUNCTION_POLICY => self.create_policy(scope, ResourceKind::FunctionPolicy).await,
            plan::FUNCTION_ROLE => self.create_role(scope, ResourceKind::FunctionRole).await,
            plan::FUNCTION => self.create_function(scope).await,
            plan::FUNCTION_ACTIVE => self.await_function(scope).await,
            plan::INVOKE_PERMISSION => self.permit_invocation(scope).await,
            plan::NOTIFICATION => self.notify_function(scope).await,
            other => unreachable!("the plan has no step '{other}'"),
        }
    }
}
