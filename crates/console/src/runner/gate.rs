//! [`ConsoleGate`]: holds steps until the console's user lets them go.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use thumbctl_core::engine::{Gate, Passage};
use thumbctl_core::plan::{Step, StepId};
use tokio::sync::{Notify, mpsc};

use super::effect_handler::RunnerEvent;
use crate::message::{Message, RunMode};

/// Holds steps until the console's user lets them go.
#[derive(Debug)]
pub(super) struct ConsoleGate {
    state: Mutex<GateState>,
    changed: Notify,
    sender: mpsc::Sender<RunnerEvent>,
    /// Steps that have nothing to do and so are not asked about.
    completed: BTreeSet<StepId>,
}

#[derive(Debug)]
struct GateState {
    mode: RunMode,
    /// How many steps may still pass while the gate is closed.
    passes: usize,
}

impl ConsoleGate {
    /// A gate that lets so many steps pass before it closes, if it is to hold any.
    pub(super) fn new(
        mode: RunMode,
        passes: usize,
        completed: BTreeSet<StepId>,
        sender: mpsc::Sender<RunnerEvent>,
    ) -> Arc<Self> {
        let state = Mutex::new(GateState { mode, passes });
        Arc::new(Self { state, changed: Notify::new(), sender, completed })
    }

    /// Lets one more step pass.
    pub(super) fn release_step(&self) {
        self.change(|state| state.passes += 1);
    }

    /// Opens or closes the gate.
    pub(super) fn set_mode(&self, mode: RunMode) {
        self.change(|state| *state = GateState { mode, passes: 0 });
    }

    fn change(&self, change: impl FnOnce(&mut GateState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_waiters();
    }

    /// Takes a pass, if there is one.
    fn may_pass(&self, step: &Step) -> bool {
        if self.completed.contains(&step.id) {
            return true;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (state.mode, state.passes) {
            (RunMode::Through, _) => true,
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
    async fn pass(&self, step: &Step) -> Passage {
        let mut reported = false;
        loop {
            // Listened to before it is looked at, so that no change falls between.
            let changed = self.changed.notified();
            if self.may_pass(step) {
                return Passage::Go;
            }
            if !reported {
                reported = true;
                if self.sender.send(RunnerEvent::Message(Message::Held(step.id.clone()))).await.is_err() {
                    return Passage::Stop;
                }
            }
            changed.await;
        }
    }

    fn parallelism(&self, most: NonZeroUsize) -> NonZeroUsize {
        match self.state.lock().unwrap_or_else(PoisonError::into_inner).mode {
            RunMode::Through => most,
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
    async fn a_closed_gate_tells_what_it_holds_and_lets_one_go_at_a_time() {
        let (sender, mut receiver) = mpsc::channel(8);
        let gate = ConsoleGate::new(RunMode::StepByStep, 1, BTreeSet::from(["free".into()]), sender);
        assert_eq!(gate.pass(&step("first")).await, Passage::Go);
        assert_eq!(gate.pass(&step("free")).await, Passage::Go);
        let (second, third) = (step("second"), step("third"));
        let (passage, ()) = tokio::join!(gate.pass(&second), async {
            let held = receiver.recv().await;
            assert!(matches!(held, Some(RunnerEvent::Message(Message::Held(id))) if id.as_str() == "second"));
            gate.release_step();
        });
        assert_eq!(passage, Passage::Go);
        let (passage, ()) = tokio::join!(gate.pass(&third), async {
            receiver.recv().await.expect("it is held");
            gate.set_mode(RunMode::Through);
        });
        assert_eq!(passage, Passage::Go);
        assert_eq!(gate.pass(&step("fourth")).await, Passage::Go);
    }

    #[tokio::test]
    async fn step_by_step_is_one_after_another() {
        let (sender, _heard) = mpsc::channel(8);
        let most = NonZeroUsize::new(8).expect("eight is not zero");
        let gate = ConsoleGate::new(RunMode::StepByStep, 1, BTreeSet::new(), sender);
        assert_eq!(gate.parallelism(most).get(), 1);
        let ((), ()) = tokio::join!(gate.changed(), async { gate.set_mode(RunMode::Through) });
        assert_eq!(gate.parallelism(most).get(), 8);
    }

    #[tokio::test]
    async fn a_gate_that_nobody_listens_to_stops() {
        let (sender, receiver) = mpsc::channel(8);
        drop(receiver);
        let gate = ConsoleGate::new(RunMode::StepByStep, 0, BTreeSet::new(), sender);
        assert_eq!(gate.pass(&step("a")).await, Passage::Stop);
    }
}
