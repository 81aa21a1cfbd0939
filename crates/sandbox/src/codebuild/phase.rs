//! The phases that a build goes through.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shell::CommandOutcome;

/// Phases in the order in which a build enters them.
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
    /// As CodeBuild writes it.
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

/// How a build, or one of its phases, stands.
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
    /// As CodeBuild writes it.
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

/// Why a phase ended as it did. Both are empty where it went well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PhaseContext {
    pub(super) code: String,
    pub(super) message: String,
}

impl PhaseContext {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }

    /// A command of the buildspec has failed.
    pub(super) fn command(command: &str, end: CommandOutcome) -> Self {
        // CodeBuild has the status only, which would hide that the machine's disk is full.
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
    /// How and when it ended; open while it runs.
    pub(super) end: Option<(f64, BuildStatus, PhaseContext)>,
}

impl Phase {
    pub(super) fn describe(&self) -> Value {
        let mut phase = json!({ "phaseType": self.kind.name(), "startTime": self.start });
        if let Some((end, status, context)) = &self.end {
            phase["endTime"] = json!(end);
            phase["phaseStatus"] = json!(status.name());
            // Whole seconds, as CodeBuild has them.
            phase["durationInSeconds"] = json!((end - self.start).max(0.0) as u64);
            phase["contexts"] = json!([{ "statusCode": context.code, "message": context.message }]);
        }
        phase
    }
}
