//! The inputs ([`Message`]) and outputs ([`Effect`]) of the console's update function.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use crossterm::event::{KeyEvent, MouseEvent};
use thumbctl_core::event::{Action, Event, Failure, LogSource, Outcome};
use thumbctl_core::names::Names;
use thumbctl_core::plan::{Plan, StepId};
use thumbctl_core::resource::ResourceKind;
pub use thumbctl_deploy::session::RunMode;
use thumbctl_deploy::session::{Preview, ResourceStatus};

use super::log_store::{DisplayLine, LogCommand, LogReport};
use super::pane::test_upload::protocol::{TestUploadCommand, TestUploadReport};
use super::theme::Theme;

/// An input of the console.
#[derive(Debug)]
pub enum Message {
    /// A key event.
    Key(KeyEvent),
    /// A mouse event.
    Mouse(MouseEvent),
    /// Pasted text, or the path of a file dropped onto the terminal.
    Paste(String),
    /// A new terminal size: columns, rows.
    Resize(u16, u16),
    /// The current time: the system's, or in a replay the recording's.
    Tick(DateTime<Utc>),
    /// The terminal's reply to the capability query.
    Terminal(TerminalInfo),
    /// Run events in order: of earlier runs, this process, another process, or a recording.
    Events(Vec<Event>),
    /// All journals have been read.
    JournalsRead,
    /// The process that holds the deployment lock, if it is another one.
    Holder(Option<String>),
    /// The connection to the cloud succeeded.
    Connected(Box<ConnectionInfo>),
    /// The connection to the cloud failed.
    NotConnected(Failure),
    /// The preview of a deployment.
    Preview(Box<Preview>),
    /// A run is prepared and can be confirmed.
    RunReady(Box<PreparedRun>),
    /// A run cannot be started.
    PrepareFailed(Task, Failure),
    /// The active run waits before a step.
    Held(StepId),
    /// The active run ended; a failure means that its journal cannot be written.
    RunEnded(Result<Outcome, Failure>),
    /// The cloud's status of all resources.
    Status(Result<Vec<ResourceStatus>, Failure>),
    /// The cloud's configuration of one resource.
    Inspected(ResourceKind, Result<Option<Box<thumbctl_deploy::session::Inspection>>, Failure>),
    /// A report of a log store.
    Log(LogSource, LogReport),
    /// Log lines read from the cloud.
    Lines(LogSource, Vec<DisplayLine>),
    /// A report of the test upload worker.
    TestUpload(TestUploadReport),
    /// A message for the user.
    Notice(Result<String, Failure>),
    /// The position and speed of the replay.
    Replay(ReplayPosition),
    /// The program must terminate.
    Terminate,
}

/// The cloud connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The displayed name of the cloud.
    pub cloud: String,
    /// The risk level, which determines the confirmations.
    pub risk: RiskLevel,
    /// The account ID.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
    /// The region.
    pub region: String,
}

/// The risk of changes in a cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RiskLevel {
    /// No risk: the sandbox.
    None,
    /// Data may be affected: a custom endpoint.
    Data,
    /// Costs may occur: AWS.
    Cost,
}

/// Terminal properties that affect the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalInfo {
    /// The theme for the background, if known.
    pub theme: Option<Theme>,
}

/// A run that can be requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Creates the missing resources.
    Deploy,
    /// Deletes the existing resources.
    Destroy,
    /// Uploads these images.
    TestUpload(Vec<PathBuf>),
}

impl Task {
    /// The action of the run.
    pub fn action(&self) -> Action {
        match self {
            Self::Deploy => Action::Deploy,
            Self::Destroy => Action::Destroy,
            Self::TestUpload(_) => Action::TestUpload,
        }
    }
}

/// A prepared run, before confirmation.
#[derive(Clone, Debug, PartialEq)]
pub struct PreparedRun {
    /// The requested run.
    pub task: Task,
    /// The plan.
    pub plan: Plan,
    /// The resource names.
    pub names: Names,
    /// The resources to create or delete. For a deployment, those missing in the cloud.
    pub resources: Vec<(ResourceKind, String)>,
    /// Resources with matching names but without the deployment's tag, which are not touched.
    pub foreign: Vec<String>,
}

/// The position of a replay.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayPosition {
    /// The replayed run.
    pub run: String,
    /// The speed factor.
    pub speed: f64,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether it is at the end.
    pub over: bool,
}

/// A side effect requested by the model.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Connects to the cloud.
    Connect,
    /// Fetches the status of all resources.
    FetchStatus,
    /// Fetches the configuration of one resource.
    Inspect(ResourceKind),
    /// Prepares a run.
    Prepare(Task, RunMode),
    /// Starts the prepared run.
    Start {
        /// The run mode.
        mode: RunMode,
        /// The number of steps to release at the start, in step mode.
        passes: usize,
        /// Completed steps, which are never held.
        completed: BTreeSet<StepId>,
    },
    /// Discards the prepared run.
    Discard,
    /// Releases the held step.
    ReleaseStep,
    /// Changes the run mode.
    SetMode(RunMode),
    /// Cancels the run.
    CancelRun,
    /// Follows the function log of these names; none: stops.
    FollowFunctionLog(Option<Names>),
    /// Sends a command to a log store. Its reports are applied before the next frame.
    Log(LogSource, LogCommand),
    /// Sends a command to the test upload worker.
    TestUpload(TestUploadCommand),
    /// Shows a message to the user.
    Notify(Result<String, Failure>),
    /// Copies a text to the terminal's clipboard (OSC 52).
    Copy(String),
    /// Multiplies the replay speed; relative, since the model's value may be outdated.
    ChangeReplaySpeed(f64),
    /// Pauses or resumes the replay.
    ReplayTogglePause,
    /// Suspends the program until the shell continues it.
    Suspend,
    /// Redraws the screen.
    Redraw,
    /// Quits the console.
    Quit,
}
