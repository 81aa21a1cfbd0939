//! Deleting stacks, and the resources that they leave.

use std::collections::BTreeMap;

use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::names::Names;
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::follow::Since;
use crate::aws::{Deleted, cloudformation, wait};
use crate::call::call;
use crate::deploy_target::DEPLOYMENT_TAG;
use crate::resource::{self, Stack};
use crate::run_context::RunContext;

/// The last reported state of a stack's resources.
type ReportedStates = BTreeMap<ResourceKind, ResourceState>;

/// What happens to the contents of buckets that block a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BucketContents {
    /// The user has confirmed their deletion.
    Delete,
    /// They are kept, with their stack and buckets.
    Keep,
}

/// How many times a deletion is attempted: what blocked one is deleted before the next.
const ATTEMPTS: usize = 3;

impl RunContext {
    /// Deletes a stack, and its resources that remain: those it did not manage, or no longer does.
    pub(in crate::strategy) async fn remove_stack(
        &self,
        stack: Stack,
        names: &Names,
        scope: &StepScope,
    ) -> Result<Deleted, StepError> {
        let (deleted, reported) = self.delete_stack(stack, names, BucketContents::Delete, scope).await?;
        let left = self.remove_leftovers(stack, names, &reported, scope).await?;
        Ok(if left { Deleted::Now } else { deleted })
    }

    /// Deletes a stack and waits for its end; also returns the reported states of its resources.
    pub(super) async fn delete_stack(
        &self,
        stack: Stack,
        names: &Names,
        contents: BucketContents,
        scope: &StepScope,
    ) -> Result<(Deleted, ReportedStates), StepError> {
        let client = &self.target.clients.cloudformation;
        let (mut deleted, mut reported) = (Deleted::AlreadyGone, ReportedStates::new());
        for attempt in 1.. {
            // Rule: a rollback or update has to end before a deletion; a creation need not.
            // https://github.com/aws/aws-toolkit-azure-devops/issues/317
            let Some(found) = self.settled_stack(stack, names, scope).await? else { break };
            if found.status.is_delete_failed() && contents == BucketContents::Delete {
                self.empty_buckets_and_builds(stack, names, scope).await?;
            }
            deleted = Deleted::Now;
            let since = if found.status.is_deleting() {
                Since::Deletion
            } else {
                let newest = call(scope, &[], || cloudformation::newest_event(client, &found.id)).await?;
                call(scope, &[wait::CONFLICT], || cloudformation::delete_stack(client, &found.id)).await?;
                Since::Event(newest)
            };
            let end = self.follow(stack, names, &found.id, since, scope).await?;
            reported.extend(&end.reported);
            if end.is_deleted() {
                break;
            }
            if contents == BucketContents::Keep {
                let failure = end.failure(&found.name);
                return Err(StepError::Failed(failure.with_hint(
                    "a deployment does not delete the contents of buckets: check them, then run `thumbctl destroy`",
                )));
            }
            if attempt >= ATTEMPTS {
                return Err(StepError::Failed(end.failure(&found.name)));
            }
            scope.progress("retrying the deletion after emptying the buckets", None, None).await?;
        }
        Ok((deleted, reported))
    }

    /// Empties what CloudFormation does not.
    async fn empty_buckets_and_builds(&self, stack: Stack, names: &Names, scope: &StepScope) -> Result<(), StepError> {
        for kind in stack.kinds() {
            match kind {
                ResourceKind::SourceBucket | ResourceKind::DestinationBucket | ResourceKind::BuildSourceBucket => {
                    resource::empty_bucket(&self.target, &names.of(kind), scope).await?;
                }
                ResourceKind::Repository => {
                    resource::delete_builds(&self.target, &names.of(ResourceKind::BuildProject), scope).await?;
                    self.delete(ResourceKind::Image, names, scope).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Deletes resources that remain after their stack's deletion; returns whether there were any.
    async fn remove_leftovers(
        &self,
        stack: Stack,
        names: &Names,
        reported: &ReportedStates,
        scope: &StepScope,
    ) -> Result<bool, StepError> {
        let mut removed = Vec::new();
        // In reverse order of creation.
        for kind in stack.kinds().into_iter().rev() {
            // Deleted with their function and their bucket.
            if matches!(kind, ResourceKind::InvokePermission | ResourceKind::Notification | ResourceKind::Macro) {
                continue;
            }
            let found = call(scope, &[], || resource::inspect(&self.target, names, kind)).await?;
            let Some(found) = found else { continue };
            let owner = found.tags.iter().find(|(key, _)| key == DEPLOYMENT_TAG).map(|(_, owner)| owner.as_str());
            // Untagged: a policy, or a late writer's log group.
            if owner != Some(names.deployment().as_str()) && !found.tags.is_empty() {
                scope.warn(format!("{} has another owner, and is left alone", found.name)).await?;
                continue;
            }
            removed.push(kind);
            self.report_kind(scope, names, (kind, ResourceState::Deleting), None, None).await?;
            self.delete(kind, names, scope).await?;
            let note = Some("left by the stack".to_owned());
            self.report_kind(scope, names, (kind, ResourceState::Deleted), None, note).await?;
        }
        // The journal may record resources that were deleted before the stack, or never created.
        for kind in stack.kinds() {
            let known = self.before.resource(kind).filter(|known| known.name == names.of(kind));
            let state = reported.get(&kind).copied().or(known.map(|known| known.state));
            if !removed.contains(&kind) && state.is_some_and(ResourceState::may_exist) {
                self.report_kind(scope, names, (kind, ResourceState::Deleted), None, None).await?;
            }
        }
        Ok(!removed.is_empty())
    }
}
