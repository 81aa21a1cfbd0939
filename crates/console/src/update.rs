//! [`update`]: applies a message to the model and returns effects. Pure: no clock, no I/O.

mod commands;
mod events;
mod follow_up;
mod keys;
mod mouse;
mod overlays;
mod responses;

pub use commands::{available, available_without_overlay, perform};
pub use overlays::palette_actions;

use super::message::{Effect, Message};
use super::model::messages::Severity;
use super::model::{Connection, Model};

/// Applies a message to the model and returns effects, in order.
pub fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    let mut effects = apply(model, message);
    effects.extend(follow_up::follow_up(model));
    effects
}

fn apply(model: &mut Model, message: Message) -> Vec<Effect> {
    match message {
        Message::Key(key) => keys::key(model, key),
        Message::Mouse(mouse) => mouse::mouse(model, mouse),
        Message::Paste(text) => keys::paste(model, &text),
        Message::Resize(width, height) => {
            model.size = (width, height);
            Vec::new()
        }
        Message::Tick(now) => {
            model.now = now;
            Vec::new()
        }
        Message::Terminal(info) => {
            if let Some(theme) = info.theme.filter(|_| !model.theme_chosen) {
                model.theme = theme;
            }
            Vec::new()
        }
        Message::Events(events) => events::apply(model, events),
        Message::JournalsRead => {
            model.journals_read = true;
            responses::fetch_status(model)
        }
        Message::Holder(holder) => responses::holder(model, holder),
        Message::Connected(connection) => responses::connected(model, *connection),
        Message::NotConnected(failure) => {
            model.messages.add_failure(model.now, &failure);
            model.connection = Connection::Failed(failure);
            Vec::new()
        }
        Message::Preview(preview) => {
            model.preview = Some(*preview);
            keep_selection(model);
            Vec::new()
        }
        Message::RunReady(prepared) => responses::prepared(model, prepared),
        Message::PrepareFailed(task, failure) => responses::not_prepared(model, &task, &failure),
        Message::Held(step) => {
            if let Some(active) = model.activity.active_run_mut() {
                active.held = Some(step);
            }
            Vec::new()
        }
        Message::RunEnded(ended) => responses::run_ended(model, ended),
        Message::Status(status) => responses::status(model, status),
        Message::Inspected(kind, result) => responses::inspected(model, kind, result),
        Message::Lines(source, lines) => events::lines(model, source, lines),
        Message::Log(source, report) => model.log_mut(source).apply_report(report),
        Message::TestUpload(report) => model.test_upload.apply_report(report),
        Message::Notice(Ok(text)) => {
            model.messages.add(model.now, Severity::Success, text);
            Vec::new()
        }
        Message::Notice(Err(failure)) => {
            model.messages.add_failure(model.now, &failure);
            Vec::new()
        }
        Message::Replay(position) => {
            model.activity = super::model::activity::Activity::Replay(position);
            Vec::new()
        }
        Message::Terminate => vec![Effect::Quit],
    }
}

/// Moves the selection to an existing row.
fn keep_selection(model: &mut Model) {
    let rows = model.resource_rows();
    if !rows.iter().any(|row| row.kind == model.resources.selected)
        && let Some(first) = rows.first()
    {
        model.resources.selected = first.kind;
    }
}

#[cfg(test)]
mod tests;
