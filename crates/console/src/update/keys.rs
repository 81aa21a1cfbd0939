//! Handles keys and pasted text.

use std::path::PathBuf;

use crossterm::event::{Event as TerminalEvent, KeyEvent, KeyEventKind};
use tui_input::backend::crossterm::EventHandler;

use super::commands::{available, perform};
use crate::keymap::{Action, Context};
use crate::message::Effect;
use crate::model::activity::Activity;
use crate::model::messages::Severity;
use crate::model::overlay::{ConfirmDialog, ConfirmInput, Overlay};
use crate::model::{Connection, Model};
use crate::panel::Panel;

pub(super) fn key(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let contexts = model.contexts();
    let actions: Vec<Action> = model.keymap.lookup(&contexts, key).collect();
    if let Some(action) = actions.iter().copied().find(|action| available(model, *action)) {
        return perform(model, action);
    }
    if let Some(why) = actions.into_iter().find_map(|action| why_not(model, action)) {
        model.messages.add(model.now, Severity::Info, why);
        return Vec::new();
    }
    type_key(model, key)
}

/// The reason why a change of the deployment is not available; none if it is evident or an input line is open.
fn why_not(model: &Model, action: Action) -> Option<String> {
    let changes = matches!(action, Action::RunStep | Action::RunAll | Action::Destroy | Action::Send);
    if action == Action::Cancel && model.activity.is_idle() && model.overlay.is_none() {
        let quit = model.keymap.chord_of(&[Context::Everywhere], Action::Quit);
        return Some(match quit {
            Some(key) => format!("Nothing to cancel. Press {key} to quit."),
            None => "Nothing to cancel.".to_owned(),
        });
    }
    if !changes || model.overlay.is_some() || model.is_typing() {
        return None;
    }
    match (&model.connection, &model.activity) {
        (Connection::Connecting, _) => Some("Not connected yet.".to_owned()),
        (Connection::Failed(_), _) => Some("Not connected. Refresh to retry.".to_owned()),
        (_, Activity::OtherProcess { holder }) => Some(format!("The deployment is in use by {holder}.")),
        (_, Activity::Replay(_)) => Some("Not available in a replay.".to_owned()),
        (_, Activity::Running(_)) if matches!(action, Action::Destroy | Action::Send) => {
            Some("A run is active. Wait for it or cancel it.".to_owned())
        }
        (Connection::Connected(_), Activity::Idle) if !model.journals_read => {
            Some("The journal is still being read.".to_owned())
        }
        (Connection::Connected(_), Activity::Idle) if action == Action::Destroy => {
            Some("Nothing to destroy.".to_owned())
        }
        (Connection::Connected(_), Activity::Idle) if action == Action::Send && !model.deployment.is_complete() => {
            Some("Deploy first; then images can be uploaded.".to_owned())
        }
        _ => None,
    }
}

/// Passes a key without action to the open input line.
fn type_key(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    match &mut model.overlay {
        Some(Overlay::Palette { input, selected }) => {
            if input.handle_event(&TerminalEvent::Key(key)).is_some_and(|change| change.value) {
                *selected = 0;
            }
            Vec::new()
        }
        Some(Overlay::Confirm(ConfirmDialog { input: ConfirmInput::Word(input), .. })) => {
            input.handle_event(&TerminalEvent::Key(key));
            Vec::new()
        }
        Some(_) => Vec::new(),
        None => model.focused().type_key(model, key),
    }
}

/// Handles pasted text: input, or paths of dropped files.
pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    let types = model.is_typing() || model.contexts().contains(&Context::Typing);
    if types {
        let line: String = text.chars().filter(|c| !c.is_control()).collect();
        let mut effects = Vec::new();
        for letter in line.chars() {
            let key = KeyEvent::new(crossterm::event::KeyCode::Char(letter), crossterm::event::KeyModifiers::NONE);
            effects.extend(type_key(model, key));
        }
        return effects;
    }
    let paths = dropped_paths(text);
    if paths.is_empty() || model.overlay.is_some() || model.activity.is_replay() {
        return Vec::new();
    }
    let mut effects = perform(model, Action::Show(Panel::TestUpload));
    effects.extend(model.test_upload.drop_paths(paths));
    effects
}

/// Parses the paths that terminals paste for dropped files: quoted, escaped, or as `file://` URLs. Other text has no
/// paths.
fn dropped_paths(text: &str) -> Vec<PathBuf> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut letters = text.trim().chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None) => word.extend(letters.next()),
            ('\'' | '"', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            (letter, None) if letter.is_whitespace() => words.push(std::mem::take(&mut word)),
            (letter, _) => word.push(letter),
        }
    }
    words.push(word);
    let path = |word: &String| match word.strip_prefix("file://") {
        Some(rest) => percent_encoding::percent_decode_str(rest).decode_utf8().ok().map(std::borrow::Cow::into_owned),
        None => Some(word.clone()),
    };
    let paths: Option<Vec<PathBuf>> = words
        .iter()
        .filter(|word| !word.is_empty())
        .map(|word| path(word).filter(|path| path.starts_with('/') || path.starts_with("~/")).map(PathBuf::from))
        .collect();
    paths.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_paths_are_parsed() {
        let paths = |text: &str| dropped_paths(text).iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        assert_eq!(paths("/tmp/a.jpg "), ["/tmp/a.jpg"]);
        assert_eq!(paths("'/tmp/my photo.jpg' /tmp/b.png"), ["/tmp/my photo.jpg", "/tmp/b.png"]);
        assert_eq!(paths("/tmp/my\\ photo.jpg"), ["/tmp/my photo.jpg"]);
        assert_eq!(paths("file:///tmp/my%20photo.jpg\n"), ["/tmp/my photo.jpg"]);
        assert_eq!(paths("hello world"), Vec::<String>::new());
        assert_eq!(paths(""), Vec::<String>::new());
    }
}
