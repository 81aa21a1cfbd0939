//! The symbols, labels and roles of states, shared by all panels.

use super::Appearance;
use crate::model::Model;
use crate::model::messages::Severity;
use crate::model::resources::{DeploymentStatus, ResourceDisplayState, ResourceRow};
use crate::model::run::StepState;
use crate::theme::Role;

/// The representation of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusSymbol {
    /// The symbol.
    pub symbol: &'static str,
    /// The label.
    pub label: &'static str,
    /// The role.
    pub role: Role,
}

/// The symbol of a resource. A resource in the journal that is missing in the cloud is lost.
pub fn for_resource(row: &ResourceRow, model: &Model, appearance: Appearance) -> StatusSymbol {
    let symbols = appearance.symbols;
    if row.state == ResourceDisplayState::Ready && model.details.lost.contains(&row.kind) {
        return StatusSymbol { symbol: symbols.unfinished, label: "lost", role: Role::Bad };
    }
    let (symbol, role) = match row.state {
        ResourceDisplayState::Waiting => (symbols.waiting, Role::Muted),
        ResourceDisplayState::Next => (symbols.next, Role::Next),
        ResourceDisplayState::Creating => (appearance.spinner(model), Role::Busy),
        ResourceDisplayState::Retrying => (symbols.retrying, Role::Warn),
        ResourceDisplayState::Ready => (symbols.ready, Role::Good),
        ResourceDisplayState::Failed => (symbols.failed, Role::Bad),
        ResourceDisplayState::Deleting => (appearance.spinner(model), Role::Warn),
        ResourceDisplayState::Deleted => (symbols.deleted, Role::Muted),
        ResourceDisplayState::Unfinished => (symbols.unfinished, Role::Warn),
    };
    StatusSymbol { symbol, label: row.state.label(), role }
}

/// The symbol of a deployment status.
pub fn for_deployment(state: DeploymentStatus, model: &Model, appearance: Appearance) -> StatusSymbol {
    let symbols = appearance.symbols;
    let (symbol, role) = match state {
        DeploymentStatus::Reading | DeploymentStatus::Preparing | DeploymentStatus::Deploying => {
            (appearance.spinner(model), Role::Busy)
        }
        DeploymentStatus::Destroying | DeploymentStatus::Cancelling => (appearance.spinner(model), Role::Warn),
        DeploymentStatus::Held => (symbols.next, Role::Next),
        DeploymentStatus::Empty => (symbols.waiting, Role::Muted),
        DeploymentStatus::Ready => (symbols.ready, Role::Good),
        DeploymentStatus::Partial | DeploymentStatus::Interrupted => (symbols.unfinished, Role::Warn),
        DeploymentStatus::Failed => (symbols.failed, Role::Bad),
        DeploymentStatus::Destroyed => (symbols.deleted, Role::Muted),
    };
    StatusSymbol { symbol, label: state.label(), role }
}

/// The symbol of a step.
pub fn for_step(state: &StepState, model: &Model, appearance: Appearance) -> StatusSymbol {
    let symbols = appearance.symbols;
    let (symbol, label, role) = match state {
        StepState::Waiting => (symbols.waiting, "waiting", Role::Muted),
        StepState::Running { retrying: true, .. } => (symbols.retrying, "retrying", Role::Warn),
        StepState::Running { retrying: false, .. } => (appearance.spinner(model), "running", Role::Busy),
        StepState::Done(_) => (symbols.ready, "done", Role::Good),
        StepState::Failed(..) => (symbols.failed, "failed", Role::Bad),
        StepState::Skipped(_) => (symbols.skipped, "skipped", Role::Muted),
    };
    StatusSymbol { symbol, label, role }
}

/// The symbol of a message.
pub fn for_message(severity: Severity, appearance: Appearance) -> StatusSymbol {
    let (symbol, label, role) = match severity {
        Severity::Info => (appearance.symbols.dot, "note", Role::Text),
        Severity::Success => (appearance.symbols.ready, "done", Role::Good),
        Severity::Error => (appearance.symbols.failed, "failed", Role::Bad),
    };
    StatusSymbol { symbol, label, role }
}
