//! Executing change sets: the second half of a stack's creation, which creates its resources.

use futures::future::join_all;
use thumbctl_core::engine::{ResourceChange, StepDone, StepError, StepScope};
use thumbctl_core::event::Failure;
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::{CHANGE_SET, follow::Since};
use crate::aws::{cloudformation, iam, wait};
use crate::call::call;
use crate::resource::{self, Presence, Stack};
use crate::run_context::RunContext;

impl RunContext {
    /// Executes a stack's change set, or attaches to an execution in progress, and follows it to its end.
    pub(super) async fn create_stack(&self, stack: Stack, scope: &StepScope) -> Result<StepDone, StepError> {
        let client = &self.target.clients.cloudformation;
        let Some(found) = self.own_stack(stack, &self.names, scope).await? else {
            return Err(StepError::Failed(
                Failure::new(format!("the stack {} is missing, although it was prepared", self.name(stack.kind())))
                    .with_hint("it was deleted; `thumbctl deploy` recreates it"),
            ));
        };
        let is_new = found.status.is_in_review();
        if is_new {
            let executed =
                call(scope, &[wait::CONFLICT], || cloudformation::execute_change_set(client, &found.name, CHANGE_SET));
            if let Err(error) = executed.await {
                // After a lost response, the repeated call finds the change set executed.
                let now = self.own_stack(stack, &self.names, &scope.without_cancellation()).await?;
                if now.is_none_or(|now| now.status.is_in_review()) {
                    self.discard_stack(stack, &scope.without_cancellation()).await?;
                    return Err(error);
                }
            }
        } else if !found.status.is_in_progress() && self.knows_all_of(stack) {
            self.warn_of_changed_parameters(stack, &found.parameters, scope).await?;
            return Ok(if self.check_complete(stack, scope).await? {
                StepDone::Finished
            } else {
                StepDone::AlreadyDone
            });
        }
        let end = self.follow(stack, &self.names, &found.id, Since::Beginning, scope).await?;
        let change = |state, arn| ResourceChange {
            kind: stack.kind(),
            name: self.name(stack.kind()),
            arn,
            state,
            seconds: end.seconds,
            note: end.status.clone(),
        };
        if end.is_complete() {
            self.tag_policies(stack, scope).await?;
            if !is_new {
                self.check_complete(stack, scope).await?;
            }
            scope.changed(change(ResourceState::Ready, Some(found.id))).await?;
            self.report_outputs(stack, scope).await?;
            return Ok(StepDone::Finished);
        }
        scope.changed(change(ResourceState::Failed, Some(found.id.clone()))).await?;
        Err(StepError::Failed(end.failure(&found.name)))
    }

    /// Reports a stack's outputs. Failing to read them does not fail the stack.
    async fn report_outputs(&self, stack: Stack, scope: &StepScope) -> Result<(), StepError> {
        match self.own_stack(stack, &self.names, scope).await {
            Ok(found) => {
                for (name, value) in found.into_iter().flat_map(|found| found.outputs) {
                    scope.output(name, value).await?;
                }
                Ok(())
            }
            Err(StepError::Journal(error)) => Err(StepError::Journal(error)),
            Err(StepError::Cancelled) => Ok(()),
            Err(StepError::Failed(failure)) => {
                Ok(scope.warn(format!("its outputs could not be read: {}", failure.message)).await?)
            }
        }
    }

    /// Returns whether the journal records the stack and all its resources as ready.
    fn knows_all_of(&self, stack: Stack) -> bool {
        let unneeded =
            |kind: &ResourceKind| *kind == ResourceKind::BuildSourceBucket && self.before.resource(*kind).is_none();
        self.before.is_ready(stack.kind())
            && stack.kinds().iter().all(|kind| self.before.is_ready(*kind) || unneeded(kind))
    }

    /// Warns of settings that differ from an existing stack's parameters: stacks are never updated.
    async fn warn_of_changed_parameters(
        &self,
        stack: Stack,
        existing: &[(String, String)],
        scope: &StepScope,
    ) -> Result<(), StepError> {
        for (name, configured) in self.parameters(stack, scope).await? {
            let has = existing.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
            // The image is the built one, regardless of the settings.
            if let Some(has) = has.filter(|has| **has != configured && name != "ImageUri") {
                let words =
                    format!("the stack keeps {name} {has}, not {configured}; destroy and deploy again to change it");
                scope.warn(words).await?;
            }
        }
        Ok(())
    }

    /// Checks a complete stack for resources deleted outside CloudFormation, which it still counts as existing. Returns
    /// whether something was restored.
    async fn check_complete(&self, stack: Stack, scope: &StepScope) -> Result<bool, StepError> {
        let unneeded =
            |kind: &ResourceKind| *kind == ResourceKind::BuildSourceBucket && self.before.resource(*kind).is_none();
        let kinds = stack.kinds().into_iter().filter(|kind| !unneeded(kind));
        let mut put_back = false;
        let presences = kinds.map(|kind| async move {
            let presence = resource::presence(self, scope, kind).await?;
            Ok::<_, StepError>((kind, presence))
        });
        for answer in join_all(presences).await {
            let (kind, presence) = answer?;
            if presence == Presence::Missing {
                // An interrupted teardown has removed it as its first step.
                if kind == ResourceKind::Notification {
                    self.put_notification_back(scope).await?;
                    put_back = true;
                    continue;
                }
                let words = format!(
                    "the stack {} is complete, but its {} {} is missing",
                    self.name(stack.kind()),
                    resource::descriptor(kind).title,
                    self.name(kind)
                );
                return Err(StepError::Failed(Failure::new(words).with_hint(
                    "it was deleted outside CloudFormation: run `thumbctl destroy`, then `thumbctl deploy`",
                )));
            }
        }
        Ok(put_back)
    }

    async fn put_notification_back(&self, scope: &StepScope) -> Result<(), StepError> {
        let kind = ResourceKind::Notification;
        resource::of(kind).create(self, scope).await?;
        let note = Some("restored".to_owned());
        self.report_kind(scope, &self.names, (kind, ResourceState::Ready), Some(0.0), note).await
    }

    /// Rule: CloudFormation propagates a stack's tags to its resources, except to managed policies, whose
    /// schema has none.
    /// <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1010>.
    async fn tag_policies(&self, stack: Stack, scope: &StepScope) -> Result<(), StepError> {
        let policies = [ResourceKind::BuildPolicy, ResourceKind::FunctionPolicy];
        for kind in stack.kinds().into_iter().filter(|kind| policies.contains(kind)) {
            let (client, arn, tags) = (&self.target.clients.iam, self.policy_arn(kind), self.tags());
            call(scope, &[wait::CONFLICT, wait::NOT_YET_SEEN], || iam::tag_policy(client, &arn, &tags)).await?;
        }
        Ok(())
    }
}
