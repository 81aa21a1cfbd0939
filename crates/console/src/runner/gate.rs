//! [`ConsoleGate`]: holds steps until the console's user lets them go.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use thumbctl_core::engine::{Gate, GateDecision};
use thumbctl_core::plan::{Step, StepId};
use tokio::sync::{Notify, mpsc};

use super::desk::Note;
use crate::message::{Message, Pace};

/// Holds steps until the console's user lets them go.
#[derive(Debug)]
pub(super) struct ConsoleGate {
    state: Mutex<State>,
    changed: Notify,
    notes: mpsc::Sender<Note>,
    /// Steps that have nothing to do and so are not asked about.
    free: BTreeSet<StepId>,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    /// How many steps may still pass while the gate is closed.
    passes: usize,
}

impl ConsoleGate {
    /// A gate that lets so many steps pass before it closes, if it is to hold any.
    pub(super) fn new(pace: Pace, passes: usize, free: BTreeSet<StepId>, notes: mpsc::Sender<Note>) -> Arc<Self> {
        let state = Mutex::new(State { pace, passes });
        Arc::new(Self { state, changed: Notify::new(), notes, free })
    }

    /// Lets one more step pass.
    pub(super) fn pass_one(&self) {
        self.change(|state| state.passes += 1);
    }

    /// Opens or closes the gate.
    pub(super) fn set_pace(&self, pace: Pace) {
        self.change(|state| *state = State { pace, passes: 0 });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_waiters();
    }

    /// Takes a pass, if there is one.
    fn may_pass(&self, step: &Step) -> bool {
        if self.free.contains(&step.id) {
            return true;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (state.pace, state.passes) {
            (Pace::Through, _) => true,
            (Pace::Stepwise, 0) => false,
            (Pace::Stepwise, _) => {
                state.passes -= 1;
                true
            }
        }
    }
}

#[async_trait]
impl Gate for ConsoleGate {
    async fn pass(&self, step: &Step) -> GateDecision {
        let mut told = false;
        loop {
            // Listened to before it is looked at, so that no change falls between.
            let changed = self.changed.notified();
            if self.may_pass(step) {
                return GateDecision::Start;
            }
            if !told {
                told = true;
                if self.notes.send(Note::Message(Message::Held(step.id.clone()))).await.is_err() {
                    return GateDecision::Stop;
                }
            }
            changed.await;
        }
    }

    fn parallelism(&self, most: NonZeroUsize) -> NonZeroUsize {
        match self.state.lock().unwrap_or_else(PoisonError::into_inner).pace {
            Pace::Through => most,
            Pace::Stepwise => NonZeroUsize::MIN,
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
        let (notes, mut heard) = mpsc::channel(8);
        let gate = ConsoleGate::new(Pace::Stepwise, 1, BTreeSet::from(["free".into()]), notes);
        assert_eq!(gate.pass(&step("first")).await, GateDecision::Start);
        assert_eq!(gate.pass(&step("free")).await, GateDecision::Start);
        let (second, third) = (step("second"), step("third"));
        let (passage, ()) = tokio::join!(gate.pass(&second), async {
            let held = heard.recv().await;
            assert!(matches!(held, Some(Note::Message(Message::Held(id))) if id.as_str() == "second"));
            gate.pass_one();
        });
        assert_eq!(passage, GateDecision::Start);
        let (passage, ()) = tokio::join!(gate.pass(&third), async {
            heard.recv().await.expect("it is held");
            gate.set_pace(Pace::Through);
        });
        assert_eq!(passage, GateDecision::Start);
        assert_eq!(gate.pass(&step("fourth")).await, GateDecision::Start);
    }

    #[tokio::test]
    async fn step_by_step_is_one_after_another() {
        let (notes, _heard) = mpsc::channel(8);
        let most = NonZeroUsize::new(8).expect("eight is not zero");
        let gate = ConsoleGate::new(Pace::Stepwise, 1, BTreeSet::new(), notes);
        assert_eq!(gate.parallelism(most).get(), 1);
        let ((), ()) = tokio::join!(gate.changed(), async { gate.set_pace(Pace::Through) });
        assert_eq!(gate.parallelism(most).get(), 8);
    }

    #[tokio::test]
    async fn a_gate_that_nobody_listens_to_stops() {
        let (notes, heard) = mpsc::channel(8);
        drop(heard);
        let gate = ConsoleGate::new(Pace::Stepwise, 0, BTreeSet::new(), notes);
        assert_eq!(gate.pass(&step("a")).await, GateDecision::Stop);
    }
}
