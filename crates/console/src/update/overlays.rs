//! What actions mean while an overlay is open.

use super::answers;
use super::commands::{available_beneath, cancel_run, perform, scrolled};
use super::mouse::moved;
use crate::keymap::Action;
use crate::message::{Effect, Pace};
use crate::model::Model;
use crate::model::activity::Activity;
use crate::model::messages::Tone;
use crate::model::overlay::{Answer, Asking, Overlay, matching};
use crate::view;

/// Whether an action would do something now in an overlay.
pub(super) fn in_overlay(overlay: &Overlay, action: Action) -> bool {
    match overlay {
        Overlay::Help { .. } | Overlay::Messages { .. } => matches!(
            action,
            Action::Back | Action::Up | Action::Down | Action::PageUp | Action::PageDown | Action::Top | Action::Bottom
        ),
        Overlay::Palette { .. } => matches!(action, Action::Accept | Action::Back | Action::Up | Action::Down),
        Overlay::Question(_) => matches!(action, Action::Accept | Action::Back | Action::Up | Action::Down),
        Overlay::Quitting => {
            matches!(action, Action::QuitAfter | Action::QuitCancel | Action::QuitLeave | Action::Back)
        }
    }
}

/// Does what an action means in the overlay that is open.
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
            let most = view::overlay::messages_most(model);
            model.overlay = Some(Overlay::Messages { scroll: at.min(most) });
            Vec::new()
        }
        Some(Overlay::Palette { .. }) => palette(model, action),
        Some(Overlay::Question(_)) => question(model, action),
        Some(Overlay::Quitting) => quitting(model, action),
    }
}

/// What the palette offers for what was typed: what can be done now, by name.
pub fn offered(model: &Model, typed: &str) -> Vec<Action> {
    let contexts = model.contexts_beneath();
    let is_offered = |action: &Action| {
        let is_of_overlays = matches!(action, Action::Palette | Action::Back | Action::Accept);
        let is_far = matches!(action, Action::Top | Action::Bottom);
        let is_said = (is_far || !action.is_move()) && !is_of_overlays;
        is_said && model.keymap.chord_of(&contexts, *action).is_some() && available_beneath(model, *action)
    };
    let offered: Vec<Action> = Action::ALL.iter().copied().filter(is_offered).collect();
    matching(typed, &offered)
}

fn palette(model: &mut Model, action: Action) -> Vec<Effect> {
    let Some(Overlay::Palette { input, selected }) = &model.overlay else { return Vec::new() };
    let (typed, at) = (input.value().to_owned(), *selected);
    let found = offered(model, &typed);
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

fn question(model: &mut Model, action: Action) -> Vec<Effect> {
    let most = view::overlay::question_most(model);
    let Some(Overlay::Question(question)) = &mut model.overlay else { return Vec::new() };
    match action {
        Action::Up => {
            question.scroll = question.scroll.saturating_sub(1);
            return Vec::new();
        }
        Action::Down => {
            question.scroll = question.scroll.saturating_add(1).min(most);
            return Vec::new();
        }
        _ => {}
    }
    let accepted = action == Action::Accept
        && match &question.answer {
            Answer::Key => true,
            Answer::Word(input) => input.value().trim().eq_ignore_ascii_case("yes"),
        };
    if action == Action::Accept && !accepted {
        // Anything but the word: the question stays until it is answered or left.
        return Vec::new();
    }
    let about = question.about;
    model.overlay = None;
    match (about, accepted) {
        (Asking::Cancel, true) => cancel_run(model),
        (Asking::Cancel, false) => Vec::new(),
        (Asking::Start, yes) => {
            let Activity::Asking { prepared, pace } = std::mem::replace(&mut model.activity, Activity::Idle) else {
                return Vec::new();
            };
            model.rest();
            if yes {
                return answers::start(model, &prepared.task, pace);
            }
            model.messages.say(model.now, Tone::Info, "Nothing was done.");
            vec![Effect::Discard]
        }
    }
}

fn quitting(model: &mut Model, action: Action) -> Vec<Effect> {
    model.overlay = None;
    match action {
        Action::QuitAfter => {
            model.quit_after = true;
            // What waits for a key that will not come would wait for ever.
            let mut effects = Vec::new();
            if let Some(ours) = model.activity.ours_mut() {
                ours.pace = Pace::Through;
                ours.held = None;
                effects.push(Effect::SetPace(Pace::Through));
            }
            model.messages.say(model.now, Tone::Info, "Quits when the run has ended.");
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
