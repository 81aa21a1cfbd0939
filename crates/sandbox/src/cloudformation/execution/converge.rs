//! Creating and updating all resources of a stack in parallel, as their dependencies allow.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::cloudformation::resource_types::{HandlerError, Stop};
use crate::cloudformation::service::CloudFormation;
use crate::cloudformation::state::{Goal, Stack, State};
use crate::cloudformation::template::{Bound, Template, TemplateError};
use crate::sync::lock;

/// The direction of an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    /// To the state before a failed update.
    Rollback,
}

/// The result of [`CloudFormation::converge`].
pub(super) enum Convergence {
    Reached,
    Failed(String),
    /// The step was stopped and emits nothing.
    Halted,
}

/// The goal of a stack's resources.
pub(super) struct Target {
    pub id: String,
    pub bound: Bound,
    pub tags: Vec<(String, String)>,
    pub way: Direction,
    pub stop: Stop,
}

/// The progress of a resource.
pub(super) enum Phase {
    /// It is configured; `early` if its dependents can start.
    Configured {
        name: String,
        early: bool,
    },
    Complete {
        name: String,
    },
    /// The failed operation: `CREATE` or `UPDATE`.
    Failed {
        name: String,
        verb: &'static str,
    },
    Halted,
}

impl CloudFormation {
    /// The template of a goal, bound to its parameters.
    pub(in super::super) fn bound(&self, goal: &Goal, stack: &Stack) -> Result<Bound, TemplateError> {
        Template::from_document(goal.processed.clone())?.bind(goal.values.clone(), self.pseudo(stack))
    }

    pub(super) async fn converge(
        self: &Arc<Self>,
        stack: &Stack,
        goal: &Goal,
        way: Direction,
        halt: &CancellationToken,
    ) -> Convergence {
        let bound = match self.bound(goal, stack) {
            Ok(bound) => bound,
            Err(error) => return Convergence::Failed(error.to_string()),
        };
        let (id, tags, stop) = (stack.id.clone(), goal.tags.clone(), Stop::child_of(halt));
        let target = Arc::new(Target { id, bound, tags, way, stop });
        let all = target.bound.resources();
        let (mut started, mut ready, mut configured) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (mut complete, mut failed, mut reported) = (0, Vec::new(), stack.detail.is_some());
        let mut running: FuturesUnordered<BoxFuture<'static, Phase>> = FuturesUnordered::new();
        loop {
            for resource in all.iter().filter(|_| !target.stop.cancel.is_cancelled()) {
                if resource.depends_on.is_subset(&ready) && started.insert(resource.logical_id.clone()) {
                    running.push(self.guarded(&target, &resource.logical_id, Self::configure_resource));
                }
            }
            match running.next().await {
                None => break,
                Some(Phase::Configured { name, early }) => {
                    running.push(self.guarded(&target, &name, Self::stabilise_resource));
                    if early {
                        ready.insert(name.clone());
                        configured.insert(name);
                    }
                }
                Some(Phase::Complete { name }) => {
                    complete += 1;
                    ready.insert(name.clone());
                    configured.insert(name);
                }
                Some(Phase::Failed { name, verb }) => {
                    failed.push((name, verb));
                    target.stop.cancel.cancel();
                }
                Some(Phase::Halted) => {}
            }
            if failed.is_empty() && !reported && configured.len() == all.len() && complete < all.len() {
                reported = true;
                self.conclude(stack, Stack::set_configured);
            }
        }
        if halt.is_cancelled() {
            return Convergence::Halted;
        }
        if !failed.is_empty() {
            return Convergence::Failed(reason(&failed));
        }
        match self.outputs(&target) {
            Ok(outputs) => {
                self.change(&stack.id, |stack| stack.outputs = outputs);
                Convergence::Reached
            }
            Err(reason) => Convergence::Failed(reason),
        }
    }

    /// Runs the work on a resource. A panic fails the resource instead of the stack's task.
    fn guarded<F: Future<Output = Phase> + Send + 'static>(
        self: &Arc<Self>,
        target: &Arc<Target>,
        name: &str,
        work: impl FnOnce(Arc<Self>, Arc<Target>, String) -> F,
    ) -> BoxFuture<'static, Phase> {
        let work = AssertUnwindSafe(work(self.clone(), target.clone(), name.to_owned())).catch_unwind();
        let (this, target, name) = (self.clone(), target.clone(), name.to_owned());
        let failure =
            |_: Box<dyn Any + Send>| HandlerError::Failed("The sandbox has a bug: this created it panic.".to_owned());
        async move { work.await.unwrap_or_else(|panic| this.fail(&target, &name, failure(panic))) }.boxed()
    }

    /// The stack's outputs; an error if another stack exports a name already.
    fn outputs(&self, target: &Target) -> Result<Vec<Value>, String> {
        let Some(stack) = self.copy(&target.id) else { return Ok(Vec::new()) };
        let outputs = target.bound.outputs(&stack.resources).map_err(|error| error.to_string())?;
        let state = lock(&self.state);
        for name in outputs.iter().filter_map(|output| output.export_name.as_deref()) {
            if let Some(other) = exporter(&state, &stack, name) {
                return Err(format!("Export with name {name} is already exported by stack {other}."));
            }
        }
        let shown = outputs.into_iter().map(|output| {
            json!({
                "OutputKey": output.key, "OutputValue": output.value, "Description": output.description,
                "ExportName": output.export_name,
            })
        });
        Ok(shown.collect())
    }
}

/// The other stack that exports a name.
fn exporter<'a>(state: &'a State, own: &Stack, name: &str) -> Option<&'a str> {
    let exports = |stack: &Stack| stack.outputs.iter().any(|output| output["ExportName"] == name);
    let others = state.stacks.iter().filter(|other| {
        other.id != own.id && other.region == own.region && other.status != "DELETE_COMPLETE" && exports(other)
    });
    others.map(|other| other.name.as_str()).next()
}

/// `The following resource(s) failed to create: [A, B].`, and the same for updates.
fn reason(failed: &[(String, &'static str)]) -> String {
    let of = |operation: &str, word: &str| {
        let names: Vec<_> =
            failed.iter().filter(|(_, verb)| *verb == operation).map(|(name, _)| name.as_str()).collect();
        let reason = format!("The following resource(s) failed to {word}: [{}].", names.join(", "));
        (!names.is_empty()).then_some(reason)
    };
    [of("CREATE", "create"), of("UPDATE", "update")].into_iter().flatten().collect::<Vec<_>>().join(" ")
}
