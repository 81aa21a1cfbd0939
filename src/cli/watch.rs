//! Watches a run to its end: reports its events, handles Ctrl-C, and prompts in step-by-step mode.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use thumbctl_core::engine::RunReport;
use thumbctl_core::event::{Event, EventKind, Failure, Outcome};
use thumbctl_core::plan::{Plan, StepId};
use thumbctl_core::redaction::redact_line;
use thumbctl_core::timing::{TestUploadTiming, Waterfall};
use thumbctl_deploy::session::RunHandle;
use thumbctl_deploy::strategy;
use thumbctl_platform::terminal::{TerminalText, json_line, print, print_error, terminal_text};
use thumbctl_platform::text;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::error::CliError;
use super::gate::{StepPrompt, StepReply};
use super::input::Input;
use super::progress::live::{Frame, LiveRenderer};
use super::progress::plain::PlainReporter;
use super::progress::view::RunView;
use super::screen::Screen;
use super::style::Role;

/// The refresh interval of the screen, which is redrawn only after changes.
const TICK: Duration = Duration::from_millis(50);

/// The result of a watched run.
#[derive(Debug)]
pub(crate) struct Watched {
    /// Its report.
    pub(crate) report: RunReport,
    /// The times of its steps.
    pub(crate) timing: Waterfall,
    /// The times of its images.
    pub(crate) test_upload: TestUploadTiming,
}

/// Watches a run to its end. `cancel` is the run's token, whose cancellation is reported.
pub(crate) async fn watch(
    context: &Context,
    running: RunHandle,
    cancel: &CancellationToken,
    mut prompts: Option<mpsc::Receiver<StepPrompt>>,
) -> Result<Watched, CliError> {
    let RunHandle { mut events, report } = running;
    let mut reporter = RunReporter::new(context);
    let mut timing: Option<Waterfall> = None;
    let mut test_upload = TestUploadTiming::default();
    let mut output_error: Option<io::Error> = None;
    let mut pending: Option<StepPrompt> = None;
    let mut cancelling = cancel.is_cancelled();
    let mut changes: Changes = Changes::new();
    let mut tick = tokio::time::interval(TICK);
    loop {
        let reported = tokio::select! {
            biased;
            () = cancel.cancelled(), if !cancelling => {
                cancelling = true;
                pending = None;
                if output_error.is_none() { reporter.cancelling() } else { Ok(()) }
            }
            event = events.recv() => {
                let Some(event) = event else { break };
                match &mut timing {
                    Some(timing) => timing.apply(&event),
                    None => timing = Waterfall::fold([&event]),
                }
                test_upload.apply(&event);
                if let EventKind::ChangePlanned { step, action, logical_id, resource_type } = &event.kind {
                    changes.entry(step.clone()).or_default().push(format!("{action} {logical_id} ({resource_type})"));
                }
                let ended = matches!(event.kind, EventKind::RunFinished { .. });
                let reported = if output_error.is_none() { reporter.report(&event) } else { Ok(()) };
                if ended {
                    output_error = output_error.or(reported.err());
                    break;
                }
                reported
            }
            Some(prompt) = next_prompt(&mut prompts), if pending.is_none() => {
                let reported = reporter.prompt(&prompt, changes_of(&changes, &prompt));
                pending = Some(prompt);
                reported
            }
            line = context.input.line(), if pending.is_some() => {
                if let Some(prompt) = pending.take() {
                    match StepReply::parse(line.as_deref()) {
                        // The receiver is dropped only after a cancellation, which is reported separately.
                        Some(reply) => { let _ = prompt.reply.send(reply); }
                        None => pending = Some(prompt),
                    }
                }
                reporter.input_read(pending.as_ref().map(|prompt| (prompt, changes_of(&changes, prompt))))
            }
            _ = tick.tick(), if output_error.is_none() => reporter.draw(),
        };
        if let Err(error) = reported {
            // The output is closed: cancel the run gracefully.
            output_error = Some(error);
            cancel.cancel();
        }
    }
    let report = match report.await {
        Ok(report) => report?,
        Err(error) => return Err(CliError::failed(format!("the run ended unexpectedly. This is a bug: {error}"))),
    };
    if output_error.is_none() {
        output_error = reporter.finish().err();
    }
    match output_error {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe || report.outcome == Outcome::Succeeded => {
            Err(CliError::Output(error))
        }
        Some(_) => Err(CliError::Interrupted),
        None => match timing {
            Some(timing) => Ok(Watched { report, timing, test_upload }),
            None => Err(CliError::failed("the run ended without a first event. This is a bug")),
        },
    }
}

/// The planned changes of steps.
type Changes = BTreeMap<StepId, Vec<String>>;

fn changes_of<'a>(changes: &'a Changes, prompt: &StepPrompt) -> &'a [String] {
    changes.get(prompt.step()).map_or(&[], Vec::as_slice)
}

async fn next_prompt(prompts: &mut Option<mpsc::Receiver<StepPrompt>>) -> Option<StepPrompt> {
    match prompts {
        Some(prompts) => prompts.recv().await,
        None => std::future::pending().await,
    }
}

impl Watched {
    /// The failures, each prefixed with the title of its step.
    pub(crate) fn failures(&self, plan: &Plan) -> Vec<Failure> {
        let titled = |(step, failure): &(_, Failure)| {
            let title = plan.step(step).map_or(step.as_str(), |step| step.title.as_str());
            Failure { message: format!("{title}: {}", failure.message), ..failure.clone() }
        };
        self.report.failures.iter().map(titled).collect()
    }

    /// The result of the command, by the run's outcome.
    pub(crate) fn verdict(&self, plan: &Plan) -> Result<(), CliError> {
        match self.report.outcome {
            Outcome::Succeeded => Ok(()),
            Outcome::Failed => Err(CliError::Failed(self.failures(plan))),
            Outcome::Cancelled => Err(CliError::Interrupted),
        }
    }
}

/// Reports a run in one of the three formats.
enum RunReporter {
    Json { screen: Screen },
    Plain { reporter: Box<PlainReporter>, screen: Screen },
    Live(Box<LiveScreen>),
}

struct LiveScreen {
    screen: Screen,
    view: RunView,
    renderer: LiveRenderer,
    above: TerminalText,
    card: Vec<TerminalText>,
    last: Vec<TerminalText>,
}

const CANCELLING: &str = "cancelling: running steps finish, no others start; press Ctrl-C again to exit at once";

impl RunReporter {
    fn new(context: &Context) -> Self {
        let screen = context.screen;
        if context.is_json() {
            Self::Json { screen }
        } else if screen.live {
            Self::Live(Box::new(LiveScreen {
                screen,
                view: RunView::new(Instant::now()),
                renderer: LiveRenderer::default(),
                above: TerminalText::default(),
                card: Vec::new(),
                last: Vec::new(),
            }))
        } else {
            Self::Plain { reporter: Box::new(PlainReporter::new(screen.out)), screen }
        }
    }

    fn report(&mut self, event: &Event) -> io::Result<()> {
        match self {
            Self::Json { .. } => print(json_line(event)?),
            Self::Plain { reporter, .. } => reporter.line(event).map_or(Ok(()), print),
            Self::Live(live) => {
                live.apply(event);
                Ok(())
            }
        }
    }

    fn cancelling(&mut self) -> io::Result<()> {
        match self {
            Self::Json { screen } | Self::Plain { screen, .. } => {
                print_error(terminal_text!("{}\n", screen.err.paint(Role::Warn, CANCELLING)));
                Ok(())
            }
            Self::Live(live) => {
                live.view.cancelling = true;
                live.card.clear();
                live.draw()
            }
        }
    }

    fn prompt(&mut self, prompt: &StepPrompt, changes: &[String]) -> io::Result<()> {
        match self {
            Self::Json { screen } | Self::Plain { screen, .. } => {
                print_error(TerminalText::join(prompt.card(changes, Screen::size().0, screen.err), "\n"));
                Ok(())
            }
            Self::Live(live) => {
                live.card = prompt.card(changes, Screen::size().0, live.screen.out);
                live.draw()
            }
        }
    }

    /// Handles an input line; `again` is the prompt to repeat after an invalid reply.
    fn input_read(&mut self, again: Option<(&StepPrompt, &[String])>) -> io::Result<()> {
        if let Self::Live(live) = self {
            if Input::is_terminal() {
                live.renderer.input_ended();
            }
            live.card.clear();
        }
        again.map_or(Ok(()), |(prompt, changes)| self.prompt(prompt, changes))
    }

    fn draw(&mut self) -> io::Result<()> {
        match self {
            Self::Live(live) => live.draw(),
            Self::Json { .. } | Self::Plain { .. } => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        let Self::Live(live) = self else { return Ok(()) };
        live.card.clear();
        // Draw the last frame completely, even if the terminal is too low.
        live.draw_in(Screen::size().0, usize::MAX)?;
        live.renderer.keep();
        Ok(())
    }
}

impl LiveScreen {
    fn apply(&mut self, event: &Event) {
        self.view.apply(event, Instant::now());
        let Some((label, role, text)) = self.scrolling(&event.kind) else { return };
        // Wrap here instead of in the terminal, so that continued lines have the prefix too.
        let columns = Screen::size().0.saturating_sub(label.len() + 6);
        for (index, line) in text::fold(&redact_line(&text::clean_line(&text)), columns).iter().enumerate() {
            let prefix = if index == 0 { label } else { "" };
            let mark = self.screen.out.paint(role, &format!("{prefix:>0$} │", label.len()));
            self.above.push(terminal_text!("  {} {}\n", mark, line));
        }
    }

    /// The prefix, style and text of an event's scrolling line, if it has one.
    fn scrolling<'a>(&self, kind: &'a EventKind) -> Option<(&'static str, Role, Cow<'a, str>)> {
        Some(match kind {
            EventKind::LogLine { source, text, .. } => (source.as_str(), Role::Muted, text.into()),
            EventKind::WarningGiven { message, .. } => ("warning", Role::Warn, message.into()),
            EventKind::OutputGiven { name, value, .. } => ("output", Role::Muted, format!("{name} = {value}").into()),
            // A tool's own output has the changes.
            EventKind::ChangePlanned { action, logical_id, resource_type, .. }
                if !self.view.strategy().is_some_and(strategy::has_tool) =>
            {
                ("change set", Role::Muted, format!("{action} {logical_id} ({resource_type})").into())
            }
            _ => return None,
        })
    }

    fn draw(&mut self) -> io::Result<()> {
        let (width, height) = Screen::size();
        self.draw_in(width, height)
    }

    fn draw_in(&mut self, width: usize, height: usize) -> io::Result<()> {
        let frame = Frame { width, height, palette: self.screen.out };
        let mut lines = frame.lines(&self.view, Instant::now(), self.card.len());
        lines.extend_from_slice(&self.card);
        if lines.is_empty() || (self.above.is_empty() && lines == self.last) {
            return Ok(());
        }
        let above = std::mem::take(&mut self.above);
        let has_prompt = !self.card.is_empty();
        print(self.renderer.frame(&above, &lines, has_prompt, width))?;
        self.last = lines;
        Ok(())
    }
}
