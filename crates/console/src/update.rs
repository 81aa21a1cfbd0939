//! [`update`]: takes a message into the model and answers what is to be done. Pure: no clock, no I/O.

mod answers;
mod commands;
mod events;
mod keys;
mod mouse;
mod overlays;
mod settle;

pub use commands::{available, available_beneath, perform};
pub use overlays::offered;

use super::message::{Effect, Message};
use super::model::messages::Tone;
use super::model::{Connection, Model};

/// Takes a message into the model and answers what is to be done, in order.
pub fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    let mut effects = take_in(model, message);
    effects.extend(settle::settle(model));
    effects
}

fn take_in(model: &mut Model, message: Message) -> Vec<Effect> {
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
        Message::Terminal(answer) => {
            if let Some(theme) = answer.theme.filter(|_| !model.theme_chosen) {
                model.theme = theme;
            }
            Vec::new()
        }
        Message::Events(events) => events::take_in(model, events),
        Message::JournalsRead => {
            model.journals_read = true;
            answers::ask_status(model)
        }
        Message::Holder(holder) => answers::holder(model, holder),
        Message::Connected(place) => answers::connected(model, *place),
        Message::NotConnected(failure) => {
            model.messages.fail(model.now, &failure);
            model.connection = Connection::Failed(failure);
            Vec::new()
        }
        Message::Preview(preview) => {
            model.preview = Some(*preview);
            keep_selection(model);
            Vec::new()
        }
        Message::Prepared(prepared) => answers::prepared(model, prepared),
        Message::NotPrepared(task, failure) => answers::not_prepared(model, &task, &failure),
        Message::Held(step) => {
            if let Some(ours) = model.activity.ours_mut() {
                ours.held = Some(step);
            }
            Vec::new()
        }
        Message::RunEnded(ended) => answers::run_ended(model, ended),
        Message::Status(status) => answers::status(model, status),
        Message::Inspected(kind, answer) => answers::inspected(model, kind, answer),
        Message::Lines(source, lines) => events::lines(model, source, lines),
        Message::Log(source, report) => model.log_mut(source).take_in(report),
        Message::Trial(report) => model.trial.take_in(report),
        Message::Notice(Ok(text)) => {
            model.messages.say(model.now, Tone::Good, text);
            Vec::new()
        }
        Message::Notice(Err(failure)) => {
            model.messages.fail(model.now, &failure);
            Vec::new()
        }
        Message::Replay(position) => {
            model.activity = super::model::activity::Activity::Replay(position);
            Vec::new()
        }
        Message::Terminate => vec![Effect::Quit],
    }
}

/// The selection stands on a row that is there.
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
