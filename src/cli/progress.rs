//! The progress of a run: a fold over its events ([`view`]), drawn in place on a terminal ([`live`]) or as plain lines
//! ([`plain`]).

pub(crate) mod live;
pub(crate) mod plain;
pub(crate) mod view;

use thumbctl_core::event::{Action, RunStarted, SkipReason};
use thumbctl_platform::text;

use super::style::{self, Role};

/// `Deploying thumbnails by sdk · sandbox · account 000000000000 · us-east-1`
pub(crate) fn headline(started: &RunStarted) -> String {
    let title = match started.action {
        Action::Deploy => format!("Deploying {} by {}", started.deployment, started.strategy),
        Action::Destroy => format!("Destroying {}", started.deployment),
        Action::TestUpload => {
            format!("Uploading {} to {}", text::count(started.plan.steps().len(), "image"), started.deployment)
        }
    };
    format!("{title} · {} · account {} · {}", started.cloud, started.account, started.region)
}

/// The symbol, style and text of a skipped step.
fn skipped(reason: SkipReason, action: Action) -> (&'static str, Role, &'static str) {
    let (sign, role) = match reason {
        SkipReason::AlreadyDone => (style::ALREADY, Role::Muted),
        SkipReason::Cancelled | SkipReason::Failed => (style::SKIPPED, Role::Warn),
    };
    (sign, role, reason.label(action))
}
