//! Step by step: a gate that says what the next step does and why, and asks.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use thumbctl_core::engine::{Gate, GateDecision};
use thumbctl_core::plan::{Step, StepId};
use thumbctl_platform::terminal::{TerminalText, terminal_text};
use thumbctl_platform::text;
use tokio::sync::{mpsc, oneshot};

use super::style::{self, Palette, Role};

/// The gate. It asks through a channel, since the screen belongs to whoever watches the run.
#[derive(Debug)]
pub(crate) struct AskingGate {
    asks: mpsc::Sender<Ask>,
    open: AtomicBool,
}

/// A step that waits for the user.
#[derive(Debug)]
pub(crate) struct Ask {
    step: Step,
    /// Where the answer goes.
    pub(crate) reply: oneshot::Sender<Answer>,
}

/// What the user says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Do this step.
    Go,
    /// Do this one and all others without asking.
    All,
    /// Do no more.
    Stop,
}

impl Answer {
    /// Takes a line that the user typed; none if it is no answer. The end of input is an end of everything.
    pub(crate) fn read(line: Option<&str>) -> Option<Self> {
        match line.map(|line| line.trim().to_lowercase()).as_deref() {
            Some("" | "y" | "yes") => Some(Self::Go),
            Some("a" | "all") => Some(Self::All),
            Some("q" | "quit" | "n" | "no") | None => Some(Self::Stop),
            Some(_) => None,
        }
    }
}

impl AskingGate {
    /// A gate, and where its questions come out.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Ask>) {
        let (asks, questions) = mpsc::channel(1);
        (Self { asks, open: AtomicBool::new(false) }, questions)
    }
}

#[async_trait]
impl Gate for AskingGate {
    async fn pass(&self, step: &Step) -> GateDecision {
        if self.open.load(Ordering::SeqCst) {
            return GateDecision::Start;
        }
        let (reply, answer) = oneshot::channel();
        if self.asks.send(Ask { step: step.clone(), reply }).await.is_err() {
            return GateDecision::Stop;
        }
        match answer.await {
            Ok(Answer::Go) => GateDecision::Start,
            Ok(Answer::All) => {
                self.open.store(true, Ordering::SeqCst);
                GateDecision::Start
            }
            Ok(Answer::Stop) | Err(_) => GateDecision::Stop,
        }
    }
}

impl Ask {
    /// The step that waits.
    pub(crate) fn step(&self) -> &StepId {
        &self.step.id
    }

    /// What is shown: the step, why it is needed, what it calls, what its change set says; the last line is the question.
    pub(crate) fn card(&self, changes: &[String], width: usize, palette: Palette) -> Vec<TerminalText> {
        let room = width.saturating_sub(12).clamp(20, 90);
        let mut lines = vec![TerminalText::default()];
        let title = palette.paint(Role::Strong, &text::cut(&text::clean(&self.step.title), room));
        lines.push(terminal_text!("  {} {}", palette.paint(Role::Busy, style::BEGUN), title));
        for (label, words) in [("why", self.step.why.clone()), ("calls", self.step.calls.join(", "))] {
            for (index, line) in text::wrap(&words, room).into_iter().enumerate() {
                let label = if index == 0 { label } else { "" };
                lines.push(terminal_text!("    {} {}", palette.paint(Role::Quiet, &text::fit(label, 6)), line));
            }
        }
        for (index, change) in changes.iter().enumerate() {
            let label = if index == 0 { "plan" } else { "" };
            let change = text::cut(&text::clean(change), room);
            lines.push(terminal_text!("    {} {}", palette.paint(Role::Quiet, &text::fit(label, 6)), change));
        }
        let keys = palette.paint(Role::Busy, "Enter: do it · a: do all the rest · q: stop");
        lines.push(terminal_text!("    {} {} ", keys, palette.paint(Role::Busy, ">")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enter_goes_on_and_the_end_of_input_stops() {
        assert_eq!(Answer::read(Some("")), Some(Answer::Go));
        assert_eq!(Answer::read(Some(" A ")), Some(Answer::All));
        assert_eq!(Answer::read(Some("q")), Some(Answer::Stop));
        assert_eq!(Answer::read(None), Some(Answer::Stop));
        assert_eq!(Answer::read(Some("what?")), None);
    }

    #[tokio::test]
    async fn after_all_the_gate_asks_no_more() {
        let (gate, mut questions) = AskingGate::new();
        let step = Step::new("a", "A", "");
        let (passage, ()) = tokio::join!(gate.pass(&step), async {
            let ask = questions.recv().await.expect("a question");
            ask.reply.send(Answer::All).expect("the gate waits");
        });
        assert_eq!(passage, GateDecision::Start);
        assert_eq!(gate.pass(&step).await, GateDecision::Start);
    }

    #[tokio::test]
    async fn a_gate_that_nobody_answers_stops() {
        let (gate, questions) = AskingGate::new();
        drop(questions);
        assert_eq!(gate.pass(&Step::new("a", "A", "")).await, GateDecision::Stop);
    }
}
