//! [`Activity`]: the current activity on the deployment.

use thumbctl_core::event::{Action, RunId};
use thumbctl_core::plan::StepId;

use crate::message::{PreparedRun, ReplayPosition, RunMode, Task};

/// The current activity on the deployment. There is at most one.
#[derive(Clone, Debug, PartialEq)]
pub enum Activity {
    /// No activity.
    Idle,
    /// A run is being prepared.
    Preparing {
        /// The requested run.
        task: Task,
        /// The run mode.
        mode: RunMode,
    },
    /// A prepared run waits for confirmation.
    Confirming {
        /// The prepared run.
        run: Box<PreparedRun>,
        /// The run mode.
        mode: RunMode,
    },
    /// A run of this process is active.
    Running(ActiveRun),
    /// Another process holds the deployment lock.
    OtherProcess {
        /// For example `process 123 (thumbctl deploy)`.
        holder: String,
    },
    /// A replay.
    Replay(ReplayPosition),
}

/// The active run of this process.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveRun {
    /// The action.
    pub action: Action,
    /// The run ID, once its first event arrived.
    pub id: Option<RunId>,
    /// The run mode.
    pub mode: RunMode,
    /// The step that is held.
    pub held: Option<StepId>,
    /// Whether it is being cancelled.
    pub cancelling: bool,
}

impl Activity {
    /// A replay at its start.
    pub fn replay() -> Self {
        Self::Replay(ReplayPosition { run: String::new(), speed: 1.0, paused: false, over: false })
    }

    /// The active run of this process.
    pub fn active_run(&self) -> Option<&ActiveRun> {
        match self {
            Self::Running(run) => Some(run),
            _ => None,
        }
    }

    /// The active run of this process, mutable.
    pub fn active_run_mut(&mut self) -> Option<&mut ActiveRun> {
        match self {
            Self::Running(run) => Some(run),
            _ => None,
        }
    }

    /// Whether elapsed time is displayed.
    pub fn is_running(&self) -> bool {
        match self {
            Self::Running(_) | Self::OtherProcess { .. } | Self::Preparing { .. } => true,
            Self::Replay(position) => !position.over && !position.paused,
            Self::Idle | Self::Confirming { .. } => false,
        }
    }

    /// Whether this is a replay.
    pub fn is_replay(&self) -> bool {
        matches!(self, Self::Replay(_))
    }

    /// The ID of the replayed run, once known.
    pub fn replay_run_id(&self) -> Option<&str> {
        match self {
            Self::Replay(position) => Some(position.run.as_str()).filter(|run| !run.is_empty()),
            _ => None,
        }
    }

    /// Whether a new run can be started.
    pub fn is_idle(&self) -> bool {
        *self == Self::Idle
    }
}
