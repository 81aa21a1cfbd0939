//! The SDK strategy: every resource by a direct call of the AWS SDK, the third way of the original project.
//!
//! Every step can be repeated: it checks what exists, creates what is missing, and adopts what an interrupted process
//! has created. How a resource is created is in [`crate::resource`].

pub mod plan;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use thumbctl_core::deployment::Deployment;
use thumbctl_core::engine::{ResourceChange, StepDone, StepError, StepRunner, StepScope};
use thumbctl_core::plan::{Plan, Step};
use thumbctl_core::resource::{ResourceKind, ResourceState};

use self::plan::SdkStep;
use super::typed_plan::StepWork;
use super::{RunMode, Strategy, StrategyRun, StrategyTools, StrategyUnavailable};
use crate::aws::lambda;
use crate::call::awaited;
use crate::resource::{self, ResourceDefinition};
use crate::run_context::RunContext;
use crate::settings::Settings;

/// The strategy.
#[derive(Debug)]
pub(super) struct SdkStrategy;

#[async_trait]
impl Strategy for SdkStrategy {
    fn deploy_plan(&self, settings: &Settings, _before: &Deployment, _mode: RunMode) -> Plan {
        plan::deploy(&settings.build.source)
    }

    async fn prepare_deploy(
        &self,
        context: RunContext,
        _mode: RunMode,
        _tools: StrategyTools<'_>,
    ) -> Result<StrategyRun, StrategyUnavailable> {
        let steps = plan::steps(&context.target.settings.build.source);
        let names = context.names.clone();
        Ok(StrategyRun::new(steps.plan, Arc::new(SdkDeployment { context, work: steps.work }), &names))
    }
}

/// The runner of a deployment.
#[derive(Debug)]
struct SdkDeployment {
    context: RunContext,
    work: StepWork<SdkStep>,
}

#[async_trait]
impl StepRunner for SdkDeployment {
    async fn run(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError> {
        match self.work.of(step)? {
            SdkStep::Create(kind) => self.ensure(scope, resource::of(*kind)).await,
            SdkStep::UploadSource => self.context.upload_source(scope).await,
            SdkStep::BuildImage => self.context.build_image(scope).await,
            SdkStep::AwaitFunction => self.await_function(scope).await,
        }
    }
}

impl SdkDeployment {
    /// Creates a resource, unless the journal records it as ready and the cloud has it.
    async fn ensure(&self, scope: &StepScope, resource: &dyn ResourceDefinition) -> Result<StepDone, StepError> {
        let kind = resource.kind();
        if self.is_done(scope, kind).await? {
            for difference in resource.differences(&self.context, scope).await? {
                scope.warn(difference).await?;
            }
            return Ok(StepDone::AlreadyDone);
        }
        scope.changed(self.change(kind, ResourceState::Creating, None, None)).await?;
        let began = Instant::now();
        let created = resource.create(&self.context, scope).await;
        let arn = self.check(scope, kind, began, created).await?;
        let change = if resource.is_awaited() {
            // Ready only once it is usable, which a later step awaits.
            self.change(kind, ResourceState::Creating, arn, None)
        } else {
            self.change(kind, ResourceState::Ready, arn, Some(began))
        };
        scope.changed(change).await?;
        Ok(StepDone::Finished)
    }

    async fn await_function(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let kind = ResourceKind::Function;
        if self.is_done(scope, kind).await? {
            return Ok(StepDone::AlreadyDone);
        }
        let (client, name) = (&self.context.target.clients.lambda, &self.context.name(kind));
        let began = Instant::now();
        let active = awaited(scope, |waits| async move {
            let mut on_wait = |waiting| drop(waits.send(waiting));
            lambda::wait_active(client, name, scope.cancel(), &mut on_wait).await
        })
        .await;
        let function = self.check(scope, kind, began, active).await?;
        scope.changed(self.change(kind, ResourceState::Ready, Some(function.arn), Some(began))).await?;
        Ok(StepDone::Finished)
    }

    async fn is_done(&self, scope: &StepScope, kind: ResourceKind) -> Result<bool, StepError> {
        Ok(self.context.before.is_ready(kind) && resource::exists(&self.context, scope, kind).await?)
    }

    /// Reports a failed creation; returns its result.
    async fn check<T>(
        &self,
        scope: &StepScope,
        kind: ResourceKind,
        began: Instant,
        result: Result<T, StepError>,
    ) -> Result<T, StepError> {
        if matches!(result, Err(StepError::Failed(_))) {
            scope.changed(self.change(kind, ResourceState::Failed, None, Some(began))).await?;
        }
        result
    }

    fn change(
        &self,
        kind: ResourceKind,
        state: ResourceState,
        arn: Option<String>,
        began: Option<Instant>,
    ) -> ResourceChange {
        let seconds = began.map(|began| began.elapsed().as_secs_f64());
        ResourceChange { kind, name: self.context.name(kind), arn, state, seconds, note: None }
    }
}
