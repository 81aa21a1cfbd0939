//! [`EffectHandler`]: executes effects: session, prepared and active run, log stores, test uploads, replay.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crossterm::event::Event as TerminalEvent;
use thumbctl_core::event::{Failure, LogSource, RunId};
use thumbctl_core::plan::StepId;
use thumbctl_deploy::cloud::CloudLabel;
use thumbctl_deploy::session::{PendingRun, Preview, RunHandle, Session, SessionError};
use thumbctl_deploy::settings::Settings;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::gate::ConsoleGate;
use super::replay::Replay;
use crate::log_store::{LogCommand, LogReport, LogStore};
use crate::message::{ConnectionInfo, Effect, Message, PreparedRun, RiskLevel, RunMode, Task, TerminalInfo};
use crate::pictures::Graphics;
use crate::runner::function_log::FunctionLog;
use crate::terminal::query::TerminalCapabilities;
use crate::test_upload_worker::TestUploadWorker;

/// The maximum number of run events per message.
const BATCH: usize = 512;

/// An event of a background task.
#[derive(Debug)]
pub(super) enum RunnerEvent {
    /// A message to the model.
    Message(Message),
    /// Input during the capability query.
    Typed(TerminalEvent),
    /// The terminal's capabilities.
    Terminal(TerminalCapabilities),
    /// The session was opened, with the preview of a deployment.
    Connected(Arc<Session>, Result<Box<Preview>, Failure>),
    /// A run is prepared.
    RunReady(ReadyRun),
}

/// A prepared run with its summary for the model.
pub(super) struct ReadyRun {
    prepared: Box<PendingRun>,
    summary: Box<PreparedRun>,
}

impl std::fmt::Debug for ReadyRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Ready").field(&self.summary.task).finish()
    }
}

/// Executes effects.
pub(super) struct EffectHandler {
    settings: Settings,
    sender: mpsc::Sender<RunnerEvent>,
    session: Option<Arc<Session>>,
    ready_run: Option<ReadyRun>,
    run: Option<(Arc<ConsoleGate>, CancellationToken)>,
    stores: BTreeMap<LogSource, LogStore>,
    function_log: FunctionLog,
    test_upload: TestUploadWorker,
    graphics: Graphics,
    replay: Replay,
}

impl EffectHandler {
    /// Creates a handler that sends events to `sender`.
    pub(super) fn new(settings: Settings, sender: mpsc::Sender<RunnerEvent>) -> io::Result<Self> {
        let (messages, mut receiver) = mpsc::channel(64);
        let test_upload = TestUploadWorker::new(messages)?;
        let passed_on = sender.clone();
        tokio::spawn(async move {
            while let Some(message) = receiver.recv().await {
                if passed_on.send(RunnerEvent::Message(message)).await.is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            replay: Replay::new(&settings, sender.clone()),
            function_log: FunctionLog::new(sender.clone()),
            settings,
            sender,
            session: None,
            ready_run: None,
            run: None,
            stores: BTreeMap::new(),
            test_upload,
            graphics: Graphics::default(),
        })
    }

    /// The settings.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Handles an event and returns messages for the model.
    pub(super) fn handle_event(&mut self, event: RunnerEvent) -> Vec<Message> {
        match event {
            RunnerEvent::Message(message) => {
                if matches!(message, Message::RunEnded(_)) {
                    self.run = None;
                }
                vec![message]
            }
            RunnerEvent::Terminal(capabilities) => {
                self.graphics = capabilities.graphics;
                self.test_upload.set_graphics(capabilities.graphics);
                vec![Message::Terminal(TerminalInfo { theme: capabilities.theme() })]
            }
            RunnerEvent::Connected(session, preview) => {
                let connection = connection_info(&session);
                self.session = Some(session);
                let mut messages = vec![Message::Connected(Box::new(connection))];
                messages.push(match preview {
                    Ok(preview) => Message::Preview(preview),
                    Err(failure) => Message::Notice(Err(failure)),
                });
                messages
            }
            RunnerEvent::RunReady(ready) => {
                let summary = ready.summary.clone();
                self.ready_run = Some(ready);
                vec![Message::RunReady(summary)]
            }
            RunnerEvent::Typed(_) => unreachable!("handled by the runner"),
        }
    }

    /// Executes an effect, in the background if it takes time. Returns immediate messages.
    pub(super) fn carry_out(&mut self, effect: Effect) -> Vec<Message> {
        match effect {
            Effect::Connect => self.connect(),
            Effect::FetchStatus => self.ask(|session| async move {
                Message::Status(session.status().await.map_err(|error| failure_of(&error, error.hint())))
            }),
            Effect::Inspect(kind) => self.ask(move |session| async move {
                let result = session.inspect(kind).await;
                let result = result.map(|found| found.map(Box::new)).map_err(|error| failure_of(&error, error.hint()));
                Message::Inspected(kind, result)
            }),
            Effect::Prepare(task, mode) => return self.prepare(task, mode),
            Effect::Start { mode, passes, completed } => self.start(mode, passes, completed),
            Effect::Discard => self.ready_run = None,
            Effect::ReleaseStep => self.run.iter().for_each(|(gate, _)| gate.release_step()),
            Effect::SetMode(mode) => self.run.iter().for_each(|(gate, _)| gate.set_mode(mode)),
            Effect::CancelRun => self.run.iter().for_each(|(_, cancel)| cancel.cancel()),
            Effect::FollowFunctionLog(names) => {
                if let Some(session) = &self.session
                    && self.function_log.follow(session, names)
                {
                    return self.log(LogSource::Function, |store| store.run(LogCommand::Clear));
                }
            }
            Effect::Log(source, command) => return self.log(source, |store| store.run(command)),
            Effect::TestUpload(command) => self.test_upload.run(command),
            Effect::Notify(words) => return vec![Message::Notice(words)],
            Effect::ChangeReplaySpeed(factor) => self.replay.faster(factor),
            Effect::ReplayTogglePause => self.replay.toggle_pause(),
            Effect::Copy(_) | Effect::Suspend | Effect::Redraw | Effect::Quit => {
                unreachable!("handled by the runner")
            }
        }
        Vec::new()
    }

    /// Starts a replay.
    pub(super) fn replay(&self, run: RunId, speed: f64) {
        self.replay.play(run, speed);
    }

    /// Renders all pictures again, after the terminal lost them.
    pub(super) fn refresh_pictures(&mut self) {
        self.test_upload.set_graphics(self.graphics);
    }

    fn connect(&self) {
        let (settings, sender) = (self.settings.clone(), self.sender.clone());
        tokio::spawn(async move {
            let event = match Session::open(settings).await {
                Ok(session) => with_preview(Arc::new(session)).await,
                Err(error) => RunnerEvent::Message(Message::NotConnected(failure_of(&error, error.hint()))),
            };
            // The receiver is gone when the console ends.
            let _ = sender.send(event).await;
        });
    }

    /// Sends a request to the session and forwards the result.
    fn ask<F: Future<Output = Message> + Send + 'static>(&self, request: impl FnOnce(Arc<Session>) -> F) {
        let Some(session) = &self.session else { return };
        let (result, sender) = (request(Arc::clone(session)), self.sender.clone());
        tokio::spawn(async move {
            let _ = sender.send(RunnerEvent::Message(result.await)).await;
        });
    }

    fn prepare(&mut self, task: Task, mode: RunMode) -> Vec<Message> {
        let Some(session) = self.session.clone() else { return Vec::new() };
        let sender = self.sender.clone();
        // A separate folder, so that test uploads do not overwrite each other's thumbnails.
        let thumbnails = match &task {
            Task::TestUpload(_) => self.test_upload.next_thumbnails_dir().map(Some),
            Task::Deploy | Task::Destroy => Ok(None),
        };
        let thumbnails = match thumbnails {
            Ok(thumbnails) => thumbnails,
            Err(error) => {
                let failure = Failure::new(format!("cannot create a folder for the thumbnails: {error}"));
                return vec![Message::PrepareFailed(task, failure)];
            }
        };
        tokio::spawn(async move {
            let event = match prepare_run(&session, task.clone(), mode, thumbnails).await {
                Ok(ready) => RunnerEvent::RunReady(ready),
                Err(error) => RunnerEvent::Message(Message::PrepareFailed(task, failure_of(&error, error.hint()))),
            };
            let _ = sender.send(event).await;
        });
        Vec::new()
    }

    fn start(&mut self, mode: RunMode, passes: usize, completed: BTreeSet<StepId>) {
        let Some(ReadyRun { prepared, summary }) = self.ready_run.take() else { return };
        let gate = ConsoleGate::new(mode, passes, completed, self.sender.clone());
        let cancel = CancellationToken::new();
        self.run = Some((Arc::clone(&gate), cancel.clone()));
        let sender = self.sender.clone();
        tokio::spawn(async move {
            let message = match prepared.run(gate, cancel).await {
                Ok(running) => watch(running, &sender).await,
                Err(error) => Message::PrepareFailed(summary.task, failure_of(&error, error.hint())),
            };
            let _ = sender.send(RunnerEvent::Message(message)).await;
        });
    }

    fn log(&mut self, source: LogSource, run: impl FnOnce(&mut LogStore) -> Vec<LogReport>) -> Vec<Message> {
        let store = self.stores.entry(source).or_default();
        run(store).into_iter().map(|report| Message::Log(source, report)).collect()
    }

    /// Whether log stores have pending work.
    pub(super) fn has_log_work(&self) -> bool {
        self.stores.values().any(LogStore::has_work)
    }

    /// Continues the work of log stores for a few milliseconds.
    pub(super) fn work_on_logs(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        for (source, store) in &mut self.stores {
            messages.extend(store.work().into_iter().map(|report| Message::Log(*source, report)));
        }
        messages
    }
}

/// Creates the event for an open session, with the preview. Reads all journals, which may take long.
async fn with_preview(session: Arc<Session>) -> RunnerEvent {
    let session_for_preview = Arc::clone(&session);
    let preview = tokio::task::spawn_blocking(move || session_for_preview.plan_preview()).await;
    let preview = match preview {
        Ok(Ok(preview)) => Ok(Box::new(preview)),
        Ok(Err(error)) => Err(failure_of(&error, error.hint())),
        Err(error) => Err(Failure::new(format!("the preview ended unexpectedly, which is a bug: {error}"))),
    };
    RunnerEvent::Connected(session, preview)
}

/// Prepares a run. For a deployment, fetches the missing resources from the cloud.
async fn prepare_run(
    session: &Session,
    task: Task,
    mode: RunMode,
    thumbnails: Option<PathBuf>,
) -> Result<ReadyRun, SessionError> {
    let prepared = match &task {
        Task::Deploy => session.prepare_deploy(mode).await?,
        Task::Destroy => session.prepare_destroy().await?,
        Task::TestUpload(images) => session.prepare_test_upload(images.clone(), thumbnails).await?,
    };
    let mut resources = prepared.resources().to_vec();
    if task == Task::Deploy && *session.label() != CloudLabel::Sandbox {
        // From the cloud, not the journal: resources deleted by hand would be recreated.
        let there = session.status().await?;
        resources.retain(|(kind, _)| !there.iter().any(|known| known.kind == *kind && known.presence.exists()));
    }
    let summary = PreparedRun {
        task,
        plan: prepared.started().plan.clone(),
        names: prepared.started().names.clone(),
        resources,
        foreign: prepared.foreign().to_vec(),
    };
    Ok(ReadyRun { prepared: Box::new(prepared), summary: Box::new(summary) })
}

/// Forwards the events of a run and returns its end.
async fn watch(running: RunHandle, sender: &mpsc::Sender<RunnerEvent>) -> Message {
    let RunHandle { mut events, report } = running;
    let mut batch = Vec::with_capacity(BATCH);
    while events.recv_many(&mut batch, BATCH).await > 0 {
        if sender.send(RunnerEvent::Message(Message::Events(std::mem::take(&mut batch)))).await.is_err() {
            break;
        }
    }
    Message::RunEnded(match report.await {
        Ok(Ok(report)) => Ok(report.outcome),
        Ok(Err(error)) => Err(failure_of(&error, None)),
        Err(error) => Err(Failure::new(format!("the run ended unexpectedly, which is a bug: {error}"))),
    })
}

fn connection_info(session: &Session) -> ConnectionInfo {
    ConnectionInfo {
        cloud: session.label().to_string(),
        risk: match session.label() {
            CloudLabel::Sandbox => RiskLevel::None,
            CloudLabel::Endpoint(_) => RiskLevel::Data,
            CloudLabel::Aws => RiskLevel::Cost,
        },
        account: session.identity().account.clone(),
        arn: session.identity().arn.clone(),
        region: session.region().to_owned(),
    }
}

/// Converts an error to a failure with a hint.
pub(super) fn failure_of(error: &dyn std::error::Error, hint: Option<String>) -> Failure {
    Failure { hint, ..Failure::from_error(error) }
}
