//! [`ConsoleGate`]: holds steps until the user releases them.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use thumbctl_core::engine::{Gate, GateDecision};
use thumbctl_core::plan::{Step, StepId};
use tokio::sync::{Notify, mpsc};

use super::effect_handler::RunnerEvent;
use crate::message::{Message, RunMode};

/// Holds steps until the user releases them.
#[derive(Debug)]
pub(super) struct ConsoleGate {
    state: Mutex<GateState>,
    changed: Notify,
    sender: mpsc::Sender<RunnerEvent>,
    /// Completed steps, which are never held.
    completed: BTreeSet<StepId>,
}

#[derive(Debug)]
struct GateState {
    mode: RunMode,
    /// The number of steps to release.
    passes: usize,
}

impl ConsoleGate {
    /// Creates a gate that releases a number of steps first, in step mode.
    pub(super) fn new(
        mode: RunMode,
        passes: usize,
        completed: BTreeSet<StepId>,
        sender: mpsc::Sender<RunnerEvent>,
    ) -> Arc<Self> {
        let state = Mutex::new(GateState { mode, passes });
        Arc::new(Self { state, changed: Notify::new(), sender, completed })
    }

    /// Releases one step.
    pub(super) fn release_step(&self) {
        self.change(|state| state.passes += 1);
    }

    /// Sets the run mode.
    pub(super) fn set_mode(&self, mode: RunMode) {
        self.change(|state| *state = GateState { mode, passes: 0 });
    }

    fn change(&self, change: impl FnOnce(&mut GateState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_waiters();
    }

    /// Whether a step may pass; uses up a release.
    fn may_pass(&self, step: &Step) -> bool {
        if self.completed.contains(&step.id) {
            return true;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (state.mode, state.passes) {
            (RunMode::Continuous, _) => true,
            (RunMode::StepByStep, 0) => false,
            (RunMode::StepByStep, _) => {
                state.passes -= 1;
                true
            }
        }
    }
}

#[async_trait]
impl Gate for ConsoleGate {
    async fn pass(&self, step: &Step) -> GateDecision {
        let mut reported = false;
        loop {
            // Subscribed before the check, so that no change is missed.
            let changed = self.changed.notified();
            if self.may_pass(step) {
                return GateDecision::Start;
            }
            if !reported {
                reported = true;
                if self.sender.send(RunnerEvent::Message(Message::Held(step.id.clone()))).await.is_err() {
                    return GateDecision::Stop;
                }
            }
            changed.await;
        }
    }

    fn parallelism(&self, most: NonZeroUsize) -> NonZeroUsize {
        match self.state.lock().unwrap_or_else(PoisonError::into_inner).mode {
            RunMode::Continuous => most,
            RunMode::StepByStep => NonZeroUsize::MIN,
        }
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(id: &str) -> Step {
        Step::new(id, id, "")
    }

    #[tokio::test]
    async fn gate_reports_held_step_and_releases_one_at_a_time() {
        let (sender, mut receiver) = mpsc::channel(8);
        let gate = ConsoleGate::new(RunMode::StepByStep, 1, BTreeSet::from(["free".into()]), sender);
        assert_eq!(gate.pass(&step("first")).await, GateDecision::Start);
        assert_eq!(gate.pass(&step("free")).await, GateDecision::Start);
        let (second, third) = (step("second"), step("third"));
        let (passage, ()) = tokio::join!(gate.pass(&second), async {
            let held = receiver.recv().await;
            assert!(matches!(held, Some(RunnerEvent::Message(Message::Held(id))) if id.as_str() == "second"));
            gate.release_step();
        });
        assert_eq!(passage, GateDecision::Start);
        let (passage, ()) = tokio::join!(gate.pass(&third), async {
            receiver.recv().await.expect("it is held");
            gate.set_mode(RunMode::Continuous);
        });
        assert_eq!(passage, GateDecision::Start);
        assert_eq!(gate.pass(&step("fourth")).await, GateDecision::Start);
    }

    #[tokio::test]
    async fn step_mode_has_no_parallelism() {
        let (sender, _receiver) = mpsc::channel(8);
        let most = NonZeroUsize::new(8).expect("eight is not zero");
        let gate = ConsoleGate::new(RunMode::StepByStep, 1, BTreeSet::new(), sender);
        assert_eq!(gate.parallelism(most).get(), 1);
        let ((), ()) = tokio::join!(gate.changed(), async { gate.set_mode(RunMode::Continuous) });
        assert_eq!(gate.parallelism(most).get(), 8);
    }

    #[tokio::test]
    async fn gate_stops_when_channel_is_closed() {
        let (sender, receiver) = mpsc::channel(8);
        drop(receiver);
        let gate = ConsoleGate::new(RunMode::StepByStep, 0, BTreeSet::new(), sender);
        assert_eq!(gate.pass(&step("a")).await, GateDecision::Stop);
    }
}
