//! Executing change sets: a stack's second half, in which its resources are made.

use futures::future::join_all;
use thumbctl_core::engine::{ResourceChange, StepDone, StepError, StepScope};
use thumbctl_core::event::Failure;
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::super::call::call;
use super::super::probe;
use super::super::run_context::RunContext;
use super::stack::Stack;
use super::{CHANGE_SET, follow::Since};
use crate::aws::{cloudformation, iam, s3, wait};

impl RunContext {
    /// Has a stack's change set executed, or takes up what an earlier process began, and follows it to its end.
    pub(super) async fn create_stack(&self, stack: Stack, scope: &StepScope) -> Result<StepDone, StepError> {
        let client = &self.site.clients.cloudformation;
        let Some(found) = self.own_stack(stack, &self.names, scope).await? else {
            return Err(StepError::Failed(
                Failure::new(format!("the stack {} is not there, though it was prepared", self.name(stack.kind())))
                    .with_hint("somebody removed it; `thumbctl deploy` again makes it anew"),
            ));
        };
        let is_new = found.status.is_in_review();
        if is_new {
            let executed =
                call(scope, &[wait::CONFLICT], || cloudformation::execute_change_set(client, &found.name, CHANGE_SET));
            if let Err(error) = executed.await {
                // An answer that was lost on its way: asked again, CloudFormation says that it is done already.
                let now = self.own_stack(stack, &self.names, &scope.without_cancellation()).await?;
                if now.is_none_or(|now| now.status.is_in_review()) {
                    self.withdraw_stack(stack, &scope.without_cancellation()).await?;
                    return Err(error);
                }
            }
        } else if !found.status.is_in_progress() && self.knows_all_of(stack) {
            self.tell_other_parameters(stack, &found.parameters, scope).await?;
            return Ok(match self.check_complete(stack, scope).await? {
                true => StepDone::Finished,
                false => StepDone::AlreadyDone,
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
            self.tell_outputs(stack, scope).await?;
            return Ok(StepDone::Finished);
        }
        scope.changed(change(ResourceState::Failed, Some(found.id.clone()))).await?;
        Err(StepError::Failed(end.failure(&found.name)))
    }

    /// Passes on a stack's outputs. That they cannot be read is no failure of the stack's.
    async fn tell_outputs(&self, stack: Stack, scope: &StepScope) -> Result<(), StepError> {
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

    /// Whether the journal says that the stack and all of it is ready.
    fn knows_all_of(&self, stack: Stack) -> bool {
        let unneeded =
            |kind: &ResourceKind| *kind == ResourceKind::BuildSourceBucket && self.before.resource(*kind).is_none();
        self.before.is_ready(stack.kind())
            && stack.kinds().iter().all(|kind| self.before.is_ready(*kind) || unneeded(kind))
    }

    /// Says where the settings are not those that a stack was made with: a stack is never updated.
    async fn tell_other_parameters(
        &self,
        stack: Stack,
        standing: &[(String, String)],
        scope: &StepScope,
    ) -> Result<(), StepError> {
        for (name, wanted) in self.parameters(stack, scope).await? {
            let has = standing.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
            // The image is what was built, whatever the settings say.
            if let Some(has) = has.filter(|has| **has != wanted && name != "ImageUri") {
                let words =
                    format!("the stack keeps {name} {has}, not {wanted}; destroy and deploy again to change it");
                scope.warn(words).await?;
            }
        }
        Ok(())
    }

    /// What was removed behind CloudFormation's back, CloudFormation still counts as there. Answers whether something was
    /// put back.
    async fn check_complete(&self, stack: Stack, scope: &StepScope) -> Result<bool, StepError> {
        let unneeded =
            |kind: &ResourceKind| *kind == ResourceKind::BuildSourceBucket && self.before.resource(*kind).is_none();
        let kinds = stack.kinds().into_iter().filter(|kind| !unneeded(kind));
        let mut put_back = false;
        let asked = kinds.map(|kind| async move {
            let presence = call(scope, &[], || probe::presence(&self.site, &self.names, kind)).await?;
            Ok::<_, StepError>((kind, presence))
        });
        for answer in join_all(asked).await {
            let (kind, presence) = answer?;
            if presence == probe::Presence::Missing {
                // A teardown that was broken off has taken it off first of all.
                if kind == ResourceKind::Notification {
                    self.put_notification_back(scope).await?;
                    put_back = true;
                    continue;
                }
                let words = format!(
                    "the stack {} says that it is complete, but its {} {} is not there",
                    self.name(stack.kind()),
                    kind.title(),
                    self.name(kind)
                );
                return Err(StepError::Failed(Failure::new(words).with_hint(
                    "somebody removed it, and CloudFormation does not look: `thumbctl destroy`, then `thumbctl deploy`",
                )));
            }
        }
        Ok(put_back)
    }

    async fn put_notification_back(&self, scope: &StepScope) -> Result<(), StepError> {
        let (client, bucket) = (&self.site.clients.s3, self.name(ResourceKind::SourceBucket));
        let function = self.arn_of(ResourceKind::Function, &self.names).expect("functions have ARNs");
        call(scope, &[wait::CONFLICT], || s3::put_notification(client, &bucket, &function)).await?;
        let note = Some("put back".to_owned());
        self.tell_kind(scope, &self.names, (ResourceKind::Notification, ResourceState::Ready), Some(0.0), note).await
    }

    /// Rule: CloudFormation hands a stack's tags on to all that it makes, except to managed policies, which have none in its
    /// schema.
    async fn tag_policies(&self, stack: Stack, scope: &StepScope) -> Result<(), StepError> {
        let policies = [ResourceKind::BuildPolicy, ResourceKind::FunctionPolicy];
        for kind in stack.kinds().into_iter().filter(|kind| policies.contains(kind)) {
            let (client, arn, tags) = (&self.site.clients.iam, self.policy_arn(kind), self.tags());
            call(scope, &[wait::CONFLICT, wait::NOT_YET_SEEN], || iam::tag_policy(client, &arn, &tags)).await?;
        }
        Ok(())
    }
}
