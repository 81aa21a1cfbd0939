//! Execution of stack operations: one task per stack, which runs steps until none is left. Changes are saved before and after
//! each call, so that a restarted sandbox can resume.

mod apply;
mod converge;
mod delete;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::service::CloudFormation;
use super::state::{Goal, Stack, Work};
use crate::sync::lock;
use converge::{Convergence, Direction};

/// The time that running calls have to finish when the sandbox ends.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// The running tasks.
#[derive(Default)]
pub(super) struct StackWorkers {
    closing: CancellationToken,
    stacks: HashMap<String, Worker>,
    change_sets: JoinSet<()>,
}

/// The task of a stack.
struct Worker {
    /// Stops the current step.
    halt: CancellationToken,
    task: JoinHandle<()>,
}

impl CloudFormation {
    /// Starts the task of a stack, unless it is running.
    pub(super) fn begin(&self, id: &str) {
        let Some(this) = self.this() else { return };
        let mut running = lock(&self.running);
        if !running.closing.is_cancelled() && !running.stacks.contains_key(id) {
            // The task waits for the lock held here, and so finds its entry.
            let task = tokio::spawn(this.work(id.to_owned()));
            running.stacks.insert(id.to_owned(), Worker { halt: CancellationToken::new(), task });
        }
    }

    /// Interrupts the current step of a stack, whose next one is set.
    pub(super) fn interrupt(&self, id: &str) {
        if let Some(worker) = lock(&self.running).stacks.get(id) {
            worker.halt.cancel();
        }
        self.begin(id);
    }

    /// Evaluates a change set in a task.
    pub(super) fn begin_change_set(&self, id: &str) {
        let Some(this) = self.this() else { return };
        let mut running = lock(&self.running);
        while running.change_sets.try_join_next().is_some() {}
        if !running.closing.is_cancelled() {
            running.change_sets.spawn(this.evaluate(id.to_owned()));
        }
    }

    /// Stops all tasks and waits for them, so that none calls a service of an ended instance. The next instance resumes them.
    pub(crate) async fn close(&self) {
        let (workers, mut change_sets) = {
            let mut running = lock(&self.running);
            running.closing.cancel();
            (std::mem::take(&mut running.stacks), std::mem::take(&mut running.change_sets))
        };
        change_sets.shutdown().await;
        let deadline = tokio::time::Instant::now() + SHUTDOWN_TIMEOUT;
        for mut worker in workers.into_values() {
            // Only a call that does not end is aborted. The panic hook has printed panics.
            if tokio::time::timeout_at(deadline, &mut worker.task).await.is_err() {
                worker.task.abort();
                let _ = worker.task.await;
            }
        }
    }

    /// Resumes after [`Self::close`] in the same instance.
    pub(crate) fn reopen(&self) {
        lock(&self.running).closing = CancellationToken::new();
        self.resume_all();
    }

    /// Resumes all operations.
    pub(super) fn resume_all(&self) {
        let (stacks, sets): (Vec<_>, Vec<_>) = {
            let state = lock(&self.state);
            let pending = state.change_sets.iter().filter(|set| set.is_pending());
            (
                state.stacks.iter().filter(|stack| stack.work.is_some()).map(|stack| stack.id.clone()).collect(),
                pending.map(|set| set.id.clone()).collect(),
            )
        };
        stacks.iter().for_each(|id| self.begin(id));
        sets.iter().for_each(|id| self.begin_change_set(id));
    }

    /// The next step of a stack; nothing ends the task.
    fn next_step(&self, id: &str) -> Option<(Stack, Work, CancellationToken)> {
        let mut running = lock(&self.running);
        let halt = running.closing.child_token();
        let stack = self.copy(id).filter(|_| !halt.is_cancelled());
        let next = stack.and_then(|stack| stack.work.clone().map(|work| (stack, work)));
        match (next, running.stacks.get_mut(id)) {
            (Some((stack, work)), Some(worker)) => {
                worker.halt = halt.clone();
                Some((stack, work, halt))
            }
            _ => {
                running.stacks.remove(id);
                None
            }
        }
    }

    async fn work(self: Arc<Self>, id: String) {
        while let Some((stack, work, halt)) = self.next_step(&id) {
            match work {
                Work::Create => self.create(&stack, &halt).await,
                Work::Update { before } => self.update(&stack, *before, &halt).await,
                Work::UpdateRollback { before } => self.roll_update_back(&stack, &before, &halt).await,
                Work::Rollback => self.delete(&stack, &BTreeSet::new(), true, "ROLLBACK", &halt).await,
                Work::Delete { retain, undoes_creation } => {
                    self.delete(&stack, &retain, undoes_creation, "DELETE", &halt).await;
                }
            }
        }
    }

    /// Ends a step, unless the stack has another operation meanwhile.
    fn conclude(&self, stack: &Stack, change: impl FnOnce(&mut Stack)) {
        let same = |now: &Stack| {
            now.work.as_ref().map(std::mem::discriminant) == stack.work.as_ref().map(std::mem::discriminant)
        };
        self.change(&stack.id, |now| {
            if same(now) {
                change(now);
            }
        });
    }

    async fn create(self: &Arc<Self>, stack: &Stack, halt: &CancellationToken) {
        let reason = match self.converge(stack, &stack.goal, Direction::Forward, halt).await {
            Convergence::Halted => return,
            Convergence::Reached => {
                return self.conclude(stack, |stack| {
                    stack.work = None;
                    stack.set_status("CREATE_COMPLETE", None);
                });
            }
            Convergence::Failed(reason) => reason,
        };
        self.conclude(stack, |stack| match stack.on_failure.as_str() {
            "DO_NOTHING" => {
                stack.work = None;
                stack.set_status("CREATE_FAILED", Some(&reason));
            }
            "DELETE" => {
                stack.work = Some(Work::Delete { retain: BTreeSet::new(), undoes_creation: true });
                stack.set_status("DELETE_IN_PROGRESS", Some(&format!("{reason} Delete requested by user.")));
            }
            _ => {
                stack.work = Some(Work::Rollback);
                stack.set_status("ROLLBACK_IN_PROGRESS", Some(&format!("{reason} Rollback requested by user.")));
            }
        });
    }

    async fn update(self: &Arc<Self>, stack: &Stack, before: Goal, halt: &CancellationToken) {
        if !is_cleaning_up(stack) {
            match self.converge(stack, &stack.goal, Direction::Forward, halt).await {
                Convergence::Halted => return,
                Convergence::Reached => {
                    self.conclude(stack, |stack| stack.set_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None));
                }
                Convergence::Failed(reason) => {
                    return self.conclude(stack, |stack| {
                        if stack.on_failure == "DO_NOTHING" {
                            stack.work = None;
                            stack.set_status("UPDATE_FAILED", Some(&reason));
                        } else {
                            stack.work = Some(Work::UpdateRollback { before: Box::new(before) });
                            stack.set_status("UPDATE_ROLLBACK_IN_PROGRESS", Some(&reason));
                        }
                    });
                }
            }
        }
        self.clean_up(stack, Direction::Forward, "UPDATE_COMPLETE", halt).await;
    }

    async fn roll_update_back(self: &Arc<Self>, stack: &Stack, before: &Goal, halt: &CancellationToken) {
        if !is_cleaning_up(stack) {
            match self.converge(stack, before, Direction::Rollback, halt).await {
                Convergence::Halted => return,
                Convergence::Reached => self.conclude(stack, |stack| {
                    stack.goal = before.clone();
                    stack.set_status("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", None);
                }),
                Convergence::Failed(reason) => {
                    return self.conclude(stack, |stack| {
                        stack.work = None;
                        stack.set_status("UPDATE_ROLLBACK_FAILED", Some(&reason));
                    });
                }
            }
        }
        self.clean_up(stack, Direction::Rollback, "UPDATE_ROLLBACK_COMPLETE", halt).await;
    }
}

fn is_cleaning_up(stack: &Stack) -> bool {
    stack.status.ends_with("_CLEANUP_IN_PROGRESS")
}
