//! Step-by-step mode: a gate that explains each step and asks before it runs.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use thumbctl_core::engine::{Gate, GateDecision};
use thumbctl_core::plan::{Step, StepId};
use thumbctl_platform::terminal::{TerminalText, terminal_text};
use thumbctl_platform::text;
use tokio::sync::{mpsc, oneshot};

use super::style::{self, Palette, Role};

/// A gate that prompts the user through a channel, since the run's watcher owns the screen.
#[derive(Debug)]
pub(crate) struct PromptGate {
    prompts: mpsc::Sender<StepPrompt>,
    run_all: AtomicBool,
}

/// A prompt for a step.
#[derive(Debug)]
pub(crate) struct StepPrompt {
    step: Step,
    /// Receives the reply.
    pub(crate) reply: oneshot::Sender<StepReply>,
}

/// The user's reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepReply {
    /// Run this step.
    Run,
    /// Run this and all other steps without prompts.
    RunAll,
    /// Stop the run.
    Stop,
}

impl StepReply {
    /// Parses an input line; `None` if it is invalid. The end of input stops the run.
    pub(crate) fn parse(line: Option<&str>) -> Option<Self> {
        match line.map(|line| line.trim().to_lowercase()).as_deref() {
            Some("" | "y" | "yes") => Some(Self::Run),
            Some("a" | "all") => Some(Self::RunAll),
            Some("q" | "quit" | "n" | "no") | None => Some(Self::Stop),
            Some(_) => None,
        }
    }
}

impl PromptGate {
    /// Creates a gate and the receiver of its prompts.
    pub(crate) fn new() -> (Self, mpsc::Receiver<StepPrompt>) {
        let (sender, receiver) = mpsc::channel(1);
        (Self { prompts: sender, run_all: AtomicBool::new(false) }, receiver)
    }
}

#[async_trait]
impl Gate for PromptGate {
    async fn pass(&self, step: &Step) -> GateDecision {
        if self.run_all.load(Ordering::SeqCst) {
            return GateDecision::Start;
        }
        let (reply, receiver) = oneshot::channel();
        if self.prompts.send(StepPrompt { step: step.clone(), reply }).await.is_err() {
            return GateDecision::Stop;
        }
        match receiver.await {
            Ok(StepReply::Run) => GateDecision::Start,
            Ok(StepReply::RunAll) => {
                self.run_all.store(true, Ordering::SeqCst);
                GateDecision::Start
            }
            Ok(StepReply::Stop) | Err(_) => GateDecision::Stop,
        }
    }
}

impl StepPrompt {
    /// The step's id.
    pub(crate) fn step(&self) -> &StepId {
        &self.step.id
    }

    /// The lines of the prompt: title, reason, calls and planned changes; the last line is the question.
    pub(crate) fn card(&self, changes: &[String], width: usize, palette: Palette) -> Vec<TerminalText> {
        let columns = width.saturating_sub(12).clamp(20, 90);
        let mut lines = vec![TerminalText::default()];
        let title = palette.paint(Role::Strong, &text::cut(&text::clean(&self.step.title), columns));
        lines.push(terminal_text!("  {} {}", palette.paint(Role::Busy, style::STARTED), title));
        for (label, words) in [("why", self.step.why.clone()), ("calls", self.step.calls.join(", "))] {
            for (index, line) in text::wrap(&words, columns).into_iter().enumerate() {
                let label = if index == 0 { label } else { "" };
                lines.push(terminal_text!("    {} {}", palette.paint(Role::Muted, &text::fit(label, 6)), line));
            }
        }
        for (index, change) in changes.iter().enumerate() {
            let label = if index == 0 { "plan" } else { "" };
            let change = text::cut(&text::clean(change), columns);
            lines.push(terminal_text!("    {} {}", palette.paint(Role::Muted, &text::fit(label, 6)), change));
        }
        let keys = palette.paint(Role::Busy, "Enter: run step · a: run all · q: stop");
        lines.push(terminal_text!("    {} {} ", keys, palette.paint(Role::Busy, ">")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enter_runs_step_and_end_of_input_stops() {
        assert_eq!(StepReply::parse(Some("")), Some(StepReply::Run));
        assert_eq!(StepReply::parse(Some(" A ")), Some(StepReply::RunAll));
        assert_eq!(StepReply::parse(Some("q")), Some(StepReply::Stop));
        assert_eq!(StepReply::parse(None), Some(StepReply::Stop));
        assert_eq!(StepReply::parse(Some("what?")), None);
    }

    #[tokio::test]
    async fn gate_does_not_prompt_after_run_all() {
        let (gate, mut prompts) = PromptGate::new();
        let step = Step::new("a", "A", "");
        let (decision, ()) = tokio::join!(gate.pass(&step), async {
            let prompt = prompts.recv().await.expect("a prompt");
            prompt.reply.send(StepReply::RunAll).expect("the gate waits");
        });
        assert_eq!(decision, GateDecision::Start);
        assert_eq!(gate.pass(&step).await, GateDecision::Start);
    }

    #[tokio::test]
    async fn gate_without_receiver_stops() {
        let (gate, prompts) = PromptGate::new();
        drop(prompts);
        assert_eq!(gate.pass(&Step::new("a", "A", "")).await, GateDecision::Stop);
    }
}
