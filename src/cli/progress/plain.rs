//! The progress of a run as plain lines, each with the time since the run's start: for files, pipes and simple terminals.

use chrono::{DateTime, Utc};
use thumbctl_core::event::{Action, Event, EventKind, RunStarted};
use thumbctl_core::plan::StepId;
use thumbctl_core::redaction::redact_line;
use thumbctl_platform::terminal::{TerminalText, terminal_text};
use thumbctl_platform::text;

use super::super::style::{self, Palette, Role};

/// Formats the events of a run as lines.
#[derive(Debug)]
pub(crate) struct PlainReporter {
    palette: Palette,
    began: Option<DateTime<Utc>>,
    started: Option<RunStarted>,
}

impl PlainReporter {
    /// Creates a reporter.
    pub(crate) fn new(palette: Palette) -> Self {
        Self { palette, began: None, started: None }
    }

    fn title<'a>(&'a self, id: &'a StepId) -> &'a str {
        let step = self.started.as_ref().and_then(|started| started.plan.step(id));
        step.map_or(id.as_str(), |step| step.title.as_str())
    }

    /// The line of an event, if it has one.
    pub(crate) fn line(&mut self, event: &Event) -> Option<TerminalText> {
        if let EventKind::RunStarted(started) = &event.kind {
            self.began = Some(event.at);
            self.started = Some((**started).clone());
        }
        let (symbol, role, message) = self.message(&event.kind)?;
        let offset = (event.at - self.began.unwrap_or(event.at)).as_seconds_f64();
        let time = self.palette.paint(Role::Muted, &format!("{:>9}", text::seconds(offset)));
        Some(terminal_text!("{}  {} {}\n", time, self.palette.paint(role, symbol), message))
    }

    fn message(&self, kind: &EventKind) -> Option<(&'static str, Role, String)> {
        let action = self.started.as_ref().map_or(Action::Deploy, |started| started.action);
        Some(match kind {
            EventKind::RunStarted(started) => (style::STARTED, Role::Strong, super::headline(started)),
            EventKind::StepStarted { step } => (style::STARTED, Role::Busy, self.title(step).to_owned()),
            EventKind::StepProgress { step, message, done, total } => {
                let share = match (done, total) {
                    (Some(done), Some(total)) => format!(" ({done}/{total})"),
                    _ => String::new(),
                };
                (style::WAITING, Role::Muted, format!("{}: {message}{share}", self.title(step)))
            }
            EventKind::StepRetried { step, attempt, reason, delay } => {
                let words = format!(
                    "{}: attempt {attempt} failed: {reason}; retry in {}",
                    self.title(step),
                    text::seconds(*delay)
                );
                (style::RETRY, Role::Warn, words)
            }
            EventKind::LogLine { source, text, .. } => {
                ("│", Role::Muted, format!("{source}: {}", redact_line(&text::clean_line(text))))
            }
            EventKind::ToolFound { tool, version } => (style::WAITING, Role::Muted, format!("{tool} {version}")),
            EventKind::WarningGiven { step, message } => {
                let words = format!("{}: warning: {}", self.title(step), redact_line(&text::clean(message)));
                (style::WARNING, Role::Warn, words)
            }
            EventKind::OutputGiven { step, name, value } => {
                let output = format!("{name} = {value}");
                let words = format!("{}: {}", self.title(step), redact_line(&text::clean(&output)));
                (style::WAITING, Role::Muted, words)
            }
            EventKind::ChangePlanned { step, action, logical_id, resource_type } => {
                let words = format!("{}: {action} {logical_id} ({resource_type})", self.title(step));
                (style::WAITING, Role::Muted, words)
            }
            EventKind::BuildPhase { phase, status, seconds: None, .. } => {
                (style::WAITING, Role::Muted, format!("build phase {phase}: {status}"))
            }
            EventKind::BuildPhase { phase, status, seconds: Some(seconds), context } => {
                let context = context.as_ref().map(|context| format!(": {context}")).unwrap_or_default();
                let words = format!("build phase {phase}: {status} in {}{context}", text::seconds(*seconds));
                (style::WAITING, Role::Muted, words)
            }
            EventKind::TestUploadStage { image, stage, seconds, cold, path, .. } => {
                let path = path.as_ref().map(|path| format!(": {path}")).unwrap_or_default();
                let words = format!("{image}: {} after {}{path}", stage.label(*cold), text::milliseconds(*seconds));
                (style::WAITING, Role::Muted, words)
            }
            EventKind::StepFinished { step, seconds } => {
                (style::DONE, Role::Good, format!("{} ({})", self.title(step), text::seconds(*seconds)))
            }
            EventKind::StepFailed { step, seconds, error } => {
                let words = format!("{} ({}): {}", self.title(step), text::seconds(*seconds), error.message);
                (style::FAILED, Role::Bad, words)
            }
            EventKind::StepSkipped { step, reason } => {
                let (sign, role, words) = super::skipped(*reason, action);
                (sign, role, format!("{}: {words}", self.title(step)))
            }
            // The steps show the resources, the summary shows the outcome.
            EventKind::ResourceChanged { .. } | EventKind::RunFinished { .. } | EventKind::Unknown(_) => return None,
        })
    }
}
