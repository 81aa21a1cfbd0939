//! What a run looks like while it runs: a fold over its events ([`view`]), drawn in place on a terminal ([`live`]) or told
//! line by line ([`plain`]).

pub(crate) mod live;
pub(crate) mod plain;
pub(crate) mod view;

use super::style::{self, Role};
use super::text;
use crate::event::{Action, RunStarted, SkipReason, TrialStage};

/// `Deploying thumbnails by sdk · sandbox · account 000000000000 · us-east-1`
pub(crate) fn headline(started: &RunStarted) -> String {
    let doing = match started.action {
        Action::Deploy => format!("Deploying {} by {}", started.deployment, started.strategy),
        Action::Destroy => format!("Destroying {}", started.deployment),
        Action::Trial => {
            format!("Sending {} through {}", text::count(started.plan.steps().len(), "image"), started.deployment)
        }
    };
    format!("{doing} · {} · account {} · {}", started.cloud, started.account, started.region)
}

/// Why a step was not run, and how that is marked.
fn skipped(reason: SkipReason, action: Action) -> (&'static str, Role, &'static str) {
    match (reason, action) {
        (SkipReason::AlreadyDone, Action::Destroy) => (style::ALREADY, Role::Quiet, "was gone already"),
        (SkipReason::AlreadyDone, _) => (style::ALREADY, Role::Quiet, "was there already"),
        (SkipReason::Cancelled, _) => (style::SKIPPED, Role::Warn, "not done: cancelled"),
        (SkipReason::Failed, _) => (style::SKIPPED, Role::Warn, "not done: something failed before"),
    }
}

/// An image's stage in words.
fn stage(stage: TrialStage, cold: Option<bool>) -> &'static str {
    match (stage, cold) {
        (TrialStage::Uploaded, _) => "uploaded",
        (TrialStage::Invoked, Some(true)) => "function started (cold)",
        (TrialStage::Invoked, Some(false)) => "function started (warm)",
        (TrialStage::Invoked, None) => "function started",
        (TrialStage::Thumbnail, _) => "thumbnail written",
        (TrialStage::Saved, _) => "thumbnail saved",
    }
}
