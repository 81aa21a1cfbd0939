//! [`Desk`]: what the console has under way outside its model: the session, the run that waits for a yes, the run that is
//! going on, the logs' stores, the trial's files and pictures.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crossterm::event::Event as TerminalEvent;
use thumbctl_core::event::{Failure, LogSource, RunId};
use thumbctl_core::plan::StepId;
use thumbctl_deploy::cloud::CloudLabel;
use thumbctl_deploy::session::{PendingRun, Preview, RunHandle, RunMode, Session, SessionError};
use thumbctl_deploy::settings::Settings;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::gate::ConsoleGate;
use super::replay::Replay;
use crate::log_store::{LogCommand, LogReport, LogStore};
use crate::message::{Effect, Message, Pace, Place, PreparedRun, Stakes, Task, TerminalAnswer};
use crate::pictures::Graphics;
use crate::runner::function_log::FunctionLog;
use crate::terminal::query::Answers;
use crate::trial_desk::TrialDesk;

/// How many events of a run are handed over at once.
const BATCH: usize = 512;

/// Something that a task of the desk's has to say.
#[derive(Debug)]
pub(super) enum Note {
    /// To the model.
    Message(Message),
    /// Something that was typed while the terminal was asked.
    Typed(TerminalEvent),
    /// What the terminal can do.
    Terminal(Answers),
    /// The cloud answered; with what a deployment would do there.
    Connected(Arc<Session>, Result<Box<Preview>, Failure>),
    /// A run is ready.
    Prepared(Ready),
}

/// A run that is ready, with what the model is to know of it.
pub(super) struct Ready {
    prepared: Box<PendingRun>,
    about: Box<PreparedRun>,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Ready").field(&self.about.task).finish()
    }
}

/// What the console has under way.
pub(super) struct Desk {
    settings: Settings,
    notes: mpsc::Sender<Note>,
    session: Option<Arc<Session>>,
    ready: Option<Ready>,
    run: Option<(Arc<ConsoleGate>, CancellationToken)>,
    stores: BTreeMap<LogSource, LogStore>,
    function_log: FunctionLog,
    trial: TrialDesk,
    graphics: Graphics,
    replay: Replay,
}

impl Desk {
    /// An empty desk.
    pub(super) fn new(settings: Settings, notes: mpsc::Sender<Note>) -> io::Result<Self> {
        let (messages, mut heard) = mpsc::channel(64);
        let trial = TrialDesk::new(messages)?;
        let passed_on = notes.clone();
        tokio::spawn(async move {
            while let Some(message) = heard.recv().await {
                if passed_on.send(Note::Message(message)).await.is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            replay: Replay::new(&settings, notes.clone()),
            function_log: FunctionLog::new(notes.clone()),
            settings,
            notes,
            session: None,
            ready: None,
            run: None,
            stores: BTreeMap::new(),
            trial,
            graphics: Graphics::default(),
        })
    }

    /// The settings.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes in a note, and answers what the model is to hear.
    pub(super) fn take(&mut self, note: Note) -> Vec<Message> {
        match note {
            Note::Message(message) => {
                if matches!(message, Message::RunEnded(_)) {
                    self.run = None;
                }
                vec![message]
            }
            Note::Terminal(answers) => {
                self.graphics = answers.graphics;
                self.trial.set_graphics(answers.graphics);
                vec![Message::Terminal(TerminalAnswer { theme: answers.theme() })]
            }
            Note::Connected(session, preview) => {
                let place = place_of(&session);
                self.session = Some(session);
                let mut messages = vec![Message::Connected(Box::new(place))];
                messages.push(match preview {
                    Ok(preview) => Message::Preview(preview),
                    Err(failure) => Message::Notice(Err(failure)),
                });
                messages
            }
            Note::Prepared(ready) => {
                let about = ready.about.clone();
                self.ready = Some(ready);
                vec![Message::Prepared(about)]
            }
            Note::Typed(_) => unreachable!("the runner takes these itself"),
        }
    }

    /// Does what is to be done; what takes time goes on by itself. Answers what the model is to hear at once.
    pub(super) fn carry_out(&mut self, effect: Effect) -> Vec<Message> {
        match effect {
            Effect::Connect => self.connect(),
            Effect::AskStatus => self.ask(|session| async move {
                Message::Status(session.status().await.map_err(|error| failure_of(&error, error.hint())))
            }),
            Effect::Inspect(kind) => self.ask(move |session| async move {
                let answer = session.inspect(kind).await;
                let answer = answer.map(|found| found.map(Box::new)).map_err(|error| failure_of(&error, error.hint()));
                Message::Inspected(kind, answer)
            }),
            Effect::Prepare(task, pace) => return self.prepare(task, pace),
            Effect::Start { pace, passes, free } => self.start(pace, passes, free),
            Effect::Discard => self.ready = None,
            Effect::PassOne => self.run.iter().for_each(|(gate, _)| gate.pass_one()),
            Effect::SetPace(pace) => self.run.iter().for_each(|(gate, _)| gate.set_pace(pace)),
            Effect::CancelRun => self.run.iter().for_each(|(_, cancel)| cancel.cancel()),
            Effect::FollowFunctionLog(names) => {
                if let Some(session) = &self.session
                    && self.function_log.follow(session, names)
                {
                    return self.log(LogSource::Function, |store| store.run(LogCommand::Clear));
                }
            }
            Effect::Log(source, command) => return self.log(source, |store| store.run(command)),
            Effect::Trial(command) => self.trial.run(command),
            Effect::Say(words) => return vec![Message::Notice(words)],
            Effect::ReplayFaster(factor) => self.replay.faster(factor),
            Effect::ReplayTogglePause => self.replay.toggle_pause(),
            Effect::Copy(_) | Effect::Suspend | Effect::Redraw | Effect::Quit => {
                unreachable!("the runner does these itself")
            }
        }
        Vec::new()
    }

    /// Plays a recording.
    pub(super) fn replay(&self, run: RunId, speed: f64) {
        self.replay.play(run, speed);
    }

    /// The terminal has forgotten what was drawn: pictures are made anew.
    pub(super) fn pictures_are_forgotten(&mut self) {
        self.trial.set_graphics(self.graphics);
    }

    fn connect(&self) {
        let (settings, notes) = (self.settings.clone(), self.notes.clone());
        tokio::spawn(async move {
            let note = match Session::open(settings).await {
                Ok(session) => with_preview(Arc::new(session)).await,
                Err(error) => Note::Message(Message::NotConnected(failure_of(&error, error.hint()))),
            };
            // A console that has ended needs no cloud.
            let _ = notes.send(note).await;
        });
    }

    /// Asks the session something, and passes the answer on.
    fn ask<F: Future<Output = Message> + Send + 'static>(&self, question: impl FnOnce(Arc<Session>) -> F) {
        let Some(session) = &self.session else { return };
        let (answer, notes) = (question(Arc::clone(session)), self.notes.clone());
        tokio::spawn(async move {
            let _ = notes.send(Note::Message(answer.await)).await;
        });
    }

    fn prepare(&mut self, task: Task, pace: Pace) -> Vec<Message> {
        let Some(session) = self.session.clone() else { return Vec::new() };
        let notes = self.notes.clone();
        // Two trials of one image do not write over each other's thumbnails.
        let thumbnails = match &task {
            Task::Trial(_) => self.trial.next_thumbnails_dir().map(Some),
            Task::Deploy | Task::Destroy => Ok(None),
        };
        let thumbnails = match thumbnails {
            Ok(thumbnails) => thumbnails,
            Err(error) => {
                let failure = Failure::new(format!("cannot make a folder for the thumbnails: {error}"));
                return vec![Message::NotPrepared(task, failure)];
            }
        };
        tokio::spawn(async move {
            let note = match make_ready(&session, task.clone(), pace, thumbnails).await {
                Ok(ready) => Note::Prepared(ready),
                Err(error) => Note::Message(Message::NotPrepared(task, failure_of(&error, error.hint()))),
            };
            let _ = notes.send(note).await;
        });
        Vec::new()
    }

    fn start(&mut self, pace: Pace, passes: usize, free: BTreeSet<StepId>) {
        let Some(Ready { prepared, about }) = self.ready.take() else { return };
        let gate = ConsoleGate::new(pace, passes, free, self.notes.clone());
        let cancel = CancellationToken::new();
        self.run = Some((Arc::clone(&gate), cancel.clone()));
        let notes = self.notes.clone();
        tokio::spawn(async move {
            let message = match prepared.run(gate, cancel).await {
                Ok(running) => watch(running, &notes).await,
                Err(error) => Message::NotPrepared(about.task, failure_of(&error, error.hint())),
            };
            let _ = notes.send(Note::Message(message)).await;
        });
    }

    fn log(&mut self, source: LogSource, run: impl FnOnce(&mut LogStore) -> Vec<LogReport>) -> Vec<Message> {
        let store = self.stores.entry(source).or_default();
        run(store).into_iter().map(|report| Message::Log(source, report)).collect()
    }

    /// Whether a search in a log is not through.
    pub(super) fn has_log_work(&self) -> bool {
        self.stores.values().any(LogStore::has_work)
    }

    /// Goes on with searches, for a few milliseconds.
    pub(super) fn work_on_logs(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        for (source, store) in &mut self.stores {
            messages.extend(store.work().into_iter().map(|report| Message::Log(*source, report)));
        }
        messages
    }
}

/// Says that the cloud answered, with what a deployment would do: for that all journals are read, which may take long.
async fn with_preview(session: Arc<Session>) -> Note {
    let asked = Arc::clone(&session);
    let preview = tokio::task::spawn_blocking(move || asked.plan_preview()).await;
    let preview = match preview {
        Ok(Ok(preview)) => Ok(Box::new(preview)),
        Ok(Err(error)) => Err(failure_of(&error, error.hint())),
        Err(error) => Err(Failure::new(format!("the preview ended unexpectedly, which is a bug: {error}"))),
    };
    Note::Connected(session, preview)
}

/// Makes a run ready; for a deployment, asks the cloud what is missing.
async fn make_ready(
    session: &Session,
    task: Task,
    pace: Pace,
    thumbnails: Option<PathBuf>,
) -> Result<Ready, SessionError> {
    let stride = match pace {
        Pace::Stepwise => RunMode::StepByStep,
        Pace::Through => RunMode::Continuous,
    };
    let prepared = match &task {
        Task::Deploy => session.prepare_deploy(stride).await?,
        Task::Destroy => session.prepare_destroy().await?,
        Task::Trial(images) => session.prepare_test_upload(images.clone(), thumbnails).await?,
    };
    let mut resources = prepared.resources();
    if task == Task::Deploy && *session.label() != CloudLabel::Sandbox {
        // The cloud is asked, not the journal: what somebody removed by hand would be created again.
        let there = session.status().await?;
        resources.retain(|(kind, _)| !there.iter().any(|known| known.kind == *kind && known.presence.exists()));
    }
    let about = PreparedRun {
        task,
        plan: prepared.started().plan.clone(),
        names: prepared.started().names.clone(),
        resources,
        foreign: prepared.foreign().to_vec(),
    };
    Ok(Ready { prepared: Box::new(prepared), about: Box::new(about) })
}

/// Passes a run's events on, and answers how it ended.
async fn watch(running: RunHandle, notes: &mpsc::Sender<Note>) -> Message {
    let RunHandle { mut events, report } = running;
    let mut batch = Vec::with_capacity(BATCH);
    while events.recv_many(&mut batch, BATCH).await > 0 {
        if notes.send(Note::Message(Message::Events(std::mem::take(&mut batch)))).await.is_err() {
            break;
        }
    }
    Message::RunEnded(match report.await {
        Ok(Ok(report)) => Ok(report.outcome),
        Ok(Err(error)) => Err(failure_of(&error, None)),
        Err(error) => Err(Failure::new(format!("the run ended unexpectedly, which is a bug: {error}"))),
    })
}

fn place_of(session: &Session) -> Place {
    Place {
        cloud: session.label().to_string(),
        stakes: match session.label() {
            CloudLabel::Sandbox => Stakes::None,
            CloudLabel::Endpoint(_) => Stakes::Work,
            CloudLabel::Aws => Stakes::Money,
        },
        account: session.identity().account.clone(),
        arn: session.identity().arn.clone(),
        region: session.region().to_owned(),
    }
}

/// An error in words for people.
pub(super) fn failure_of(error: &dyn std::error::Error, hint: Option<String>) -> Failure {
    Failure { hint, ..Failure::from_error(error) }
}
