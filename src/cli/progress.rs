//! What a run looks like while it runs: a fold over its events ([`view`]), drawn in place on a terminal ([`live`]) or told
//! line by line ([`plain`]).

pub(crate) mod live;
pub(crate) mod plain;
pub(crate) mod view;

use thumbctl_core::event::{Action, RunStarted, SkipReason};
use thumbctl_platform::text;

use super::style::{self, Role};

/// `Deploying thumbnails by sdk · sandbox · account 000000000000 · us-east-1`
pub(crate) fn headline(started: &RunStarted) -> String {
    let doing = match started.action {
        Action::Deploy => format!("Deploying {} by {}", started.deployment, started.strategy),
        Action::Destroy => format!("Destroying {}", started.deployment),
        Action::TestUpload => {
            format!("Sending {} through {}", text::count(started.plan.steps().len(), "image"), started.deployment)
        }
    };
    format!("{doing} · {} · account {} · {}", started.cloud, started.account, started.region)
}

/// Why a step was not run, and how that is marked.
fn skipped(reason: SkipReason, action: Action) -> (&'static str, Role, &'static str) {
    let (sign, role) = match reason {
        SkipReason::AlreadyDone => (style::ALREADY, Role::Quiet),
        SkipReason::Cancelled | SkipReason::Failed => (style::SKIPPED, Role::Warn),
    };
    (sign, role, reason.label(action))
}
