//! Commands: availability and effect of each [`Action`].

use thumbctl_core::event::LogSource;
use thumbctl_core::resource::ResourceKind;
use tui_input::Input;

use super::mouse::moved;
use super::overlays::{in_overlay, perform_in_overlay};
use crate::keymap::Action;
use crate::message::{Effect, RunMode, Task};
use crate::model::activity::Activity;
use crate::model::messages::Severity;
use crate::model::overlay::{ConfirmAction, ConfirmDialog, ConfirmInput, Overlay};
use crate::model::panel::Panel;
use crate::model::{Connection, Model};
use crate::view;

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
    let is_log = matches!(model.focus, Panel::Build | Panel::Function | Panel::Stacks | Panel::Terraform);
    let sends = matches!(action, Action::Choose | Action::TypePath | Action::Mark | Action::Send);
    if model.activity.is_replay() && (sends || (action == Action::Save && model.focus == Panel::TestUpload)) {
        return false;
    }
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
        Action::ShowTestUpload | Action::ShowResources | Action::ShowDetails => true,
        Action::ShowBuild | Action::ShowFunction | Action::ShowTiming => true,
        Action::ShowStacks => model.panels().contains(&Panel::Stacks),
        Action::ShowTerraform => model.panels().contains(&Panel::Terraform),
        Action::NextPanel | Action::PreviousPanel => true,
        Action::ToggleDependencies => model.focus == Panel::Resources,
        Action::Copy => match model.focus {
            Panel::Resources | Panel::Details => model.selected_arn().is_some(),
            Panel::Build => model.log(LogSource::Build).can(action),
            Panel::Function => model.log(LogSource::Function).can(action),
            Panel::Stacks => model.log(LogSource::Stack).can(action),
            Panel::Terraform => model.log(LogSource::Terraform).can(action),
            Panel::Timing | Panel::TestUpload => false,
        },
        Action::Up | Action::Down | Action::PageUp | Action::PageDown | Action::Top | Action::Bottom => {
            match model.focus {
                Panel::Resources | Panel::Details | Panel::Timing => true,
                Panel::Build => model.log(LogSource::Build).can(action),
                Panel::Function => model.log(LogSource::Function).can(action),
                Panel::Stacks => model.log(LogSource::Stack).can(action),
                Panel::Terraform => model.log(LogSource::Terraform).can(action),
                Panel::TestUpload => model.test_upload.can(action),
            }
        }
        Action::Back if model.focus == Panel::Resources => model.resources.dependencies,
        Action::Left | Action::Right | Action::Save | Action::Back => match model.focus {
            Panel::Build => model.log(LogSource::Build).can(action),
            Panel::Function => model.log(LogSource::Function).can(action),
            Panel::Stacks => model.log(LogSource::Stack).can(action),
            Panel::Terraform => model.log(LogSource::Terraform).can(action),
            Panel::TestUpload => model.test_upload.can(action),
            Panel::Resources | Panel::Details | Panel::Timing => false,
        },
        Action::Search | Action::SearchNext | Action::SearchPrevious | Action::Filter | Action::ToggleWrap => {
            is_log && model.shown_log().is_some_and(|log| log.can(action))
        }
        // Also without an image, so that the key has no other meaning.
        Action::Mark => model.focus == Panel::TestUpload && model.test_upload.is_choosing(),
        Action::Choose | Action::TypePath | Action::Enlarge => {
            model.focus == Panel::TestUpload && model.test_upload.can(action)
        }
        Action::Send => {
            let opens_folder = model.test_upload.to_send().is_empty();
            model.focus == Panel::TestUpload
                && model.test_upload.can(action)
                && (opens_folder || (connected && idle && model.deployment.is_complete()))
        }
        Action::Accept | Action::QuitAfter | Action::QuitCancel | Action::QuitLeave => false,
        Action::Help | Action::Palette | Action::Messages | Action::Suspend | Action::Redraw | Action::Quit => true,
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
        Action::Destroy => prepare(model, Task::Destroy, RunMode::Continuous),
        Action::Refresh => refresh(model),
        Action::Faster => speed(model, 2.0),
        Action::Slower => speed(model, 0.5),
        Action::NextPanel => show(model, model.focus.offset_by(1, model.panels())),
        Action::PreviousPanel => show(model, model.focus.offset_by(-1, model.panels())),
        Action::ShowResources => show(model, Panel::Resources),
        Action::ShowDetails => show(model, Panel::Details),
        Action::ShowBuild => show(model, Panel::Build),
        Action::ShowFunction => show(model, Panel::Function),
        Action::ShowTiming => show(model, Panel::Timing),
        Action::ShowTestUpload => show(model, Panel::TestUpload),
        Action::ShowStacks => show(model, Panel::Stacks),
        Action::ShowTerraform => show(model, Panel::Terraform),
        Action::ToggleDependencies => {
            model.resources.dependencies = !model.resources.dependencies;
            Vec::new()
        }
        Action::Copy if matches!(model.focus, Panel::Resources | Panel::Details) => {
            model.selected_arn().map(Effect::Copy).into_iter().collect()
        }
        Action::Send => send(model),
        Action::Help => open(model, Overlay::Help { scroll: 0 }),
        Action::Palette => open(model, Overlay::Palette { input: Input::default(), selected: 0 }),
        Action::Messages => open(model, Overlay::Messages { scroll: 0 }),
        Action::Quit => quit(model),
        _ => in_panel(model, action),
    }
}

fn open(model: &mut Model, overlay: Overlay) -> Vec<Effect> {
    model.overlay = Some(overlay);
    Vec::new()
}

/// Performs an action in the focused panel.
fn in_panel(model: &mut Model, action: Action) -> Vec<Effect> {
    let layout = model.layout();
    let inside = view::layout::Layout::inside(layout.main);
    match model.focus {
        Panel::Resources if action == Action::Back => {
            model.resources.dependencies = false;
            Vec::new()
        }
        Panel::Resources => {
            let rows = isize::try_from(model.resource_rows().len()).unwrap_or(isize::MAX);
            let by = match action {
                Action::Up => -1,
                Action::Down => 1,
                Action::PageUp => -5,
                Action::PageDown => 5,
                Action::Top => -rows,
                Action::Bottom => rows,
                _ => 0,
            };
            move_selection(model, by)
        }
        Panel::Details => {
            let rows = view::details::rows(model, inside.width);
            model.details.scroll = scrolled(model.details.scroll, action, rows, inside.height);
            Vec::new()
        }
        Panel::Timing => {
            let rows = view::timing::rows(model, inside.width);
            model.timing.scroll = scrolled(model.timing.scroll, action, rows, inside.height);
            Vec::new()
        }
        Panel::Build => model.log_mut(LogSource::Build).act(action),
        Panel::Function => model.log_mut(LogSource::Function).act(action),
        Panel::Stacks => model.log_mut(LogSource::Stack).act(action),
        Panel::Terraform => model.log_mut(LogSource::Terraform).act(action),
        Panel::TestUpload => model.test_upload.act(action),
    }
}

/// The scroll position after an action, within bounds.
pub(super) fn scrolled(scroll: u16, action: Action, rows: usize, height: u16) -> u16 {
    let page = i32::from(height.saturating_sub(1).max(1));
    let most = u16::try_from(rows.saturating_sub(usize::from(height))).unwrap_or(u16::MAX);
    let to = match action {
        Action::Up => moved(scroll, -1),
        Action::Down => moved(scroll, 1),
        Action::PageUp => moved(scroll, -page),
        Action::PageDown => moved(scroll, page),
        Action::Top => 0,
        Action::Bottom => most,
        _ => scroll,
    };
    to.min(most)
}

/// Selects another row of the list of resources.
pub(super) fn move_selection(model: &mut Model, by: isize) -> Vec<Effect> {
    let rows = model.resource_rows();
    let Some(at) = rows.iter().position(|row| row.kind == model.resources.selected) else { return Vec::new() };
    let to = at.saturating_add_signed(by).min(rows.len() - 1);
    if to == at { Vec::new() } else { select(model, rows[to].kind) }
}

/// Selects a resource.
pub(super) fn select(model: &mut Model, kind: ResourceKind) -> Vec<Effect> {
    model.resources.selected = kind;
    model.details.scroll = 0;
    Vec::new()
}

fn show(model: &mut Model, panel: Panel) -> Vec<Effect> {
    let before = model.shown_panel();
    model.focus = panel;
    if panel != Panel::Resources {
        model.shown = panel;
        model.panel_chosen = true;
    }
    if model.shown_panel() == Panel::TestUpload && before != Panel::TestUpload {
        model.test_upload.enter()
    } else {
        Vec::new()
    }
}

/// Starts or continues the deployment: one step, or all.
fn proceed(model: &mut Model, mode: RunMode) -> Vec<Effect> {
    let Some(active) = model.activity.active_run_mut() else { return prepare(model, Task::Deploy, mode) };
    active.held = None;
    match mode {
        RunMode::StepByStep => vec![Effect::ReleaseStep],
        RunMode::Continuous => {
            active.mode = RunMode::Continuous;
            vec![Effect::SetMode(RunMode::Continuous)]
        }
    }
}

pub(super) fn prepare(model: &mut Model, task: Task, mode: RunMode) -> Vec<Effect> {
    // The previous message is outdated.
    model.messages.dismiss();
    model.activity = Activity::Preparing { task: task.clone(), mode };
    vec![Effect::Prepare(task, mode)]
}

/// Uploads the chosen images, or opens the folder under the cursor.
fn send(model: &mut Model) -> Vec<Effect> {
    let images = model.test_upload.to_send();
    if images.is_empty() {
        return model.test_upload.act(Action::Send);
    }
    let mut effects = model.test_upload.start_sending(&images);
    effects.extend(prepare(model, Task::TestUpload(images), RunMode::Continuous));
    effects
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
