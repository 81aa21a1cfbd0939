//! Commands: availability and effect of each [`Action`].

use tui_input::Input;

use super::overlays::{in_overlay, perform_in_overlay};
use crate::keymap::Action;
use crate::message::{Effect, RunMode, Task};
use crate::model::activity::Activity;
use crate::model::messages::Severity;
use crate::model::overlay::{ConfirmAction, ConfirmDialog, ConfirmInput, Overlay};
use crate::model::{Connection, Model};
use crate::panel::Panel;

/// Whether an action is available: only then its key is displayed and active.
pub fn available(model: &Model, action: Action) -> bool {
    if matches!(action, Action::Suspend | Action::Redraw) {
        return true;
    }
    match &model.overlay {
        Some(overlay) => in_overlay(overlay, action),
        None => available_without_overlay(model, action),
    }
}

/// Whether an action is available without an overlay.
pub fn available_without_overlay(model: &Model, action: Action) -> bool {
    if model.is_typing() {
        return matches!(action, Action::Accept | Action::Back | Action::Up | Action::Down);
    }
    let connected = model.connection_info().is_some();
    let idle = model.activity.is_idle();
    let active = model.activity.active_run();
    match action {
        // There, the same key uploads images and must never start a deployment.
        Action::RunStep if model.focus == Panel::TestUpload => false,
        Action::RunStep => match active {
            Some(active) => active.held.is_some() && !active.cancelling,
            None => connected && idle && model.journals_read && model.next_step().is_some(),
        },
        Action::RunAll => match active {
            Some(active) => active.mode == RunMode::StepByStep && !active.cancelling,
            None => connected && idle && model.journals_read && model.next_step().is_some(),
        },
        Action::Pause => match &model.activity {
            Activity::Running(active) => {
                active.mode == RunMode::Continuous
                    && !active.cancelling
                    && active.action == thumbctl_core::event::Action::Deploy
            }
            Activity::Replay(position) => !position.over,
            _ => false,
        },
        Action::Cancel => active.is_some_and(|active| !active.cancelling),
        Action::Destroy => connected && idle && model.deployment.has_resources(),
        Action::Refresh => match &model.connection {
            Connection::Connected(_) => model.deployment.has_resources(),
            Connection::Failed(_) => true,
            Connection::Connecting | Connection::NotRequired => false,
        },
        Action::Faster | Action::Slower => matches!(&model.activity, Activity::Replay(position) if !position.over),
        Action::Show(panel) => model.panels().contains(&panel),
        Action::NextPanel | Action::PreviousPanel => true,
        Action::Accept | Action::QuitAfter | Action::QuitCancel | Action::QuitLeave => false,
        Action::Help | Action::Palette | Action::Messages | Action::Suspend | Action::Redraw | Action::Quit => true,
        action => model.focused().can(model, action),
    }
}

/// Performs an action, if [`available`].
pub fn perform(model: &mut Model, action: Action) -> Vec<Effect> {
    if !available(model, action) {
        return Vec::new();
    }
    match action {
        Action::Suspend => return vec![Effect::Suspend],
        Action::Redraw => return vec![Effect::Redraw],
        _ if model.overlay.is_some() => return perform_in_overlay(model, action),
        _ => {}
    }
    match action {
        Action::RunStep => proceed(model, RunMode::StepByStep),
        Action::RunAll => proceed(model, RunMode::Continuous),
        Action::Pause => pause(model),
        Action::Cancel => {
            model.overlay = Some(Overlay::Confirm(cancel_dialog(model)));
            Vec::new()
        }
        Action::Destroy => model.prepare(Task::Destroy, RunMode::Continuous),
        Action::Refresh => refresh(model),
        Action::Faster => speed(model, 2.0),
        Action::Slower => speed(model, 0.5),
        Action::NextPanel => show(model, model.focus.offset_by(1, &model.panels())),
        Action::PreviousPanel => show(model, model.focus.offset_by(-1, &model.panels())),
        Action::Show(panel) => show(model, panel),
        Action::Help => open(model, Overlay::Help { scroll: 0 }),
        Action::Palette => open(model, Overlay::Palette { input: Input::default(), selected: 0 }),
        Action::Messages => open(model, Overlay::Messages { scroll: 0 }),
        Action::Quit => quit(model),
        action => model.focused().act(model, action),
    }
}

fn open(model: &mut Model, overlay: Overlay) -> Vec<Effect> {
    model.overlay = Some(overlay);
    Vec::new()
}

fn show(model: &mut Model, panel: Panel) -> Vec<Effect> {
    let before = model.shown_panel();
    model.focus = panel;
    if panel != Panel::Resources {
        model.shown = panel;
        model.panel_chosen = true;
    }
    let after = model.shown_panel();
    if after == before { Vec::new() } else { after.pane().enter(model) }
}

/// Starts or continues the deployment: one step, or all.
fn proceed(model: &mut Model, mode: RunMode) -> Vec<Effect> {
    let Some(active) = model.activity.active_run_mut() else { return model.prepare(Task::Deploy, mode) };
    active.held = None;
    match mode {
        RunMode::StepByStep => vec![Effect::ReleaseStep],
        RunMode::Continuous => {
            active.mode = RunMode::Continuous;
            vec![Effect::SetMode(RunMode::Continuous)]
        }
    }
}

fn pause(model: &mut Model) -> Vec<Effect> {
    match &mut model.activity {
        Activity::Running(active) => {
            active.mode = RunMode::StepByStep;
            model.messages.add(model.now, Severity::Info, "Paused. Running steps finish; no further step starts.");
            vec![Effect::SetMode(RunMode::StepByStep)]
        }
        Activity::Replay(_) => vec![Effect::ReplayTogglePause],
        _ => Vec::new(),
    }
}

fn speed(model: &Model, factor: f64) -> Vec<Effect> {
    match &model.activity {
        Activity::Replay(_) => vec![Effect::ChangeReplaySpeed(factor)],
        _ => Vec::new(),
    }
}

fn refresh(model: &mut Model) -> Vec<Effect> {
    if let Connection::Failed(_) = model.connection {
        model.connection = Connection::Connecting;
        model.messages.dismiss();
        vec![Effect::Connect]
    } else {
        model.details.inspected.clear();
        vec![Effect::FetchStatus]
    }
}

fn cancel_dialog(model: &Model) -> ConfirmDialog {
    let is_test_upload =
        model.activity.active_run().is_some_and(|active| active.action == thumbctl_core::event::Action::TestUpload);
    let running = model.run.iter().flat_map(|run| run.steps.iter()).filter(|step| step.is_running());
    let count = running.count();
    let consequence = if is_test_upload {
        "No further image is uploaded. Uploaded images may still get thumbnails.".to_owned()
    } else {
        format!(
            "No further step starts; {} may still finish. Resources remain; resume or destroy them later.",
            thumbctl_platform::text::count(count, "running step")
        )
    };
    ConfirmDialog {
        prompt: "Cancel the run?".to_owned(),
        consequence,
        resources: Vec::new(),
        foreign: Vec::new(),
        input: ConfirmInput::Key,
        action: ConfirmAction::Cancel,
        scroll: 0,
    }
}

fn quit(model: &mut Model) -> Vec<Effect> {
    if model.activity.active_run().is_some() {
        return open(model, Overlay::Quitting);
    }
    vec![Effect::Quit]
}

pub(super) fn cancel_run(model: &mut Model) -> Vec<Effect> {
    let Some(active) = model.activity.active_run_mut() else { return Vec::new() };
    active.cancelling = true;
    active.held = None;
    vec![Effect::CancelRun]
}
