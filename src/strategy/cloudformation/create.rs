//! Executing change sets: a stack's second half, in which its resources are made.

use futures::future::join_all;

use super::super::call::{call, failed};
use super::super::probe;
use super::super::run_context::RunContext;
use super::stack::Stack;
use super::{CHANGE_SET, follow::Since};
use crate::aws::{cloudformation, iam, wait};
use crate::engine::{ResourceChange, StepDone, StepError, StepScope};
use crate::event::Failure;
use crate::resource::{ResourceKind, ResourceState};

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
        if found.status.is_in_review() {
            let executed =
                call(scope, &[wait::CONFLICT], || cloudformation::execute_change_set(client, &found.name, CHANGE_SET));
            if let Err(error) = executed.await {
                // An answer that was lost on its way: asked again, CloudFormation says that it is done already.
                let now = self.own_stack(stack, &self.names, &scope.undisturbed()).await?;
                if now.is_none_or(|now| now.status.is_in_review()) {
                    return Err(error);
                }
            }
        } else if !found.status.is_in_progress() && self.knows_all_of(stack) {
            self.check_complete(stack, scope).await?;
            return Ok(StepDone::AlreadyDone);
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
            scope.changed(change(ResourceState::Ready, Some(found.id))).await?;
            return Ok(StepDone::Finished);
        }
        scope.changed(change(ResourceState::Failed, Some(found.id.clone()))).await?;
        Err(StepError::Failed(end.failure(&found.name)))
    }

    /// Whether the journal says that the stack and all of it is ready.
    fn knows_all_of(&self, stack: Stack) -> bool {
        let unneeded =
            |kind: &ResourceKind| *kind == ResourceKind::BuildSourceBucket && self.before.resource(*kind).is_none();
        self.before.is_ready(stack.kind())
            && stack.kinds().iter().all(|kind| self.before.is_ready(*kind) || unneeded(kind))
    }

    /// What somebody removed behind CloudFormation's back, CloudFormation still counts as there.
    async fn check_complete(&self, stack: Stack, scope: &StepScope) -> Result<(), StepError> {
        let kinds = stack.kinds().into_iter().filter(|kind| self.before.resource(*kind).is_some());
        let asked = kinds.map(|kind| async move {
            let presence = call(scope, &[], || probe::presence(&self.site, &self.names, kind)).await?;
            Ok::<_, StepError>((kind, presence))
        });
        for answer in join_all(asked).await {
            let (kind, presence) = answer?;
            if presence == probe::Presence::Missing {
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
        Ok(())
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

    /// A stack as it is, for those who ask; `None` if it is not there.
    pub(super) async fn newest_event(&self, id: &str) -> Result<Option<String>, StepError> {
        let client = &self.site.clients.cloudformation;
        cloudformation::newest_event(client, id).await.map_err(failed)
    }
}
