//! The CloudFormation strategy: three stacks, each created by a change set that is shown before execution.
//!
//! Every step can be repeated: it reads its stack's status, waits for operations in progress, and deletes
//! and recreates a stack that can only be deleted.

mod create;
mod delete;
mod follow;
pub(super) mod plan;
mod prepare;
mod stack;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use thumbctl_core::deployment::Deployment;
use thumbctl_core::engine::{ResourceChange, StepDone, StepError, StepRunner, StepScope};
use thumbctl_core::event::Failure;
use thumbctl_core::names::Names;
use thumbctl_core::plan::{Plan, Step};
use thumbctl_core::resource::{ResourceKind, ResourceState};

use self::plan::StackStep;
use super::typed_plan::StepWork;
use super::{Requirement, RunMode, Strategy, StrategyRun, StrategyTools, StrategyUnavailable, TemplateResources};
use crate::aws::cloudformation;
use crate::aws::wait::{self, Poll, Schedule};
use crate::call::{awaited, call};
use crate::deploy_target::DEPLOYMENT_TAG;
use crate::resource::Stack;
use crate::run_context::RunContext;
use crate::settings::Settings;

/// An update or a rollback takes as long as what it reverts.
const STACK_SETTLED: Schedule =
    Schedule::new(Duration::from_millis(100), 1.5, Duration::from_secs(2), Duration::from_secs(45 * 60));

/// The name of the change sets: a stack has one.
const CHANGE_SET: &str = "thumbctl";

/// The strategy.
#[derive(Debug)]
pub(super) struct CloudformationStrategy;

#[async_trait]
impl Strategy for CloudformationStrategy {
    fn requirement(&self) -> Option<Requirement> {
        Some(Requirement::Python)
    }

    fn deploy_plan(&self, settings: &Settings, _before: &Deployment, _mode: RunMode) -> Plan {
        plan::steps(&settings.build.source).plan
    }

    fn template_resources(&self, settings: &Settings) -> TemplateResources {
        plan::template_resources(&settings.build.source)
    }

    async fn prepare_deploy(
        &self,
        context: RunContext,
        _mode: RunMode,
        tools: StrategyTools<'_>,
    ) -> Result<StrategyRun, StrategyUnavailable> {
        if !tools.cloud.runs_python().await {
            return Err(StrategyUnavailable::NoPython);
        }
        let steps = plan::steps(&context.target.settings.build.source);
        let names = context.names.clone();
        Ok(StrategyRun::new(steps.plan, Arc::new(StackDeployment { context, work: steps.work }), &names))
    }
}

/// The runner of a deployment.
#[derive(Debug)]
struct StackDeployment {
    context: RunContext,
    work: StepWork<StackStep>,
}

#[async_trait]
impl StepRunner for StackDeployment {
    async fn run(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError> {
        match *self.work.of(step)? {
            StackStep::Prepare(stack) => self.context.prepare_stack(stack, scope).await,
            StackStep::Create(stack) => self.context.create_stack(stack, scope).await,
            StackStep::UploadSource => self.context.upload_source(scope).await,
            StackStep::BuildImage => self.context.build_image(scope).await,
        }
    }

    async fn discard(&self, step: &Step, scope: &StepScope) -> Result<(), StepError> {
        match *self.work.of(step)? {
            StackStep::Create(stack) => self.context.discard_stack(stack, scope).await.map(|_| ()),
            _ => Ok(()),
        }
    }
}

/// What all stack steps use.
impl RunContext {
    /// The deployment's stack, if it exists; an error if a stack of that name has another owner.
    async fn own_stack(
        &self,
        stack: Stack,
        names: &Names,
        scope: &StepScope,
    ) -> Result<Option<cloudformation::Stack>, StepError> {
        let name = names.of(stack.kind());
        let client = &self.target.clients.cloudformation;
        let found = call(scope, &[], || cloudformation::stack(client, &name)).await?;
        // Rule: a stack in review has no tags yet, only its change set has.
        // Not documented by AWS.
        let is_ours = |found: &cloudformation::Stack| match found.tags.get(DEPLOYMENT_TAG) {
            Some(owner) => owner == names.deployment().as_str(),
            None => found.status.is_in_review() && found.tags.is_empty(),
        };
        match found.filter(|found| !found.status.is_deleted()) {
            Some(found) if !is_ours(&found) => Err(StepError::Failed(
                Failure::new(format!("the stack {name} does not have the tag {DEPLOYMENT_TAG}"))
                    .with_hint("it has another owner and is left alone: use another --name"),
            )),
            found => Ok(found),
        }
    }

    /// The same, after waiting for operations in progress other than its creation and deletion.
    async fn settled_stack(
        &self,
        stack: Stack,
        names: &Names,
        scope: &StepScope,
    ) -> Result<Option<cloudformation::Stack>, StepError> {
        let in_progress = |status: &cloudformation::StackStatus| {
            status.is_in_progress() && !status.is_being_created() && !status.is_deleting()
        };
        let found = match self.own_stack(stack, names, scope).await? {
            Some(found) if in_progress(&found.status) => found,
            settled => return Ok(settled),
        };
        let (client, id) = (&self.target.clients.cloudformation, &found.id);
        awaited(scope, |waits| async move {
            let mut on_wait = |waiting| drop(waits.send(waiting));
            let what = format!("the end of the stack's {}", found.status.as_str());
            wait::until(&what, &STACK_SETTLED, scope.cancel(), &mut on_wait, || async {
                let found = cloudformation::stack(client, id).await?;
                Ok(if found.is_some_and(|found| in_progress(&found.status)) { Poll::Pending } else { Poll::Ready(()) })
            })
            .await
        })
        .await?;
        self.own_stack(stack, names, scope).await
    }

    /// Reports the state of one of a stack's resources.
    async fn report_kind(
        &self,
        scope: &StepScope,
        names: &Names,
        (kind, state): (ResourceKind, ResourceState),
        seconds: Option<f64>,
        note: Option<String>,
    ) -> Result<(), StepError> {
        let arn = (state == ResourceState::Ready).then(|| self.arn_of(kind, names)).flatten();
        scope.changed(ResourceChange { kind, name: names.of(kind), arn, state, seconds, note }).await?;
        Ok(())
    }
}
