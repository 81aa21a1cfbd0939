//! The pool of all functions' processes: warm ones are reused, their number is limited, and none outlives its function.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore, watch};

use super::execution_environment::{ExecutionEnvironment, Invocation, InvocationOutcome, Launcher, TEMPORARY};
use super::function::Function;
use super::internal_caller::InternalCaller;
use super::leftovers::Leftovers;
use super::names::FunctionId;
use crate::latency::LatencySpan;
use crate::storage::tree;
use crate::sync::lock;

/// How long running invocations may take when the sandbox shuts down.
const GRACE_PERIOD: Duration = Duration::from_secs(1);

/// Rule: an initialisation may take 10 s.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib>
pub(crate) const INIT_LIMIT: Duration = Duration::from_secs(10);

/// The limits of the pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolLimits {
    /// The maximum number of processes, busy or idle.
    pub processes: usize,
    /// How long an idle process is kept.
    pub idle: Duration,
    /// How long a function's first initialisation may take.
    pub init: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { processes: (cores * 2).max(2), idle: Duration::from_secs(5 * 60), init: INIT_LIMIT }
    }
}

/// Looks up a function's current record and the path of its unpacked image.
pub(crate) type Lookup<'a> = &'a (dyn Fn() -> Option<(Function, PathBuf)> + Send + Sync);

/// The processes of all functions.
pub(crate) struct Pool {
    internal: Arc<dyn InternalCaller>,
    limits: PoolLimits,
    leftovers: Leftovers,
    slots: Semaphore,
    state: Mutex<PoolState>,
    left: Notify,
}

#[derive(Default)]
struct PoolState {
    /// Ordered by idle time, longest first.
    idle: Vec<IdleEnvironment>,
    working: HashMap<u64, ActiveInvocation>,
    tickets: u64,
}

struct IdleEnvironment {
    environment: ExecutionEnvironment,
    since: Instant,
    ticket: u64,
}

struct ActiveInvocation {
    function: FunctionId,
    stop: watch::Sender<bool>,
}

impl Pool {
    pub(crate) fn new(internal: Arc<dyn InternalCaller>, limits: PoolLimits) -> Arc<Self> {
        let leftovers = Leftovers::of(&internal.directory());
        Arc::new(Self {
            internal,
            limits,
            leftovers,
            slots: Semaphore::new(limits.processes),
            state: Mutex::default(),
            left: Notify::new(),
        })
    }

    /// Kills the processes left by an earlier sandbox, and deletes their temporary files.
    pub(crate) fn clear_leftovers(&self) {
        self.leftovers.reap();
        // Files that cannot be deleted only cost space.
        let _ = tree::remove(&self.internal.directory(), TEMPORARY);
    }

    /// Invokes a function as soon as a slot is free. `lookup` is called then, since the function may have changed.
    pub(crate) async fn invoke(
        self: &Arc<Self>,
        id: &FunctionId,
        invocation: &Invocation,
        lookup: Lookup<'_>,
    ) -> InvocationOutcome {
        let Ok(_slot) = self.slots.acquire().await else {
            return InvocationOutcome::stopped();
        };
        // Register before the lookup, so that a concurrent deletion sees one or the other.
        let (_ticket, mut stop) = self.register(id);
        let Some((function, root)) = lookup() else {
            return InvocationOutcome::stopped();
        };
        let stopped = async move {
            // The sender is dropped with the ticket.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        tokio::pin!(stopped);

        let mut environment = match self.take(&function).await {
            Some(environment) => environment,
            None => {
                self.evict_idle().await;
                self.internal.latencies().wait(LatencySpan::ColdStart).await;
                let launcher = Launcher {
                    internal: self.internal.clone(),
                    root,
                    leftovers: self.leftovers.clone(),
                    init_limit: self.limits.init,
                };
                let start = ExecutionEnvironment::start(launcher, &function, invocation);
                match start.await {
                    Ok(environment) => environment,
                    Err(outcome) => return outcome,
                }
            }
        };
        let arn = id.arn(self.internal.account());
        let outcome = tokio::select! {
            biased;
            () = &mut stopped => None,
            outcome = environment.invoke(&function, &arn, invocation) => Some(outcome),
        };
        let Some(outcome) = outcome else {
            environment.discard().await;
            return InvocationOutcome::stopped();
        };
        match lookup() {
            Some((now, _)) if environment.is_usable(&now.revision) => self.keep_idle(environment),
            Some(_) => environment.retire().await,
            None => environment.discard().await,
        }
        outcome
    }

    fn register(self: &Arc<Self>, function: &FunctionId) -> (InvocationTicket, watch::Receiver<bool>) {
        let (stop, stopped) = watch::channel(false);
        let mut state = lock(&self.state);
        state.tickets += 1;
        let number = state.tickets;
        state.working.insert(number, ActiveInvocation { function: function.clone(), stop });
        (InvocationTicket { pool: self.clone(), number }, stopped)
    }

    /// Takes a warm process of the function's current revision: the last used, which is most likely still in memory.
    async fn take(&self, function: &Function) -> Option<ExecutionEnvironment> {
        let (found, stale) = {
            let mut state = lock(&self.state);
            let mut stale = Vec::new();
            let mut found = None;
            while let Some(at) = state.idle.iter().rposition(|idle| idle.environment.function == function.id) {
                let mut environment = state.idle.remove(at).environment;
                if environment.is_usable(&function.revision) {
                    found = Some(environment);
                    break;
                }
                stale.push(environment);
            }
            (found, stale)
        };
        for environment in stale {
            environment.retire().await;
        }
        found
    }

    /// Ends the longest idle processes while the pool is over its limit.
    async fn evict_idle(&self) {
        loop {
            let surplus = {
                let mut state = lock(&self.state);
                let over = state.idle.len() + state.working.len() > self.limits.processes;
                (over && !state.idle.is_empty()).then(|| state.idle.remove(0).environment)
            };
            match surplus {
                Some(environment) => environment.retire().await,
                None => return,
            }
        }
    }

    fn keep_idle(self: &Arc<Self>, environment: ExecutionEnvironment) {
        let ticket = {
            let mut state = lock(&self.state);
            if self.slots.is_closed() {
                // The pool is closed: dropping the environment kills its process.
                return;
            }
            state.tickets += 1;
            let ticket = state.tickets;
            state.idle.push(IdleEnvironment { environment, since: Instant::now(), ticket });
            ticket
        };
        let idle = self.internal.latencies().scaled(self.limits.idle);
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(idle).await;
            if let Some(pool) = pool.upgrade() {
                pool.remove_idle(|parked| parked.ticket == ticket && parked.since.elapsed() >= idle, false).await;
            }
        });
    }

    /// Ends idle processes of a changed function. Busy ones end after their event.
    pub(crate) async fn refresh(&self, function: &FunctionId) {
        self.remove_idle(|idle| idle.environment.function == *function, false).await;
    }

    /// Ends every process of a deleted function, and returns when all have ended and nothing more is written.
    pub(crate) async fn stop(&self, function: &FunctionId) {
        self.stop_where(|id| id == function).await;
    }

    /// Ends all processes and starts no new ones. Running invocations get [`GRACE_PERIOD`] to finish, so that a command that
    /// exits with its result does not cut off the log.
    pub(crate) async fn shut_down(&self) {
        self.slots.close();
        self.remove_idle(|_| true, false).await;
        // After the grace period, the rest is stopped.
        let _ = tokio::time::timeout(GRACE_PERIOD, self.wait_until_idle()).await;
        self.stop_where(|_| true).await;
    }

    /// Whether the sandbox is shutting down.
    pub(crate) fn is_closed(&self) -> bool {
        self.slots.is_closed()
    }

    /// Waits until no invocation is running.
    async fn wait_until_idle(&self) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if lock(&self.state).working.is_empty() {
                return;
            }
            left.await;
        }
    }

    async fn stop_where(&self, which: impl Fn(&FunctionId) -> bool) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            self.remove_idle(|idle| which(&idle.environment.function), true).await;
            let busy = {
                let state = lock(&self.state);
                let meant: Vec<_> = state.working.values().filter(|working| which(&working.function)).collect();
                for working in &meant {
                    working.stop.send_replace(true);
                }
                meant.len()
            };
            if busy == 0 {
                return;
            }
            left.await;
        }
    }

    async fn remove_idle(&self, which: impl Fn(&IdleEnvironment) -> bool, discard: bool) {
        let removed: Vec<IdleEnvironment> = {
            let mut state = lock(&self.state);
            let (removed, kept) = std::mem::take(&mut state.idle).into_iter().partition(which);
            state.idle = kept;
            removed
        };
        for idle in removed {
            if discard {
                idle.environment.discard().await;
            } else {
                idle.environment.retire().await;
            }
        }
    }

    /// The number of idle processes.
    #[cfg(test)]
    pub(crate) fn idle_count(&self) -> usize {
        lock(&self.state).idle.len()
    }
}

/// Removes an invocation from the pool's list when dropped.
struct InvocationTicket {
    pool: Arc<Pool>,
    number: u64,
}

impl Drop for InvocationTicket {
    fn drop(&mut self) {
        lock(&self.pool.state).working.remove(&self.number);
        self.pool.left.notify_waiters();
    }
}
