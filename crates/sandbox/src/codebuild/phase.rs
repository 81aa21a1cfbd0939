//! The phases of a build.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shell::CommandOutcome;

/// The phases in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum PhaseKind {
    Submitted,
    Queued,
    Provisioning,
    DownloadSource,
    Install,
    PreBuild,
    Build,
    PostBuild,
    UploadArtifacts,
    Finalizing,
    Completed,
}

impl PhaseKind {
    /// CodeBuild's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Queued => "QUEUED",
            Self::Provisioning => "PROVISIONING",
            Self::DownloadSource => "DOWNLOAD_SOURCE",
            Self::Install => "INSTALL",
            Self::PreBuild => "PRE_BUILD",
            Self::Build => "BUILD",
            Self::PostBuild => "POST_BUILD",
            Self::UploadArtifacts => "UPLOAD_ARTIFACTS",
            Self::Finalizing => "FINALIZING",
            Self::Completed => "COMPLETED",
        }
    }
}

/// The status of a build or a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum BuildStatus {
    InProgress,
    Succeeded,
    Failed,
    Fault,
    TimedOut,
    Stopped,
}

impl BuildStatus {
    /// CodeBuild's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Fault => "FAULT",
            Self::TimedOut => "TIMED_OUT",
            Self::Stopped => "STOPPED",
        }
    }
}

/// The reason of a phase's end. Both fields are empty on success.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PhaseContext {
    pub(super) code: String,
    pub(super) message: String,
}

impl PhaseContext {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }

    /// The context of a failed command.
    pub(super) fn command(command: &str, end: CommandOutcome) -> Self {
        // CodeBuild reports only the status, which would hide that the machine's disk is full.
        let why = end.write_failure.map(|failure| format!("{}, ", failure.reason())).unwrap_or_default();
        Self::new(
            "COMMAND_EXECUTION_ERROR",
            format!("Error while executing command: {}. Reason: {why}exit status {}", command.trim_end(), end.status),
        )
    }
}

/// One phase of one build.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Phase {
    pub(super) kind: PhaseKind,
    pub(super) start: f64,
    /// The time, status and context of its end; `None` while it runs.
    pub(super) end: Option<(f64, BuildStatus, PhaseContext)>,
}

impl Phase {
    pub(super) fn describe(&self) -> Value {
        let mut phase = json!({ "phaseType": self.kind.name(), "startTime": self.start });
        if let Some((end, status, context)) = &self.end {
            phase["endTime"] = json!(end);
            phase["phaseStatus"] = json!(status.name());
            // Whole seconds, as in CodeBuild.
            phase["durationInSeconds"] = json!((end - self.start).max(0.0) as u64);
            phase["contexts"] = json!([{ "statusCode": context.code, "message": context.message }]);
        }
        phase
    }
}
