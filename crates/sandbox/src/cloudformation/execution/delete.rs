//! Deleting resources: those first on which no other depends, side by side.

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

/// A resource that is to go.
#[derive(Clone)]
struct DeletionPlan {
    resource: Resource,
    /// Another has taken its place in the stack.
    replaced: bool,
    /// It leaves the stack, and stays.
    stays: bool,
}

impl CloudFormation {
    /// Deletes a stack's resources, for good or because its creation has failed.
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
            stays: retain.contains(&resource.logical_id) || stays(resource.deletion, undoes_creation),
            resource: resource.clone(),
            replaced: false,
        });
        // What an update has left that could not be rolled back either.
        let replaced = stack.replaced.iter().map(|resource| DeletionPlan {
            stays: stays(resource.replacement, resource.given_up),
            resource: resource.clone(),
            replaced: true,
        });
        let Some(failed) = self.take_down(&stack.id, plan.chain(replaced).collect(), false, halt).await else {
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
                stack.turn(&format!("{verb}_COMPLETE"), None);
            } else {
                let reason = format!("The following resource(s) failed to delete: [{}].", failed.join(", "));
                stack.turn(&format!("{verb}_FAILED"), Some(&reason));
            }
        });
    }

    /// Ends an update: what was replaced goes, and what the goal no longer has.
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
            // It was bound a moment ago.
            Err(error) => {
                return self.conclude(stack, |stack| {
                    stack.work = None;
                    stack.turn("UPDATE_FAILED", Some(&error.to_string()));
                });
            }
        };
        let wanted: BTreeSet<&str> = bound.resources().iter().map(|wanted| wanted.logical_id.as_str()).collect();
        let replaced = now.replaced.iter().map(|resource| DeletionPlan {
            stays: match resource.given_up {
                true => stays(resource.deletion, true),
                false => resource.replacement != Policy::Delete,
            },
            resource: resource.clone(),
            replaced: true,
        });
        let gone = now.resources.iter().filter(|resource| !wanted.contains(resource.logical_id.as_str()));
        let gone = gone.map(|resource| DeletionPlan {
            // In a rollback it is one that the update has made.
            stays: stays(resource.deletion, way == Direction::Rollback),
            resource: resource.clone(),
            replaced: false,
        });
        let Some(failed) = self.take_down(&stack.id, replaced.chain(gone).collect(), true, halt).await else {
            return;
        };
        self.conclude(stack, |stack| {
            stack.replaced.clear();
            stack.resources.retain(|resource| wanted.contains(resource.logical_id.as_str()));
            stack.work = None;
            let reason = "Update successful. One or more resources could not be deleted.";
            stack.turn(status, (!failed.is_empty()).then_some(reason));
        });
    }

    /// Deletes; the names of those that could not be. What depends on one of these stays as well, unless `all` are to be
    /// tried. Nothing if it was stopped.
    async fn take_down(
        self: &Arc<Self>,
        id: &str,
        mut left: Vec<DeletionPlan>,
        all: bool,
        halt: &CancellationToken,
    ) -> Option<Vec<String>> {
        let stop = Stop::child_of(halt);
        let (mut begun, mut failed) = (BTreeSet::new(), Vec::new());
        let mut running = FuturesUnordered::new();
        let key = |plan: &DeletionPlan| (plan.resource.logical_id.clone(), plan.resource.physical_id.clone());
        loop {
            for plan in &left {
                let needed = |other: &DeletionPlan| other.resource.depends_on.contains(&plan.resource.logical_id);
                if left.iter().any(needed) || !begun.insert(key(plan)) {
                    continue;
                }
                let (this, stop, plan) = (self.clone(), stop.clone(), plan.clone());
                running.push(async move { (this.take_one_down(id, &plan, &stop).await, plan) });
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

    /// Whether it is gone, or stays as it should; nothing if it was stopped.
    async fn take_one_down(&self, id: &str, plan: &DeletionPlan, stop: &Stop) -> Option<bool> {
        let resource = &plan.resource;
        if plan.stays && resource.there {
            self.tell_of(id, plan, "DELETE_SKIPPED", None);
            return Some(true);
        }
        if !resource.there && resource.making.is_none() {
            self.tell_of(id, plan, "DELETE_COMPLETE", None);
            return Some(true);
        }
        if resource.status != "DELETE_IN_PROGRESS" {
            self.tell_of(id, plan, "DELETE_IN_PROGRESS", None);
        }
        match self.remove(id, resource, stop).await {
            Ok(()) => {
                self.tell_of(id, plan, "DELETE_COMPLETE", None);
                Some(true)
            }
            Err(HandlerError::Stopped) => None,
            Err(HandlerError::Failed(reason)) => {
                self.tell_of(id, plan, "DELETE_FAILED", Some(&reason));
                Some(false)
            }
        }
    }

    async fn remove(&self, id: &str, resource: &Resource, stop: &Stop) -> Result<(), HandlerError> {
        let Some(stack) = self.copy(id) else { return Ok(()) };
        let kind = known(&resource.type_name)?;
        let name = &resource.logical_id;
        if let Some(begun) = resource.making.as_ref().filter(|making| making.anew) {
            self.delete_begun(&stack, name, kind, begun, stop).await?;
        }
        if !resource.there {
            return Ok(());
        }
        let place = self.place(&stack, name, "", &resource.tags, stop);
        let deleted = kind.provider.delete(&place, &resource.made(), &resource.properties).await;
        match (&deleted, resource.making.as_ref().filter(|making| !making.anew)) {
            // It may have something on it already of a change that was not finished.
            (Err(HandlerError::Failed(_)), Some(begun)) => {
                kind.provider.delete(&place, &resource.made(), &begun.properties).await
            }
            _ => deleted,
        }
    }

    /// Says what became of one. One that was replaced is no longer in the stack's list, and has its events all the same.
    fn tell_of(&self, id: &str, plan: &DeletionPlan, status: &str, reason: Option<&str>) {
        let is_gone = matches!(status, "DELETE_COMPLETE" | "DELETE_SKIPPED");
        self.change(id, |stack| {
            let DeletionPlan { resource, replaced, .. } = plan;
            if !replaced {
                if let Some(own) = stack.resource(&resource.logical_id)
                    && is_gone
                {
                    own.there = false;
                    own.making = None;
                }
                return stack.turn_resource(&resource.logical_id, status, reason);
            }
            let mut said = resource.clone();
            status.clone_into(&mut said.status);
            said.reason = reason.map(str::to_owned);
            stack.tell(&said, None);
            if is_gone {
                stack.replaced.retain(|other| other.physical_id != resource.physical_id);
            }
        });
    }
}

/// Whether a resource stays; `undone` if what has made it is rolled back.
fn stays(policy: Policy, undone: bool) -> bool {
    match policy {
        Policy::Delete => false,
        Policy::Retain => true,
        Policy::RetainExceptOnCreate => !undone,
    }
}
