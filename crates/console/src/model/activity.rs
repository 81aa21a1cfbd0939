//! [`Activity`]: who works on the deployment, and how.

use thumbctl_core::event::{Action, RunId};
use thumbctl_core::plan::StepId;

use crate::message::{PreparedRun, ReplayPosition, RunMode, Task};

/// Who works on the deployment, and how. Only one thing is done at a time.
#[derive(Clone, Debug, PartialEq)]
pub enum Activity {
    /// Nobody.
    Idle,
    /// We make a run ready.
    Preparing {
        /// What it is.
        task: Task,
        /// How it shall go.
        mode: RunMode,
    },
    /// A run is ready, and the user is asked.
    Confirming {
        /// The run.
        run: Box<PreparedRun>,
        /// How it shall go.
        mode: RunMode,
    },
    /// We run something.
    Running(ActiveRun),
    /// Another process works on it; in its own words which.
    OtherProcess {
        /// For example `process 123 (thumbctl deploy)`.
        holder: String,
    },
    /// A recording is played.
    Replay(ReplayPosition),
}

/// A run of this process's.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveRun {
    /// What it does.
    pub action: Action,
    /// Its id, once its first event has come.
    pub id: Option<RunId>,
    /// How it goes at its gate.
    pub mode: RunMode,
    /// The step before which it is held.
    pub held: Option<StepId>,
    /// Whether it was cancelled.
    pub cancelling: bool,
}

impl Activity {
    /// A recording of which nothing was played yet.
    pub fn replay() -> Self {
        Self::Replay(ReplayPosition { run: String::new(), speed: 1.0, paused: false, over: false })
    }

    /// Our run, if we run something.
    pub fn active_run(&self) -> Option<&ActiveRun> {
        match self {
            Self::Running(run) => Some(run),
            _ => None,
        }
    }

    /// Our run, to be changed.
    pub fn active_run_mut(&mut self) -> Option<&mut ActiveRun> {
        match self {
            Self::Running(run) => Some(run),
            _ => None,
        }
    }

    /// Whether time passes that is shown.
    pub fn is_running(&self) -> bool {
        match self {
            Self::Running(_) | Self::OtherProcess { .. } | Self::Preparing { .. } => true,
            Self::Replay(position) => !position.over && !position.paused,
            Self::Idle | Self::Confirming { .. } => false,
        }
    }

    /// Whether a recording is played.
    pub fn is_replay(&self) -> bool {
        matches!(self, Self::Replay(_))
    }

    /// The run whose recording is played, once that is known.
    pub fn replay_run_id(&self) -> Option<&str> {
        match self {
            Self::Replay(position) => Some(position.run.as_str()).filter(|run| !run.is_empty()),
            _ => None,
        }
    }

    /// Whether something new may be begun.
    pub fn is_idle(&self) -> bool {
        *self == Self::Idle
    }
}
