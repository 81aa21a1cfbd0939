//! Key hints from the key map, for all texts that mention a key.

use super::Appearance;
use super::line::StyledRow;
use crate::keymap::{Action, Binding, Chord, Context, KeyMap};
use crate::model::resources::DeploymentStatus;
use crate::model::{Connection, Model};
use crate::panel::Panel;
use crate::theme::Role;
use crate::update::{available, available_without_overlay};

/// The hint for an available key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The key.
    pub key: String,
    /// The action.
    pub action: Action,
    /// The label.
    pub label: &'static str,
}

impl Hint {
    /// The key and its label, as a row.
    pub fn row(&self, appearance: Appearance) -> StyledRow {
        StyledRow::new(appearance).text(&self.key, Role::Key).text(&format!(" {}", self.label), Role::Muted)
    }
}

/// The key of an action without an overlay; none if unavailable or without a key.
pub fn key_of(model: &Model, action: Action) -> Option<String> {
    let contexts = model.contexts_without_overlay();
    let is_available = |action: Action| available_without_overlay(model, action);
    if !is_available(action) {
        return None;
    }
    // Global keys are preferred.
    let mut bindings = contexts.iter().rev().flat_map(|context| model.keymap.bindings(*context));
    bindings.find_map(|binding| key(&model.keymap, &contexts, binding, action, &is_available))
}

fn key(
    keymap: &KeyMap,
    contexts: &[Context],
    binding: &Binding,
    action: Action,
    is_available: &dyn Fn(Action) -> bool,
) -> Option<String> {
    if binding.action != action {
        return None;
    }
    let means_it = |chord: &&Chord| meaning(keymap, contexts, **chord, is_available) == Some(action);
    binding.chords.iter().find(means_it).map(ToString::to_string)
}

/// The action of a key: the available one of the innermost context.
fn meaning(
    keymap: &KeyMap,
    contexts: &[Context],
    chord: Chord,
    is_available: &dyn Fn(Action) -> bool,
) -> Option<Action> {
    let mut bindings = contexts.iter().flat_map(|context| keymap.bindings(*context));
    bindings.find(|binding| binding.chords.contains(&chord) && is_available(binding.action)).map(|b| b.action)
}

/// The hints for all available keys, most important first, without navigation and rare actions.
pub fn now(model: &Model) -> Vec<Hint> {
    let contexts = model.contexts();
    let is_available = |action: Action| available(model, action);
    let mut hints: Vec<Hint> = Vec::new();
    for context in &contexts {
        for binding in model.keymap.bindings(*context) {
            let is_known = hints.iter().any(|hint| hint.action == binding.action);
            if is_known || is_omitted(binding.action) || !is_available(binding.action) {
                continue;
            }
            if let Some(key) = key(&model.keymap, &contexts, binding, binding.action, &is_available) {
                hints.push(Hint { key, action: binding.action, label: label(*context, binding.action) });
            }
        }
    }
    if let Some(hint) = test_upload_hint(model) {
        hints.push(hint);
    }
    hints.sort_by_key(|hint| rank(model, hint.action));
    hints
}

/// The hint for a test upload, once the deployment is complete.
fn test_upload_hint(model: &Model) -> Option<Hint> {
    let is_next =
        model.status() == DeploymentStatus::Ready && model.overlay.is_none() && model.focus != Panel::TestUpload;
    let action = Action::Show(Panel::TestUpload);
    let key = key_of(model, action).filter(|_| is_next && model.activity.is_idle())?;
    Some(Hint { key, action, label: action.label() })
}

fn label(context: Context, action: Action) -> &'static str {
    match (context, action) {
        (Context::Confirm, Action::Accept) => "confirm",
        (Context::Confirm, Action::Back) => "cancel",
        (Context::Quitting, Action::Back) => "stay",
        (Context::Reading, Action::Back) => "close",
        _ => action.label(),
    }
}

/// The priority of a hint: run control, then panel actions, then the rest.
fn rank(model: &Model, action: Action) -> u8 {
    match action {
        Action::Refresh if matches!(model.connection, Connection::Failed(_)) => 0,
        Action::Send | Action::Choose | Action::Accept | Action::Show(Panel::TestUpload) => 0,
        Action::RunStep | Action::RunAll | Action::Pause | Action::Cancel => 1,
        Action::Faster | Action::Slower => 2,
        Action::Refresh | Action::Messages => 5,
        Action::Destroy | Action::Palette => 4,
        _ => 3,
    }
}

/// Whether an action is omitted from the hints: navigation, and keys known from the shell.
fn is_omitted(action: Action) -> bool {
    action.is_move()
        || matches!(
            action,
            Action::NextPanel | Action::PreviousPanel | Action::Show(_) | Action::Suspend | Action::Redraw
        )
}
