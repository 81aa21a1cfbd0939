//! Which sign and which meaning a state has, so that every panel shows it alike.

use super::Look;
use crate::model::Model;
use crate::model::messages::Tone;
use crate::model::resources::{ResourceRow, RowState, StateOfAffairs};
use crate::model::run::StepState;
use crate::theme::Role;

/// A state, as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sign {
    /// The sign.
    pub sign: &'static str,
    /// The word for it.
    pub word: &'static str,
    /// What it means.
    pub role: Role,
}

/// How a resource's state is shown. What the journal has and the cloud has not is lost.
pub fn of_row(row: &ResourceRow, model: &Model, look: Look) -> Sign {
    let symbols = look.symbols;
    if row.state == RowState::Ready && model.details.lost.contains(&row.kind) {
        return Sign { sign: symbols.unfinished, word: "lost", role: Role::Bad };
    }
    let (sign, role) = match row.state {
        RowState::Waiting => (symbols.waiting, Role::Quiet),
        RowState::Next => (symbols.next, Role::Next),
        RowState::Creating => (look.spinner(model), Role::Busy),
        RowState::Retrying => (symbols.retrying, Role::Warn),
        RowState::Ready => (symbols.ready, Role::Good),
        RowState::Failed => (symbols.failed, Role::Bad),
        RowState::Deleting => (look.spinner(model), Role::Warn),
        RowState::Gone => (symbols.gone, Role::Quiet),
        RowState::Unfinished => (symbols.unfinished, Role::Warn),
    };
    Sign { sign, word: row.state.word(), role }
}

/// How the deployment's state is shown.
pub fn of_affairs(state: StateOfAffairs, model: &Model, look: Look) -> Sign {
    let symbols = look.symbols;
    let (sign, role) = match state {
        StateOfAffairs::Reading | StateOfAffairs::Preparing | StateOfAffairs::Deploying => {
            (look.spinner(model), Role::Busy)
        }
        StateOfAffairs::Destroying | StateOfAffairs::Cancelling => (look.spinner(model), Role::Warn),
        StateOfAffairs::Held => (symbols.next, Role::Next),
        StateOfAffairs::Empty => (symbols.waiting, Role::Quiet),
        StateOfAffairs::Ready => (symbols.ready, Role::Good),
        StateOfAffairs::Partial | StateOfAffairs::Interrupted => (symbols.unfinished, Role::Warn),
        StateOfAffairs::Failed => (symbols.failed, Role::Bad),
        StateOfAffairs::Destroyed => (symbols.gone, Role::Quiet),
    };
    Sign { sign, word: state.words(), role }
}

/// How a step's state is shown.
pub fn of_step(state: &StepState, model: &Model, look: Look) -> Sign {
    let symbols = look.symbols;
    let (sign, word, role) = match state {
        StepState::Waiting => (symbols.waiting, "waiting", Role::Quiet),
        StepState::Running { retrying: true, .. } => (symbols.retrying, "retrying", Role::Warn),
        StepState::Running { retrying: false, .. } => (look.spinner(model), "running", Role::Busy),
        StepState::Done(_) => (symbols.ready, "done", Role::Good),
        StepState::Failed(..) => (symbols.failed, "failed", Role::Bad),
        StepState::Skipped(_) => (symbols.skipped, "not done", Role::Quiet),
    };
    Sign { sign, word, role }
}

/// How a message's tone is shown.
pub fn of_tone(tone: Tone, look: Look) -> Sign {
    let (sign, word, role) = match tone {
        Tone::Info => (look.symbols.dot, "note", Role::Text),
        Tone::Good => (look.symbols.ready, "done", Role::Good),
        Tone::Bad => (look.symbols.failed, "failed", Role::Bad),
    };
    Sign { sign, word, role }
}
