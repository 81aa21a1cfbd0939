//! Deleting resources in parallel, in reverse order of their dependencies.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::apply::known;
use super::converge::Direction;
use crate::cloudformation::resource_types::{HandlerError, Stop};
use crate::cloudformation::service::CloudFormation;
use crate::cloudformation::state::{Resource, Stack, now};
use crate::cloudformation::template::Policy;
use crate::sync::lock;

/// A resource to delete or to retain.
#[derive(Clone)]
struct DeletionPlan {
    resource: Resource,
    /// Whether another one has replaced it in the stack.
    replaced: bool,
    /// Whether it is retained.
    retained: bool,
}

impl CloudFormation {
    /// Deletes a stack's resources, for a deletion or after a failed creation.
    pub(super) async fn delete(
        self: &Arc<Self>,
        stack: &Stack,
        retain: &BTreeSet<String>,
        undoes_creation: bool,
        verb: &str,
        halt: &CancellationToken,
    ) {
        let there =
            stack.resources.iter().filter(|one| one.status != "DELETE_COMPLETE" && one.status != "DELETE_SKIPPED");
        let plan = there.map(|resource| DeletionPlan {
            retained: retain.contains(&resource.logical_id) || retained(resource.deletion, undoes_creation),
            resource: resource.clone(),
            replaced: false,
        });
        // Resources of an update that could not be rolled back.
        let replaced = stack.replaced.iter().map(|resource| DeletionPlan {
            retained: retained(resource.replacement, resource.given_up),
            resource: resource.clone(),
            replaced: true,
        });
        let Some(failed) = self.delete_all(&stack.id, plan.chain(replaced).collect(), false, halt).await else {
            return;
        };
        if failed.is_empty() && verb == "DELETE" {
            lock(&self.state).change_sets.retain(|set| set.stack_id != stack.id);
        }
        self.conclude(stack, |stack| {
            stack.work = None;
            if failed.is_empty() {
                if verb == "DELETE" {
                    stack.deleted = Some(now());
                    stack.outputs.clear();
                }
                stack.set_status(&format!("{verb}_COMPLETE"), None);
            } else {
                let reason = format!("The following resource(s) failed to delete: [{}].", failed.join(", "));
                stack.set_status(&format!("{verb}_FAILED"), Some(&reason));
            }
        });
    }

    /// Ends an update: deletes replaced resources and those not in the goal.
    pub(super) async fn clean_up(
        self: &Arc<Self>,
        stack: &Stack,
        way: Direction,
        status: &str,
        halt: &CancellationToken,
    ) {
        let Some(now) = self.copy(&stack.id) else { return };
        let bound = match self.bound(&now.goal, &now) {
            Ok(bound) => bound,
            // Unexpected: the template was bound before.
            Err(error) => {
                return self.conclude(stack, |stack| {
                    stack.work = None;
                    stack.set_status("UPDATE_FAILED", Some(&error.to_string()));
                });
            }
        };
        let wanted: BTreeSet<&str> = bound.resources().iter().map(|wanted| wanted.logical_id.as_str()).collect();
        let replaced = now.replaced.iter().map(|resource| DeletionPlan {
            retained: match resource.given_up {
                true => retained(resource.deletion, true),
                false => resource.replacement != Policy::Delete,
            },
            resource: resource.clone(),
            replaced: true,
        });
        let removed = now.resources.iter().filter(|resource| !wanted.contains(resource.logical_id.as_str()));
        let removed = removed.map(|resource| DeletionPlan {
            // In a rollback the update has created it.
            retained: retained(resource.deletion, way == Direction::Rollback),
            resource: resource.clone(),
            replaced: false,
        });
        let Some(failed) = self.delete_all(&stack.id, replaced.chain(removed).collect(), true, halt).await else {
            return;
        };
        self.conclude(stack, |stack| {
            stack.replaced.clear();
            stack.resources.retain(|resource| wanted.contains(resource.logical_id.as_str()));
            stack.work = None;
            let reason = "Update successful. One or more resources could not be deleted.";
            stack.set_status(status, (!failed.is_empty()).then_some(reason));
        });
    }

    /// Deletes resources and returns the names of those that failed; nothing if it was stopped. The dependencies of a failed
    /// one remain, unless `all` are tried.
    async fn delete_all(
        self: &Arc<Self>,
        id: &str,
        mut left: Vec<DeletionPlan>,
        all: bool,
        halt: &CancellationToken,
    ) -> Option<Vec<String>> {
        let stop = Stop::child_of(halt);
        let (mut started, mut failed) = (BTreeSet::new(), Vec::new());
        let mut running = FuturesUnordered::new();
        let key = |plan: &DeletionPlan| (plan.resource.logical_id.clone(), plan.resource.physical_id.clone());
        loop {
            for plan in &left {
                let needed = |other: &DeletionPlan| other.resource.depends_on.contains(&plan.resource.logical_id);
                if left.iter().any(needed) || !started.insert(key(plan)) {
                    continue;
                }
                let (this, stop, plan) = (self.clone(), stop.clone(), plan.clone());
                running.push(async move { (this.delete_one(id, &plan, &stop).await, plan) });
            }
            match running.next().await {
                None => break,
                Some((Some(deleted), plan)) => {
                    if !deleted {
                        failed.push(plan.resource.logical_id.clone());
                    }
                    if deleted || all {
                        left.retain(|other| key(other) != key(&plan));
                    }
                }
                Some((None, _)) => {}
            }
        }
        (!halt.is_cancelled()).then_some(failed)
    }

    /// Deletes a resource. Returns whether it is deleted or retained; nothing if it was stopped.
    async fn delete_one(&self, id: &str, plan: &DeletionPlan, stop: &Stop) -> Option<bool> {
        let resource = &plan.resource;
        if plan.retained && resource.exists {
            self.report_deletion(id, plan, "DELETE_SKIPPED", None);
            return Some(true);
        }
        if !resource.exists && resource.pending.is_none() {
            self.report_deletion(id, plan, "DELETE_COMPLETE", None);
            return Some(true);
        }
        if resource.status != "DELETE_IN_PROGRESS" {
            self.report_deletion(id, plan, "DELETE_IN_PROGRESS", None);
        }
        match self.remove(id, resource, stop).await {
            Ok(()) => {
                self.report_deletion(id, plan, "DELETE_COMPLETE", None);
                Some(true)
            }
            Err(HandlerError::Stopped) => None,
            Err(HandlerError::Failed(reason)) => {
                self.report_deletion(id, plan, "DELETE_FAILED", Some(&reason));
                Some(false)
            }
        }
    }

    async fn remove(&self, id: &str, resource: &Resource, stop: &Stop) -> Result<(), HandlerError> {
        let Some(stack) = self.copy(id) else { return Ok(()) };
        let kind = known(&resource.type_name)?;
        let name = &resource.logical_id;
        if let Some(started) = resource.pending.as_ref().filter(|pending| pending.creates) {
            self.delete_begun(&stack, name, kind, started, stop).await?;
        }
        if !resource.exists {
            return Ok(());
        }
        let context = self.handler_context(&stack, name, "", &resource.tags, stop);
        let deleted = kind.provider.delete(&context, &resource.created(), &resource.properties).await;
        match (&deleted, resource.pending.as_ref().filter(|pending| !pending.creates)) {
            // It may have parts of an unfinished change.
            (Err(HandlerError::Failed(_)), Some(started)) => {
                kind.provider.delete(&context, &resource.created(), &started.properties).await
            }
            _ => deleted,
        }
    }

    /// Records the status of a deletion. Replaced resources are not in the stack's list and have events only.
    fn report_deletion(&self, id: &str, plan: &DeletionPlan, status: &str, reason: Option<&str>) {
        let is_deleted = matches!(status, "DELETE_COMPLETE" | "DELETE_SKIPPED");
        self.change(id, |stack| {
            let DeletionPlan { resource, replaced, .. } = plan;
            if !replaced {
                if let Some(own) = stack.resource(&resource.logical_id)
                    && is_deleted
                {
                    own.exists = false;
                    own.pending = None;
                }
                return stack.set_resource_status(&resource.logical_id, status, reason);
            }
            let mut event = resource.clone();
            status.clone_into(&mut event.status);
            event.reason = reason.map(str::to_owned);
            stack.emit_resource_event(&event, None);
            if is_deleted {
                stack.replaced.retain(|other| other.physical_id != resource.physical_id);
            }
        });
    }
}

/// Whether a resource is retained; `undone` if its creation is rolled back.
fn retained(policy: Policy, undone: bool) -> bool {
    match policy {
        Policy::Delete => false,
        Policy::Retain => true,
        Policy::RetainExceptOnCreate => !undone,
    }
}
