//! The runner: a loop that receives events, updates the model, executes effects and draws.
//!
//! Only the runner accesses the clock, the terminal, files and the cloud. Frames are combined while messages are pending;
//! without events nothing is drawn.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the runner carries out what the model asks for"
)]

mod effect_handler;
mod function_log;
mod gate;
mod journals;
mod options;
mod replay;
mod signals;

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use crossterm::event::{Event as TerminalEvent, EventStream};
use effect_handler::{EffectHandler, RunnerEvent};
use futures::StreamExt;
use options::{graphics_kind, keymap, requested, symbol_set, theme};
use signals::Signals;
use thumbctl_core::event::RunId;
use thumbctl_core::journal::{JournalError, JournalStore};
use thumbctl_deploy::settings::Settings;
use tokio::sync::mpsc;

use super::keymap::KeyMapError;
use super::message::{Effect, Message};
use super::model::{Model, ModelInit};
use super::terminal::{self, Screen, SuspendScope, query};
use super::update::update;

/// The minimum interval between frames, except for user input, which is drawn immediately.
const FRAME: Duration = Duration::from_millis(33);

/// The interval of clock ticks while something is running.
const TICK: Duration = Duration::from_millis(100);

/// The number of events handled before keys are checked again.
const BATCH: usize = 64;

/// The timeout of the terminal capability query.
const TERMINAL_TIMEOUT: Duration = Duration::from_secs(2);

/// The mode in which the console is opened.
#[derive(Debug)]
pub enum LaunchMode {
    /// A deployment.
    Deployment,
    /// The replay of a recorded run.
    Replay {
        /// The run.
        run: RunId,
        /// The speed factor.
        speed: f64,
    },
}

/// Errors of the console.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// A custom key binding is invalid.
    #[error("{origin}: {source}")]
    Keys {
        /// The configuration file and line.
        origin: String,
        /// The error.
        source: KeyMapError,
    },
    /// The terminal cannot be used.
    #[error("cannot use the terminal: {0}")]
    Terminal(#[source] io::Error),
    /// A journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The run does not exist.
    #[error("deployment '{deployment}' has no run '{run}'; {known}")]
    NoRun {
        /// The deployment.
        deployment: String,
        /// The requested run.
        run: String,
        /// The existing runs.
        known: String,
    },
    /// A temporary folder for images cannot be created.
    #[error("cannot create a temporary folder for images: {0}")]
    Folder(#[source] io::Error),
    /// A signal ended the program.
    #[error("ended by a signal")]
    Terminated,
}

impl ConsoleError {
    /// A hint for the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Keys { .. } => Some("see config.example.toml for the syntax of keys".into()),
            Self::NoRun { .. } => Some("select another deployment with --name".into()),
            Self::Folder(_) => Some("set TMPDIR to another folder for temporary files".into()),
            Self::Terminal(_) | Self::Journal(_) | Self::Terminated => None,
        }
    }
}

/// Opens the console; returns when the user quits.
///
/// # Errors
/// If the terminal, the key bindings or the journals cannot be used.
pub async fn open(settings: Settings, mode: LaunchMode) -> Result<(), ConsoleError> {
    let keymap = keymap(&settings)?;
    let is_replay = matches!(mode, LaunchMode::Replay { .. });
    restore_terminal_on_panic();
    // Before the terminal is entered, so that every later signal restores it.
    let signals = Signals::listen().map_err(ConsoleError::Terminal)?;
    let mut screen = Screen::open(settings.console.mouse).map_err(ConsoleError::Terminal)?;
    let size = Screen::size().map_err(ConsoleError::Terminal)?;
    let mut model = Model::new(ModelInit {
        requested: requested(&settings),
        now: Utc::now(),
        size,
        keymap,
        theme: theme(settings.console.theme),
        symbols: symbol_set(settings.console.symbols),
        replay: is_replay,
    });
    // The first frame is drawn before any query, since cloud and terminal may be slow.
    screen.draw(&model).map_err(ConsoleError::Terminal)?;
    let (sender, receiver) = mpsc::channel(32);
    let handler = EffectHandler::new(settings.clone(), sender.clone()).map_err(ConsoleError::Folder)?;
    match mode {
        LaunchMode::Deployment => journals::follow(&settings, sender.clone()),
        LaunchMode::Replay { run, speed } => handler.replay(run, speed),
    }
    let mut runner = Runner { screen, handler, receiver, is_replay, last_drawn: Instant::now(), dirty: true };
    let first = if is_replay { Vec::new() } else { vec![Effect::Connect] };
    let resize = update(&mut model, Message::Resize(size.0, size.1));
    runner.carry_out(&mut model, first.into_iter().chain(resize).collect())?;
    let ended = runner.run(&mut model, sender, signals).await;
    let left = model.activity.active_run().map(|active| active.action);
    drop(runner);
    if ended.is_ok() && left.is_some() {
        thumbctl_platform::terminal::print("Interrupted. Run `thumbctl` to resume or to destroy.\n")
            .map_err(ConsoleError::Terminal)?;
    }
    ended
}

/// Finds a run by its id, its number, or `last`.
///
/// # Errors
/// If there is none, or the journals cannot be read.
pub fn find_run(settings: &Settings, words: &str) -> Result<RunId, ConsoleError> {
    let runs = JournalStore::new(&settings.state_dir).deployment(&settings.name).runs()?;
    let number = words.parse::<u32>().ok().map(|number| format!("{number:04}-"));
    let found = match words {
        "last" => runs.last(),
        _ => runs.iter().find(|run| {
            run.as_str() == words || number.as_ref().is_some_and(|number| run.as_str().starts_with(number))
        }),
    };
    found.cloned().ok_or_else(|| ConsoleError::NoRun {
        deployment: settings.name.to_string(),
        run: words.to_owned(),
        known: match &runs[..] {
            [] => "it has none yet".to_owned(),
            runs => format!("it has {}", runs.iter().map(RunId::as_str).collect::<Vec<_>>().join(", ")),
        },
    })
}

struct Runner {
    screen: Screen,
    handler: EffectHandler,
    receiver: mpsc::Receiver<RunnerEvent>,
    is_replay: bool,
    last_drawn: Instant,
    dirty: bool,
}

/// Whether the loop continues.
#[derive(PartialEq, Eq)]
enum LoopControl {
    Continue,
    Quit,
}

impl Runner {
    async fn run(
        &mut self,
        model: &mut Model,
        sender: mpsc::Sender<RunnerEvent>,
        mut signals: Signals,
    ) -> Result<(), ConsoleError> {
        let mut input: Option<EventStream> = None;
        let mut capabilities = query_terminal(self.handler.settings(), sender);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let ticks = !self.is_replay && model.is_ticking();
            let changes_in = time_until(model.next_change());
            let draws_in = FRAME.saturating_sub(self.last_drawn.elapsed());
            let flow = tokio::select! {
                biased;
                event = next_event(&mut input) => match event {
                    Some(Ok(event)) => self.handle_input(model, event)?,
                    // The terminal was closed.
                    Some(Err(_)) | None => return Err(ConsoleError::Terminated),
                },
                _ = signals.terminations.recv() => return Err(ConsoleError::Terminated),
                _ = signals.hangups.recv() => return Err(ConsoleError::Terminated),
                _ = signals.interrupts.recv() => return Err(ConsoleError::Terminated),
                _ = signals.sizes.recv() => self.handle_resize(model)?,
                _ = signals.stops.recv() => {
                    let effects = self.suspend(model, SuspendScope::Process)?;
                    self.carry_out(model, effects)?
                }
                () = tokio::time::sleep(draws_in), if self.dirty => {
                    self.draw(model)?;
                    LoopControl::Continue
                }
                capabilities = &mut capabilities, if input.is_none() => {
                    input = Some(EventStream::new());
                    match capabilities {
                        Ok(capabilities) => self.handle_event(model, RunnerEvent::Terminal(capabilities))?,
                        // Without a result the defaults apply.
                        Err(_) => LoopControl::Continue,
                    }
                }
                count = self.receiver.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return Ok(());
                    }
                    let mut flow = LoopControl::Continue;
                    for event in batch.drain(..) {
                        if self.handle_event(model, event)? == LoopControl::Quit {
                            flow = LoopControl::Quit;
                        }
                    }
                    flow
                }
                () = tokio::task::yield_now(), if self.handler.has_log_work() => {
                    let messages = self.handler.work_on_logs();
                    self.messages(model, messages)?
                }
                _ = tick.tick(), if ticks => self.message(model, Message::Tick(Utc::now()))?,
                () = tokio::time::sleep(changes_in.unwrap_or_default()), if changes_in.is_some() && !self.is_replay => {
                    self.message(model, Message::Tick(Utc::now()))?
                }
            };
            if flow == LoopControl::Quit {
                return Ok(());
            }
            // The timer above fires only without other events; under constant load frames are drawn here.
            if self.dirty && self.last_drawn.elapsed() >= FRAME {
                self.draw(model)?;
            }
        }
    }

    /// Handles terminal input and draws immediately.
    fn handle_input(&mut self, model: &mut Model, event: TerminalEvent) -> Result<LoopControl, ConsoleError> {
        let message = match event {
            TerminalEvent::Key(key) => Message::Key(key),
            TerminalEvent::Mouse(mouse) => Message::Mouse(mouse),
            TerminalEvent::Paste(text) => Message::Paste(text),
            // Handled as a signal, since the key reader can lose it.
            TerminalEvent::Resize(..) | TerminalEvent::FocusGained | TerminalEvent::FocusLost => {
                return Ok(LoopControl::Continue);
            }
        };
        let is_motion = matches!(&message, Message::Mouse(mouse)
            if matches!(mouse.kind, crossterm::event::MouseEventKind::Moved | crossterm::event::MouseEventKind::Drag(_)));
        if is_motion {
            return Ok(LoopControl::Continue);
        }
        #[cfg(debug_assertions)]
        if let Message::Key(crossterm::event::KeyEvent { code: crossterm::event::KeyCode::Char(letter), .. }) = &message
        {
            thumbctl_platform::failpoint::at_key(*letter);
        }
        self.update_clock(model);
        let flow = self.message(model, message)?;
        if flow == LoopControl::Continue {
            self.draw(model)?;
        }
        Ok(flow)
    }

    fn handle_event(&mut self, model: &mut Model, event: RunnerEvent) -> Result<LoopControl, ConsoleError> {
        self.update_clock(model);
        let messages = match event {
            RunnerEvent::Typed(event) => return self.handle_input(model, event),
            event => self.handler.handle_event(event),
        };
        self.messages(model, messages)
    }

    /// Handles a resize with a full redraw: a temporarily smaller terminal has lost content even if its size is the same again.
    fn handle_resize(&mut self, model: &mut Model) -> Result<LoopControl, ConsoleError> {
        self.screen.clear();
        let (width, height) = Screen::size().map_err(ConsoleError::Terminal)?;
        self.message(model, Message::Resize(width, height))
    }

    fn update_clock(&self, model: &mut Model) {
        if !self.is_replay {
            model.now = Utc::now();
        }
    }

    fn messages(&mut self, model: &mut Model, messages: Vec<Message>) -> Result<LoopControl, ConsoleError> {
        for message in messages {
            if self.message(model, message)? == LoopControl::Quit {
                return Ok(LoopControl::Quit);
            }
        }
        Ok(LoopControl::Continue)
    }

    fn message(&mut self, model: &mut Model, message: Message) -> Result<LoopControl, ConsoleError> {
        self.dirty = true;
        let effects = update(model, message);
        self.carry_out(model, effects)
    }

    /// Executes effects and those that follow from them.
    fn carry_out(&mut self, model: &mut Model, effects: Vec<Effect>) -> Result<LoopControl, ConsoleError> {
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            match effect {
                Effect::Quit => return Ok(LoopControl::Quit),
                Effect::Suspend => queue.extend(self.suspend(model, SuspendScope::Group)?),
                Effect::Redraw => {
                    self.screen.clear();
                    self.dirty = true;
                }
                Effect::Copy(text) => {
                    self.screen.copy(&text).map_err(ConsoleError::Terminal)?;
                    let words = "Copied, if the terminal supports it (OSC 52).".to_owned();
                    queue.extend(update(model, Message::Notice(Ok(words))));
                }
                effect => {
                    for message in self.handler.carry_out(effect) {
                        queue.extend(update(model, message));
                    }
                }
            }
        }
        Ok(LoopControl::Continue)
    }

    /// Suspends the program. Afterwards the terminal may have another size and has lost all pictures.
    fn suspend(&mut self, model: &mut Model, scope: SuspendScope) -> Result<Vec<Effect>, ConsoleError> {
        self.screen.suspend(scope).map_err(ConsoleError::Terminal)?;
        self.handler.refresh_pictures();
        let (width, height) = Screen::size().map_err(ConsoleError::Terminal)?;
        self.dirty = true;
        Ok(update(model, Message::Resize(width, height)))
    }

    fn draw(&mut self, model: &Model) -> Result<(), ConsoleError> {
        self.screen.draw(model).map_err(ConsoleError::Terminal)?;
        self.last_drawn = Instant::now();
        self.dirty = false;
        Ok(())
    }
}

async fn next_event(input: &mut Option<EventStream>) -> Option<io::Result<TerminalEvent>> {
    match input {
        Some(input) => input.next().await,
        None => std::future::pending().await,
    }
}

/// Queries the terminal's capabilities on a separate thread, which forwards keys meanwhile.
fn query_terminal(
    settings: &Settings,
    events: mpsc::Sender<RunnerEvent>,
) -> tokio::sync::oneshot::Receiver<query::TerminalCapabilities> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let kind = graphics_kind(settings.console.pictures);
    std::thread::spawn(move || {
        let environment = query::TerminalEnvironment::read(&|name| std::env::var(name).ok());
        let capabilities = query::ask(&environment, TERMINAL_TIMEOUT, &mut |typed| {
            // The receiver is gone when the console ends.
            let _ = events.blocking_send(RunnerEvent::Typed(typed));
        });
        let _ = sender.send(capabilities.with_kind(kind));
    });
    receiver
}

fn time_until(moment: Option<DateTime<Utc>>) -> Option<Duration> {
    moment.map(|moment| (moment - Utc::now()).to_std().unwrap_or_default())
}

/// Restores the terminal before a panic of this thread is printed. Panics of tasks are reported where the task is joined.
fn restore_terminal_on_panic() {
    let console = std::thread::current().id();
    let previous_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == console {
            terminal::restore();
            previous_hook(panic);
        }
    }));
}
