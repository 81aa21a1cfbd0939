//! Actions while an overlay is open.

use super::commands::{available_without_overlay, cancel_run, perform};
use super::responses;
use crate::keymap::Action;
use crate::message::{Effect, RunMode};
use crate::model::Model;
use crate::model::activity::Activity;
use crate::model::messages::Severity;
use crate::model::overlay::{ConfirmAction, ConfirmInput, Overlay, matching};
use crate::scroll::{moved, scrolled};
use crate::view;

/// Whether an action is available in an overlay.
pub(super) fn in_overlay(overlay: &Overlay, action: Action) -> bool {
    match overlay {
        Overlay::Help { .. } | Overlay::Messages { .. } => matches!(
            action,
            Action::Back | Action::Up | Action::Down | Action::PageUp | Action::PageDown | Action::Top | Action::Bottom
        ),
        Overlay::Palette { .. } => matches!(action, Action::Accept | Action::Back | Action::Up | Action::Down),
        Overlay::Confirm(_) => matches!(action, Action::Accept | Action::Back | Action::Up | Action::Down),
        Overlay::Quitting => {
            matches!(action, Action::QuitAfter | Action::QuitCancel | Action::QuitLeave | Action::Back)
        }
    }
}

/// Performs an action in the open overlay.
pub(super) fn perform_in_overlay(model: &mut Model, action: Action) -> Vec<Effect> {
    let height = model.size.1;
    match model.overlay.as_mut() {
        None => Vec::new(),
        Some(Overlay::Help { scroll }) => {
            if action == Action::Back {
                model.overlay = None;
                return Vec::new();
            }
            let at = *scroll;
            let (rows, visible) = view::overlay::help_rows(model);
            model.overlay = Some(Overlay::Help { scroll: scrolled(at, action, rows, visible) });
            Vec::new()
        }
        Some(Overlay::Messages { scroll }) => {
            let page = i32::from(height / 2);
            match action {
                Action::Up => *scroll = moved(*scroll, 1),
                Action::Down => *scroll = moved(*scroll, -1),
                Action::PageUp => *scroll = moved(*scroll, page),
                Action::PageDown => *scroll = moved(*scroll, -page),
                Action::Bottom => *scroll = 0,
                Action::Top => *scroll = u16::MAX,
                _ => {
                    model.messages.dismiss();
                    model.overlay = None;
                    return Vec::new();
                }
            }
            let at = *scroll;
            let most = view::overlay::messages_scroll_limit(model);
            model.overlay = Some(Overlay::Messages { scroll: at.min(most) });
            Vec::new()
        }
        Some(Overlay::Palette { .. }) => palette(model, action),
        Some(Overlay::Confirm(_)) => confirm(model, action),
        Some(Overlay::Quitting) => quit_dialog(model, action),
    }
}

/// The available actions that match the palette input.
pub fn palette_actions(model: &Model, typed: &str) -> Vec<Action> {
    let contexts = model.contexts_without_overlay();
    let is_offered = |action: &Action| {
        let is_of_overlays = matches!(action, Action::Palette | Action::Back | Action::Accept);
        let is_far = matches!(action, Action::Top | Action::Bottom);
        let is_listed = (is_far || !action.is_move()) && !is_of_overlays;
        is_listed && model.keymap.chord_of(&contexts, *action).is_some() && available_without_overlay(model, *action)
    };
    let palette_actions: Vec<Action> = Action::all().into_iter().filter(is_offered).collect();
    matching(typed, &palette_actions)
}

fn palette(model: &mut Model, action: Action) -> Vec<Effect> {
    let Some(Overlay::Palette { input, selected }) = &model.overlay else { return Vec::new() };
    let (typed, at) = (input.value().to_owned(), *selected);
    let found = palette_actions(model, &typed);
    match action {
        Action::Up | Action::Down => {
            let by = if action == Action::Up { -1 } else { 1 };
            let to = at.saturating_add_signed(by).min(found.len().saturating_sub(1));
            if let Some(Overlay::Palette { selected, .. }) = &mut model.overlay {
                *selected = to;
            }
            Vec::new()
        }
        Action::Accept => {
            let Some(chosen) = found.get(at).copied() else { return Vec::new() };
            model.overlay = None;
            perform(model, chosen)
        }
        _ => {
            model.overlay = None;
            Vec::new()
        }
    }
}

fn confirm(model: &mut Model, action: Action) -> Vec<Effect> {
    let most = view::overlay::confirm_scroll_limit(model);
    let Some(Overlay::Confirm(dialog)) = &mut model.overlay else { return Vec::new() };
    match action {
        Action::Up => {
            dialog.scroll = dialog.scroll.saturating_sub(1);
            return Vec::new();
        }
        Action::Down => {
            dialog.scroll = dialog.scroll.saturating_add(1).min(most);
            return Vec::new();
        }
        _ => {}
    }
    let accepted = action == Action::Accept
        && match &dialog.input {
            ConfirmInput::Key => true,
            ConfirmInput::Word(input) => input.value().trim().eq_ignore_ascii_case("yes"),
        };
    if action == Action::Accept && !accepted {
        // The dialog stays open until the word is typed or the dialog is closed.
        return Vec::new();
    }
    let purpose = dialog.action;
    model.overlay = None;
    match (purpose, accepted) {
        (ConfirmAction::Cancel, true) => cancel_run(model),
        (ConfirmAction::Cancel, false) => Vec::new(),
        (ConfirmAction::Start, yes) => {
            let Activity::Confirming { run: prepared, mode } = std::mem::replace(&mut model.activity, Activity::Idle)
            else {
                return Vec::new();
            };
            model.set_idle();
            if yes {
                return responses::start(model, &prepared.task, mode);
            }
            model.messages.add(model.now, Severity::Info, "Cancelled. No changes were made.");
            vec![Effect::Discard]
        }
    }
}

fn quit_dialog(model: &mut Model, action: Action) -> Vec<Effect> {
    model.overlay = None;
    match action {
        Action::QuitAfter => {
            model.quit_after = true;
            // A held step would wait forever.
            let mut effects = Vec::new();
            if let Some(active) = model.activity.active_run_mut() {
                active.mode = RunMode::Continuous;
                active.held = None;
                effects.push(Effect::SetMode(RunMode::Continuous));
            }
            model.messages.add(model.now, Severity::Info, "Quits at the end of the run.");
            effects
        }
        Action::QuitCancel => {
            model.quit_after = true;
            cancel_run(model)
        }
        Action::QuitLeave => vec![Effect::Quit],
        _ => Vec::new(),
    }
}
