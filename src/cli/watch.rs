//! Watches a run to its end: tells its events in the form that was asked for, hears Ctrl-C, and asks before steps.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use thumbctl_core::engine::RunReport;
use thumbctl_core::event::{Event, EventKind, Failure, Outcome, StrategyKind};
use thumbctl_core::plan::{Plan, StepId};
use thumbctl_core::secret::redact_line;
use thumbctl_core::timing::{TrialTiming, Waterfall};
use thumbctl_deploy::session::RunHandle;
use thumbctl_platform::terminal::{TerminalText, json_line, print, print_error, terminal_text};
use thumbctl_platform::text;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::error::CliError;
use super::gate::{Answer, Ask};
use super::input::Input;
use super::progress::live::{Frame, LivePainter};
use super::progress::plain::PlainTeller;
use super::progress::view::RunView;
use super::screen::Screen;
use super::style::Role;

/// How often the screen is looked at; it is drawn only where something changed.
const TICK: Duration = Duration::from_millis(50);

/// A run that was watched to its end.
#[derive(Debug)]
pub(crate) struct Watched {
    /// How it ended.
    pub(crate) report: RunReport,
    /// What its steps took.
    pub(crate) timing: Waterfall,
    /// What its images took.
    pub(crate) trial: TrialTiming,
}

/// Watches a run. `cancel` is what the run was given; when it is cancelled, that is told.
pub(crate) async fn watch(
    context: &Context,
    running: RunHandle,
    cancel: &CancellationToken,
    mut asks: Option<mpsc::Receiver<Ask>>,
) -> Result<Watched, CliError> {
    let RunHandle { mut events, report } = running;
    let mut teller = Teller::new(context);
    let mut timing: Option<Waterfall> = None;
    let mut trial = TrialTiming::default();
    let mut broken: Option<io::Error> = None;
    let mut asking: Option<Ask> = None;
    let mut cancelling = cancel.is_cancelled();
    let mut changes: Changes = Changes::new();
    let mut tick = tokio::time::interval(TICK);
    loop {
        let told = tokio::select! {
            biased;
            () = cancel.cancelled(), if !cancelling => {
                cancelling = true;
                asking = None;
                if broken.is_none() { teller.cancelling() } else { Ok(()) }
            }
            event = events.recv() => {
                let Some(event) = event else { break };
                match &mut timing {
                    Some(timing) => timing.apply(&event),
                    None => timing = Waterfall::fold([&event]),
                }
                trial.apply(&event);
                if let EventKind::ChangePlanned { step, action, logical_id, resource_type } = &event.kind {
                    changes.entry(step.clone()).or_default().push(format!("{action} {logical_id} ({resource_type})"));
                }
                let ended = matches!(event.kind, EventKind::RunFinished { .. });
                let told = if broken.is_none() { teller.tell(&event) } else { Ok(()) };
                if ended {
                    broken = broken.or(told.err());
                    break;
                }
                told
            }
            Some(ask) = next_ask(&mut asks), if asking.is_none() => {
                let told = teller.ask(&ask, changes_of(&changes, &ask));
                asking = Some(ask);
                told
            }
            line = context.input.line(), if asking.is_some() => {
                if let Some(ask) = asking.take() {
                    match Answer::read(line.as_deref()) {
                        // Whoever has gone has cancelled; that is told elsewhere.
                        Some(answer) => { let _ = ask.reply.send(answer); }
                        None => asking = Some(ask),
                    }
                }
                teller.answered(asking.as_ref().map(|ask| (ask, changes_of(&changes, ask))))
            }
            _ = tick.tick(), if broken.is_none() => teller.draw(),
        };
        if let Err(error) = told {
            // Nobody reads our output any more: as a program does that writes into a closed pipe, the run ends, but in order.
            broken = Some(error);
            cancel.cancel();
        }
    }
    let report = match report.await {
        Ok(report) => report?,
        Err(error) => return Err(CliError::failed(format!("the run ended unexpectedly, which is a bug: {error}"))),
    };
    if broken.is_none() {
        broken = teller.finish().err();
    }
    match broken {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe || report.outcome == Outcome::Succeeded => {
            Err(CliError::Output(error))
        }
        Some(_) => Err(CliError::Interrupted),
        None => match timing {
            Some(timing) => Ok(Watched { report, timing, trial }),
            None => Err(CliError::failed("the run ended and never said how it began, which is a bug")),
        },
    }
}

/// What the change sets say that steps would do.
type Changes = BTreeMap<StepId, Vec<String>>;

fn changes_of<'a>(changes: &'a Changes, ask: &Ask) -> &'a [String] {
    changes.get(ask.step()).map_or(&[], Vec::as_slice)
}

async fn next_ask(asks: &mut Option<mpsc::Receiver<Ask>>) -> Option<Ask> {
    match asks {
        Some(asks) => asks.recv().await,
        None => std::future::pending().await,
    }
}

impl Watched {
    /// The failures, each with the title of its step before it.
    pub(crate) fn failures(&self, plan: &Plan) -> Vec<Failure> {
        let titled = |(step, failure): &(_, Failure)| {
            let title = plan.step(step).map_or(step.as_str(), |step| step.title.as_str());
            Failure { message: format!("{title}: {}", failure.message), ..failure.clone() }
        };
        self.report.failures.iter().map(titled).collect()
    }

    /// What the run's outcome means for the exit code.
    pub(crate) fn verdict(&self, plan: &Plan) -> Result<(), CliError> {
        match self.report.outcome {
            Outcome::Succeeded => Ok(()),
            Outcome::Failed => Err(CliError::Failed(self.failures(plan))),
            Outcome::Cancelled => Err(CliError::Interrupted),
        }
    }
}

/// Tells a run in one of the three forms.
enum Teller {
    Json { screen: Screen },
    Plain { teller: Box<PlainTeller>, screen: Screen },
    Live(Box<Live>),
}

struct Live {
    screen: Screen,
    view: RunView,
    painter: LivePainter,
    above: TerminalText,
    card: Vec<TerminalText>,
    last: Vec<TerminalText>,
}

const CANCELLING: &str =
    "cancelling: no further step starts, calls under way may end; press Ctrl-C again to stop at once";

impl Teller {
    fn new(context: &Context) -> Self {
        let screen = context.screen;
        if context.is_json() {
            Self::Json { screen }
        } else if screen.live {
            Self::Live(Box::new(Live {
                screen,
                view: RunView::new(Instant::now()),
                painter: LivePainter::default(),
                above: TerminalText::default(),
                card: Vec::new(),
                last: Vec::new(),
            }))
        } else {
            Self::Plain { teller: Box::new(PlainTeller::new(screen.out)), screen }
        }
    }

    fn tell(&mut self, event: &Event) -> io::Result<()> {
        match self {
            Self::Json { .. } => print(json_line(event)?),
            Self::Plain { teller, .. } => teller.line(event).map_or(Ok(()), print),
            Self::Live(live) => {
                live.take_in(event);
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

    fn ask(&mut self, ask: &Ask, changes: &[String]) -> io::Result<()> {
        match self {
            Self::Json { screen } | Self::Plain { screen, .. } => {
                print_error(TerminalText::join(ask.card(changes, Screen::size().0, screen.err), "\n"));
                Ok(())
            }
            Self::Live(live) => {
                live.card = ask.card(changes, Screen::size().0, live.screen.out);
                live.draw()
            }
        }
    }

    /// The user has typed a line; `again` is the question if that was no answer.
    fn answered(&mut self, again: Option<(&Ask, &[String])>) -> io::Result<()> {
        if let Self::Live(live) = self {
            if Input::is_terminal() {
                live.painter.answered();
            }
            live.card.clear();
        }
        again.map_or(Ok(()), |(ask, changes)| self.ask(ask, changes))
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
        // What stays for good is drawn whole, also where the terminal is too low for it.
        live.draw_in(Screen::size().0, usize::MAX)?;
        live.painter.leave();
        Ok(())
    }
}

impl Live {
    fn take_in(&mut self, event: &Event) {
        self.view.apply(event, Instant::now());
        let Some((label, role, text)) = self.scrolling(&event.kind) else { return };
        // Broken here and not by the terminal, so that what goes on stands behind the bar too.
        let room = Screen::size().0.saturating_sub(label.len() + 6);
        for (index, line) in text::fold(&redact_line(&text::clean_line(&text)), room).iter().enumerate() {
            let word = if index == 0 { label } else { "" };
            let mark = self.screen.out.paint(role, &format!("{word:>0$} │", label.len()));
            self.above.push(terminal_text!("  {} {}\n", mark, line));
        }
    }

    /// What scrolls by of an event, and what stands before it; none where the lines that stay say it all.
    fn scrolling<'a>(&self, kind: &'a EventKind) -> Option<(&'static str, Role, Cow<'a, str>)> {
        Some(match kind {
            EventKind::LogLine { source, text, .. } => (source.as_str(), Role::Quiet, text.into()),
            EventKind::WarningGiven { message, .. } => ("warning", Role::Warn, message.into()),
            EventKind::OutputGiven { name, value, .. } => ("output", Role::Quiet, format!("{name} = {value}").into()),
            // Terraform's own lines say it in its own words.
            EventKind::ChangePlanned { action, logical_id, resource_type, .. }
                if self.view.strategy() != Some(StrategyKind::Terraform) =>
            {
                ("change set", Role::Quiet, format!("{action} {logical_id} ({resource_type})").into())
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
        let asks = !self.card.is_empty();
        print(self.painter.frame(&above, &lines, asks, width))?;
        self.last = lines;
        Ok(())
    }
}
