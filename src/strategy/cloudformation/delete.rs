//! Deleting stacks, and what they leave.

use std::collections::BTreeMap;

use super::super::call::call;
use super::super::probe;
use super::super::run_context::RunContext;
use super::follow::Since;
use super::stack::Stack;
use crate::aws::{Deleted, cloudformation, wait};
use crate::engine::{StepError, StepScope};
use crate::names::Names;
use crate::resource::{ResourceKind, ResourceState};

/// What was told of a stack's resources.
type Told = BTreeMap<ResourceKind, ResourceState>;

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
        let (deleted, told) = self.delete_stack(stack, names, scope).await?;
        let left = self.remove_leftovers(stack, names, &told, scope).await?;
        Ok(if left { Deleted::Now } else { deleted })
    }

    /// Has a stack deleted and waits for that; answers also what was told of its resources.
    pub(super) async fn delete_stack(
        &self,
        stack: Stack,
        names: &Names,
        scope: &StepScope,
    ) -> Result<(Deleted, Told), StepError> {
        let client = &self.site.clients.cloudformation;
        let (mut deleted, mut told) = (Deleted::AlreadyGone, Told::new());
        for attempt in 1.. {
            let Some(found) = self.own_stack(stack, names, scope).await? else { break };
            // Rule: a stack that is rolled back or updated has to end that first; one that is being created may be deleted.
            if found.status.is_in_progress() && !found.status.is_being_created() && !found.status.is_deleting() {
                self.follow(stack, names, &found.id, Since::Deletion, scope).await?;
            }
            if found.status.is_delete_failed() {
                self.clear_the_way(stack, names, scope).await?;
            }
            deleted = Deleted::Now;
            let since = if found.status.is_deleting() {
                Since::Deletion
            } else {
                let newest = self.newest_event(&found.id).await?;
                call(scope, &[wait::CONFLICT], || cloudformation::delete_stack(client, &found.id)).await?;
                Since::Event(newest)
            };
            let end = self.follow(stack, names, &found.id, since, scope).await?;
            told.extend(&end.told);
            if end.is_deleted() {
                break;
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
            let presence = call(scope, &[], || probe::presence(&self.site, names, kind)).await?;
            if !presence.is_there() {
                continue;
            }
            removed.push(kind);
            self.tell_kind(scope, names, (kind, ResourceState::Deleting), None, None).await?;
            self.remove(kind, names, scope).await?;
            let note = Some("the stack had left it".to_owned());
            self.tell_kind(scope, names, (kind, ResourceState::Gone), None, note).await?;
        }
        // The journal may know more than the stack: what went before it, or was never made.
        for kind in stack.kinds() {
            let known = self.before.resource(kind).filter(|known| known.name == names.of(kind));
            let state = told.get(&kind).copied().or(known.map(|known| known.state));
            if !removed.contains(&kind) && state.is_some_and(ResourceState::may_exist) {
                self.tell_kind(scope, names, (kind, ResourceState::Gone), None, None).await?;
            }
        }
        Ok(!removed.is_empty())
    }
}
