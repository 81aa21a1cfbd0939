//! Handles responses of the cloud and of runs.

use thumbctl_core::event::{Action, Failure, Outcome};
use thumbctl_core::resource::{ResourceKind, ResourceState};
use thumbctl_deploy::resource::descriptor;
use thumbctl_deploy::session::{Inspection, ResourceStatus};
use thumbctl_platform::text;
use tui_input::Input;

use crate::message::{ConnectionInfo, Effect, PreparedRun, RiskLevel, RunMode, Task};
use crate::model::activity::{ActiveRun, Activity};
use crate::model::messages::Severity;
use crate::model::overlay::{ConfirmAction, ConfirmDialog, ConfirmInput, Overlay};
use crate::model::{Connection, Model};
use crate::pane::details::state::InspectionState;

pub(super) fn connected(model: &mut Model, connection: ConnectionInfo) -> Vec<Effect> {
    model.connection = Connection::Connected(connection);
    fetch_status(model)
}

/// Fetches the status of the deployment, once connected and the journals are read.
pub(super) fn fetch_status(model: &Model) -> Vec<Effect> {
    let can_ask = model.connection_info().is_some() && model.journals_read && model.deployment.has_resources();
    if can_ask { vec![Effect::FetchStatus] } else { Vec::new() }
}

/// Handles a change of the lock holder. During an activity of this process it only takes effect afterwards.
pub(super) fn holder(model: &mut Model, holder: Option<String>) -> Vec<Effect> {
    let was_released = holder.is_none() && matches!(model.activity, Activity::OtherProcess { .. });
    model.holder = holder;
    if !matches!(model.activity, Activity::Idle | Activity::OtherProcess { .. }) {
        return Vec::new();
    }
    model.set_idle();
    if !was_released {
        return Vec::new();
    }
    model.messages.add(model.now, Severity::Info, "The other process has finished.");
    fetch_status(model)
}

/// Handles a prepared run: starts it, or asks for confirmation, depending on the risk level.
pub(super) fn prepared(model: &mut Model, prepared: Box<PreparedRun>) -> Vec<Effect> {
    let mode = match &model.activity {
        Activity::Preparing { mode, .. } => *mode,
        // The request was withdrawn meanwhile.
        _ => return vec![Effect::Discard],
    };
    for name in &prepared.foreign {
        let words = format!("Not touched: {name} lacks the deployment's tag.");
        model.messages.add(model.now, Severity::Info, words);
    }
    if prepared.plan.steps().is_empty() {
        match (&prepared.task, model.deployment.unknown_resources_left()) {
            (Task::Destroy, Some(left)) => model.messages.add_failure(model.now, &left),
            (Task::Destroy, None) => model.messages.add(model.now, Severity::Info, "Nothing to destroy."),
            (Task::Deploy | Task::TestUpload(_), _) => model.messages.add(model.now, Severity::Info, "Nothing to do."),
        }
        model.set_idle();
        return vec![Effect::Discard];
    }
    let risk = model.risk();
    let must_ask = match prepared.task {
        Task::Destroy => true,
        Task::Deploy => risk != RiskLevel::None && !prepared.resources.is_empty(),
        Task::TestUpload(_) => false,
    };
    if !must_ask {
        return start(model, &prepared.task, mode);
    }
    let count = text::count(prepared.resources.len(), "resource");
    let cloud = model.connection_info().map_or_else(|| "the cloud".to_owned(), |connection| connection.cloud.clone());
    let (prompt, consequence) = match prepared.task {
        Task::Destroy => ("Destroy deployment?", format!("Delete {count} and their contents from {cloud}?")),
        Task::Deploy | Task::TestUpload(_) => ("Create resources?", format!("Create {count} in {cloud}?")),
    };
    let input = if risk == RiskLevel::Cost { ConfirmInput::Word(Input::default()) } else { ConfirmInput::Key };
    model.pending_dialog = Some(ConfirmDialog {
        prompt: prompt.to_owned(),
        consequence,
        resources: prepared.resources.clone(),
        foreign: prepared.foreign.clone(),
        input,
        action: ConfirmAction::Start,
        scroll: 0,
    });
    model.activity = Activity::Confirming { run: prepared, mode };
    Vec::new()
}

/// Starts the prepared run. In step mode, the first step is released, since its card was displayed.
pub(super) fn start(model: &mut Model, task: &Task, mode: RunMode) -> Vec<Effect> {
    let action = task.action();
    model.activity = Activity::Running(ActiveRun { action, id: None, mode, held: None, cancelling: false });
    // Completed steps are never held.
    let plan = model.preview.as_ref().map(|preview| &preview.plan).filter(|_| *task == Task::Deploy);
    let steps = plan.iter().flat_map(|plan| plan.steps());
    let completed = steps.filter(|step| plan.is_some_and(|plan| model.is_done(step, plan))).map(|step| step.id.clone());
    vec![Effect::Start { mode, passes: usize::from(mode == RunMode::StepByStep), completed: completed.collect() }]
}

pub(super) fn not_prepared(model: &mut Model, task: &Task, failure: &Failure) -> Vec<Effect> {
    if matches!(&model.activity, Activity::Preparing { .. } | Activity::Running(ActiveRun { id: None, .. })) {
        model.set_idle();
    }
    if let Task::TestUpload(_) = task {
        model.test_upload.reject(failure);
    }
    model.messages.add_failure(model.now, failure);
    quit_if_requested(model)
}

pub(super) fn run_ended(model: &mut Model, ended: Result<Outcome, Failure>) -> Vec<Effect> {
    let Some(active) = model.activity.active_run().cloned() else { return Vec::new() };
    model.set_idle();
    let mut effects = if active.action == Action::TestUpload { model.test_upload.run_ended() } else { Vec::new() };
    if matches!(
        model.overlay,
        Some(Overlay::Quitting | Overlay::Confirm(ConfirmDialog { action: ConfirmAction::Cancel, .. }))
    ) {
        model.overlay = None;
    }
    match ended {
        Err(failure) => model.messages.add_failure(model.now, &failure),
        Ok(outcome) => report_outcome(model, active.action, outcome),
    }
    effects.extend(if model.quit_after { quit_if_requested(model) } else { fetch_status(model) });
    effects
}

fn quit_if_requested(model: &Model) -> Vec<Effect> {
    if model.quit_after { vec![Effect::Quit] } else { Vec::new() }
}

fn report_outcome(model: &mut Model, action: Action, outcome: Outcome) {
    let seconds = model.run.as_ref().filter(|_| action != Action::TestUpload).and_then(|run| run.ended);
    let took = seconds.map(|(_, seconds)| format!(" in {}", text::seconds(seconds))).unwrap_or_default();
    match (action, outcome) {
        (Action::Deploy, Outcome::Succeeded) => {
            model.messages.add(model.now, Severity::Success, format!("Deployed{took}. Test it with an image."));
        }
        (Action::Destroy, Outcome::Succeeded) => match model.deployment.unknown_resources_left() {
            Some(left) => model.messages.add_failure(model.now, &left),
            None => model.messages.add(model.now, Severity::Success, format!("Destroyed{took}. No resources remain.")),
        },
        // Each image displays its own result.
        (Action::TestUpload, Outcome::Succeeded | Outcome::Failed) => {}
        (_, Outcome::Cancelled) => {
            model.messages.add(
                model.now,
                Severity::Info,
                format!("Cancelled{took}. Resources remain; resume or destroy."),
            );
        }
        (_, Outcome::Failed) => {
            let failures: Vec<Failure> = model
                .run
                .iter()
                .flat_map(super::super::model::run::RunModel::failures)
                .map(|(step, failure)| Failure {
                    message: format!("{}: {}", step.title, failure.message),
                    ..failure.clone()
                })
                .collect();
            for failure in &failures {
                model.messages.add_failure(model.now, failure);
            }
        }
    }
}

/// Reports resources in the journal that are missing in the cloud.
pub(super) fn status(model: &mut Model, status: Result<Vec<ResourceStatus>, Failure>) -> Vec<Effect> {
    use thumbctl_deploy::resource::Presence;
    match status {
        Err(failure) => model.messages.add_failure(model.now, &failure),
        Ok(resources) => {
            // During a run, missing resources are expected.
            if model.is_live() {
                return Vec::new();
            }
            let is_lost = |resource: &&ResourceStatus| {
                resource.journal == ResourceState::Ready && resource.presence == Presence::Missing
            };
            model.details.lost = resources.iter().filter(is_lost).map(|resource| resource.kind).collect();
            let lost: Vec<&str> = model.details.lost.iter().map(|kind| descriptor(*kind).title).collect();
            if !lost.is_empty() {
                let words = format!("Missing in the cloud: {}. Deploy to recreate.", lost.join(", "));
                model.messages.add(model.now, Severity::Error, words);
            }
        }
    }
    Vec::new()
}

pub(super) fn inspected(
    model: &mut Model,
    kind: ResourceKind,
    result: Result<Option<Box<Inspection>>, Failure>,
) -> Vec<Effect> {
    let state = match result {
        Ok(Some(inspection)) => InspectionState::Found(inspection),
        Ok(None) => InspectionState::Missing,
        Err(failure) => InspectionState::Failed(failure),
    };
    // Ignores an outdated response after the resource changed.
    if model.deployment.is_ready(kind) {
        model.details.inspected.insert(kind, state);
    }
    Vec::new()
}
