//! What the console hears ([`Message`]) and what it has done ([`Effect`]).

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use crossterm::event::{KeyEvent, MouseEvent};
use thumbctl_core::event::{Action, Event, Failure, LogSource, Outcome};
use thumbctl_core::names::Names;
use thumbctl_core::plan::{Plan, StepId};
use thumbctl_core::resource::ResourceKind;
use thumbctl_deploy::session::{Preview, ResourceStatus};

use super::log_store::{DisplayLine, LogCommand, LogReport};
use super::model::test_upload::{TestUploadCommand, TestUploadReport};
use super::theme::Theme;

/// Something that the console hears.
#[derive(Debug)]
pub enum Message {
    /// A key.
    Key(KeyEvent),
    /// The mouse.
    Mouse(MouseEvent),
    /// A text that was pasted, or a file that was dropped onto the terminal.
    Paste(String),
    /// The terminal has another size: columns, rows.
    Resize(u16, u16),
    /// What time it is: the machine's, or in a replay the recording's.
    Tick(DateTime<Utc>),
    /// What the terminal turned out to be able to do.
    Terminal(TerminalInfo),
    /// Events, in their order: of earlier runs, of ours, of another process's, of a recording.
    Events(Vec<Event>),
    /// All journals have been read.
    JournalsRead,
    /// Another process works on the deployment (its own words), or none does any more.
    Holder(Option<String>),
    /// The cloud answered.
    Connected(Box<ConnectionInfo>),
    /// The cloud did not answer.
    NotConnected(Failure),
    /// What a deployment would do.
    Preview(Box<Preview>),
    /// A run is ready and only waits for a yes.
    RunReady(Box<PreparedRun>),
    /// A run cannot be begun.
    PrepareFailed(Task, Failure),
    /// Our run waits before a step.
    Held(StepId),
    /// Our run has ended; its journal could not be written if there is a failure.
    RunEnded(Result<Outcome, Failure>),
    /// What the cloud says of every resource.
    Status(Result<Vec<ResourceStatus>, Failure>),
    /// What the cloud says of one resource.
    Inspected(ResourceKind, Result<Option<Box<thumbctl_deploy::session::Inspection>>, Failure>),
    /// Something about a log.
    Log(LogSource, LogReport),
    /// Lines of a log that is read from the cloud.
    Lines(LogSource, Vec<DisplayLine>),
    /// Something about the trial.
    TestUpload(TestUploadReport),
    /// Something that was done, or could not be, in words.
    Notice(Result<String, Failure>),
    /// How far a recording has been played, and how fast.
    Replay(ReplayPosition),
    /// The program was told to end.
    Terminate,
}

/// Where the console is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// What the cloud is called.
    pub cloud: String,
    /// What it is, and so how carefully things must be asked.
    pub risk: RiskLevel,
    /// The account's number.
    pub account: String,
    /// Who we are there.
    pub arn: String,
    /// The region.
    pub region: String,
}

/// What is at stake in a cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RiskLevel {
    /// Nothing: the sandbox.
    None,
    /// Somebody's work, perhaps: an endpoint of the user's own.
    Data,
    /// Money: AWS.
    Cost,
}

/// What the terminal turned out to be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalInfo {
    /// The theme for its background, where it says what that is.
    pub theme: Option<Theme>,
}

/// What can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Create what is missing.
    Deploy,
    /// Remove what is there.
    Destroy,
    /// Send these images.
    TestUpload(Vec<PathBuf>),
}

impl Task {
    /// The action that its run has.
    pub fn action(&self) -> Action {
        match self {
            Self::Deploy => Action::Deploy,
            Self::Destroy => Action::Destroy,
            Self::TestUpload(_) => Action::Trial,
        }
    }
}

/// A run that only waits for a yes.
#[derive(Clone, Debug, PartialEq)]
pub struct PreparedRun {
    /// What it is.
    pub task: Task,
    /// What it will do.
    pub plan: Plan,
    /// Under which names.
    pub names: Names,
    /// What it creates or removes. For a deployment, what the cloud says is missing.
    pub resources: Vec<(ResourceKind, String)>,
    /// What has a name like ours but somebody else's tag, and is left alone.
    pub foreign: Vec<String>,
}

/// How a run goes on at its gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// It is held before each step.
    StepByStep,
    /// It is not held.
    Through,
}

/// How far a recording has been played.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayPosition {
    /// The run that is played.
    pub run: String,
    /// How many times faster than it happened.
    pub speed: f64,
    /// Whether it is held.
    pub paused: bool,
    /// Whether it was played to its end.
    pub over: bool,
}

/// Something that is to be done outside the model.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Connect to the cloud.
    Connect,
    /// Ask the cloud for the state of every resource.
    FetchStatus,
    /// Ask the cloud for everything about one resource.
    Inspect(ResourceKind),
    /// Make a run ready, which is to be gone through at this pace.
    Prepare(Task, RunMode),
    /// Begin the run that was made ready.
    Start {
        /// How it goes at its gate.
        mode: RunMode,
        /// How many steps pass before the gate closes, where it is held.
        passes: usize,
        /// Steps that have nothing to do and so are never held.
        completed: BTreeSet<StepId>,
    },
    /// Forget the run that was made ready.
    Discard,
    /// Let the step that is held go.
    ReleaseStep,
    /// Hold the run before each step, or let it run on.
    SetMode(RunMode),
    /// Cancel the run in order.
    CancelRun,
    /// Read the log of the function of these names as it grows; or read none.
    FollowFunctionLog(Option<Names>),
    /// Something about a log's store. Done at once; its report is taken in before the next drawing.
    Log(LogSource, LogCommand),
    /// Something that the trial needs.
    TestUpload(TestUploadCommand),
    /// Say something to the user.
    Notify(Result<String, Failure>),
    /// Put a text into the terminal's clipboard (OSC 52).
    Copy(String),
    /// Play a recording this many times faster than now. Relative, for what is known here of its speed may be old.
    ChangeReplaySpeed(f64),
    /// Hold a recording, or go on with one that is held.
    ReplayTogglePause,
    /// Stop the program until the shell continues it.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// End the console.
    Quit,
}
