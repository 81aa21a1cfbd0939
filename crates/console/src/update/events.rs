//! Handles run events of any source.

use std::collections::BTreeMap;

use thumbctl_core::event::{Action, Event, EventKind, LogSource};
use thumbctl_core::redaction::redact_line;
use thumbctl_core::resource::ResourceKind;

use crate::log_store::DisplayLine;
use crate::message::Effect;
use crate::model::Model;
use crate::model::messages::Severity;
use crate::model::run::RunModel;
use crate::panel::Panel;

/// Applies events in order.
pub(super) fn apply(model: &mut Model, events: Vec<Event>) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut lines = Lines::default();
    for event in events {
        effects.extend(one(model, event, &mut lines));
    }
    for (source, lines) in lines {
        effects.extend(model.log_mut(source).append(lines));
    }
    super::keep_selection(model);
    effects
}

/// Appends log lines read from the cloud.
pub(super) fn lines(model: &mut Model, source: LogSource, lines: Vec<DisplayLine>) -> Vec<Effect> {
    model.log_mut(source).append(lines)
}

/// Removes CodeBuild's prefix `[Container] 2026/11/22 13:05:09.123456 `, since the time has its own column.
fn without_time(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("[Container] ") else { return text };
    let Some((time, message)) = rest.split_at_checked("2026/11/22 13:05:09".len()) else { return text };
    let is_time = time.bytes().zip(b"dddd/dd/dd dd:dd:dd").all(|(byte, form)| match form {
        b'd' => byte.is_ascii_digit(),
        form => byte == *form,
    });
    if is_time { message.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit()).trim_start() } else { text }
}

/// Log lines by source, to be appended in batches.
type Lines = BTreeMap<LogSource, Vec<DisplayLine>>;

fn one(model: &mut Model, event: Event, lines: &mut Lines) -> Vec<Effect> {
    let mut effects = Vec::new();
    if !model.is_new_event(&event) {
        return effects;
    }
    match &event.kind {
        EventKind::RunStarted(started) => {
            model.deployment.apply(&event);
            model.history.apply(&event);
            if started.action == Action::TestUpload {
                effects.extend(model.test_upload.apply(&event));
                if model.activity.is_replay() && model.journals_read && !model.panel_chosen {
                    model.shown = Panel::TestUpload;
                    effects.extend(model.test_upload.enter());
                }
            } else {
                if started.action == Action::Deploy {
                    // Lines of an earlier build in the same batch.
                    lines.remove(&LogSource::Build);
                }
                effects.extend(begin(model, &event));
                if started.action == Action::Destroy && model.activity.is_replay() && !model.panel_chosen {
                    // A teardown has no build.
                    model.shown = Panel::Timing;
                }
            }
            if let Some(active) = model.activity.active_run_mut()
                && active.id.is_none()
                && active.action == started.action
            {
                active.id = Some(event.run.clone());
            }
            return effects;
        }
        // Other events belong to a test upload or an earlier run.
        _ => match model.run.as_mut().filter(|run| run.id == event.run) {
            Some(run) => run.apply(&event),
            None => effects.extend(model.test_upload.apply(&event)),
        },
    }
    model.deployment.apply(&event);
    model.history.apply(&event);
    let is_shown = model.run.as_ref().is_some_and(|run| run.id == event.run);
    match event.kind {
        EventKind::LogLine { source, text, timestamp } if is_shown || source == LogSource::Function => {
            // Credentials are masked by the store.
            let text = if timestamp.is_some() { without_time(&text).to_owned() } else { text };
            lines.entry(source).or_default().push(DisplayLine { text, timestamp });
        }
        EventKind::StepStarted { step } => {
            if let Some(active) = model.activity.active_run_mut()
                && active.held.as_ref() == Some(&step)
            {
                active.held = None;
            }
            follow(model, &step);
        }
        // Only for active runs.
        EventKind::WarningGiven { message, .. } if is_shown && model.is_live() => {
            model.messages.add(model.now, Severity::Info, format!("Warning: {}", redact_line(&message)));
        }
        // The held step will not run: a deployment stops at its first failure.
        EventKind::StepFailed { .. } => {
            if let Some(active) = model.activity.active_run_mut().filter(|active| active.action == Action::Deploy) {
                active.held = None;
            }
        }
        EventKind::ResourceChanged { resource, .. } => {
            // The inspection is outdated.
            model.details.inspected.remove(&resource);
            model.details.lost.retain(|lost| *lost != resource);
        }
        _ => {}
    }
    effects
}

/// Displays a new run.
fn begin(model: &mut Model, event: &Event) -> Vec<Effect> {
    let Some(run) = RunModel::begin(event) else { return Vec::new() };
    let has_log = run.started.action == Action::Deploy;
    model.run = Some(run);
    model.panel_chosen = false;
    // A teardown has no build log; the last one stays.
    if has_log { model.log_mut(LogSource::Build).clear() } else { Vec::new() }
}

/// Shows the build panel when a build starts, unless the user chose a panel.
fn follow(model: &mut Model, step: &thumbctl_core::plan::StepId) {
    let is_build = model
        .run
        .as_ref()
        .and_then(|run| run.step(step))
        .is_some_and(|model| model.step.resource == Some(ResourceKind::Image));
    let deploys = model.run.as_ref().is_some_and(|run| run.started.action == Action::Deploy);
    if is_build && deploys && !model.panel_chosen && model.is_live() {
        model.shown = Panel::Build;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codebuild_timestamp_is_removed() {
        assert_eq!(without_time("[Container] 2026/11/22 13:05:09.123456 Entering phase BUILD"), "Entering phase BUILD");
        assert_eq!(without_time("[Container] 2026/11/22 13:05:09 Running command ls"), "Running command ls");
        for other in
            ["", "[Container] ", "[Container] hello", "2026/11/22 13:05:09 x", "[Container] 2026/11/22 13:05:é9 x"]
        {
            assert_eq!(without_time(other), other);
        }
    }
}
