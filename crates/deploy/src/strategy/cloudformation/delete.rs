//! Deleting stacks, and what they leave.

use std::collections::BTreeMap;

use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::names::Names;
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::super::call::call;
use super::super::inspect;
use super::super::run_context::RunContext;
use super::super::site::DEPLOYMENT_TAG;
use super::follow::Since;
use super::stack::Stack;
use crate::aws::{Deleted, cloudformation, wait};

/// What was told of a stack's resources.
type Told = BTreeMap<ResourceKind, ResourceState>;

/// What becomes of what is in the buckets that stand in a deletion's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// The user has agreed to lose it.
    AreRemoved,
    /// It stays, and so do stack and buckets.
    AreKept,
}

/// How often a deletion is begun: what stood in the first one's way is removed before the next.
const ATTEMPTS: usize = 3;

impl RunContext {
    /// Deletes a stack, and then what of it is still there: what it did not know of, or no longer.
    pub(in crate::strategy) async fn remove_stack(
        &self,
        stack: Stack,
        names: &Names,
        scope: &StepScope,
    ) -> Result<Deleted, StepError> {
        let (deleted, told) = self.delete_stack(stack, names, Contents::AreRemoved, scope).await?;
        let left = self.remove_leftovers(stack, names, &told, scope).await?;
        Ok(if left { Deleted::Now } else { deleted })
    }

    /// Has a stack deleted and waits for that; answers also what was told of its resources.
    pub(super) async fn delete_stack(
        &self,
        stack: Stack,
        names: &Names,
        contents: Contents,
        scope: &StepScope,
    ) -> Result<(Deleted, Told), StepError> {
        let client = &self.site.clients.cloudformation;
        let (mut deleted, mut told) = (Deleted::AlreadyGone, Told::new());
        for attempt in 1.. {
            // Rule: a stack that is rolled back or updated has to end that first; one that is being created may be deleted.
            let Some(found) = self.settled_stack(stack, names, scope).await? else { break };
            if found.status.is_delete_failed() && contents == Contents::AreRemoved {
                self.clear_the_way(stack, names, scope).await?;
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
            told.extend(&end.told);
            if end.is_deleted() {
                break;
            }
            if contents == Contents::AreKept {
                let failure = end.failure(&found.name);
                return Err(StepError::Failed(failure.with_hint(
                    "what is in its buckets is not thrown away by a deployment: look at it, then `thumbctl destroy`",
                )));
            }
            if attempt >= ATTEMPTS {
                return Err(StepError::Failed(end.failure(&found.name)));
            }
            scope.progress("CloudFormation could not delete everything: once more, after emptying", None, None).await?;
        }
        Ok((deleted, told))
    }

    /// Empties what CloudFormation does not.
    async fn clear_the_way(&self, stack: Stack, names: &Names, scope: &StepScope) -> Result<(), StepError> {
        for kind in stack.kinds() {
            match kind {
                ResourceKind::SourceBucket | ResourceKind::DestinationBucket | ResourceKind::BuildSourceBucket => {
                    self.empty_bucket(&names.of(kind), scope).await?;
                }
                ResourceKind::Repository => {
                    self.remove_builds(&names.of(ResourceKind::BuildProject), scope).await?;
                    self.remove(ResourceKind::Image, names, scope).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes what is still there though its stack is gone; answers whether there was anything.
    async fn remove_leftovers(
        &self,
        stack: Stack,
        names: &Names,
        told: &Told,
        scope: &StepScope,
    ) -> Result<bool, StepError> {
        let mut removed = Vec::new();
        // What was made last goes first.
        for kind in stack.kinds().into_iter().rev() {
            // Their function and their bucket take these along.
            if matches!(kind, ResourceKind::InvokePermission | ResourceKind::Notification | ResourceKind::Macro) {
                continue;
            }
            let found = call(scope, &[], || inspect::inspect(&self.site, names, kind)).await?;
            let Some(found) = found else { continue };
            let owner = found.tags.iter().find(|(key, _)| key == DEPLOYMENT_TAG).map(|(_, owner)| owner.as_str());
            // Without any tag: a policy, or a log group that a late writer made.
            if owner != Some(names.deployment().as_str()) && !found.tags.is_empty() {
                scope.warn(format!("{} is somebody else's, and left alone", found.name)).await?;
                continue;
            }
            removed.push(kind);
            self.tell_kind(scope, names, (kind, ResourceState::Deleting), None, None).await?;
            self.remove(kind, names, scope).await?;
            let note = Some("the stack had left it".to_owned());
            self.tell_kind(scope, names, (kind, ResourceState::Deleted), None, note).await?;
        }
        // The journal may know more than the stack: what went before it, or was never made.
        for kind in stack.kinds() {
            let known = self.before.resource(kind).filter(|known| known.name == names.of(kind));
            let state = told.get(&kind).copied().or(known.map(|known| known.state));
            if !removed.contains(&kind) && state.is_some_and(ResourceState::may_exist) {
                self.tell_kind(scope, names, (kind, ResourceState::Deleted), None, None).await?;
            }
        }
        Ok(!removed.is_empty())
    }
}
