//! Hostile text in all displayed fields: cells contain no unsafe characters, and every view has a layout.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value;
use thumbctl_core::event::{Action as RunAction, Event, EventKind, Failure, Outcome, TestUploadStage};
use thumbctl_core::resource::ResourceKind;
use tui_input::Input;

use crate::message::{Message, RiskLevel};
use crate::model::messages::Severity;
use crate::model::overlay::{ConfirmAction, ConfirmDialog, ConfirmInput, Overlay};
use crate::model::{Connection, Model};
use crate::pane::test_upload::protocol::{EntryKind, FileEntry, Folder, FolderListing, PictureKey, TestUploadReport};
use crate::pane::test_upload::state::tests as test_upload;
use crate::panel::Panel;
use crate::scenes;
use crate::update::update;

/// The event fields with external text. Identifiers are not replaced.
const WORDS: [&str; 17] = [
    "title",
    "why",
    "calls",
    "message",
    "text",
    "cloud",
    "region",
    "account",
    "reason",
    "note",
    "arn",
    "context",
    "hint",
    "causes",
    "log",
    "value",
    "logical_id",
];

/// Replaces all external text of an event.
fn hostile(event: &Event, words: &str) -> Event {
    fn replace(value: &mut Value, is_word: bool, words: &str) {
        match value {
            Value::String(text) if is_word => words.clone_into(text),
            Value::Array(members) => members.iter_mut().for_each(|member| replace(member, is_word, words)),
            Value::Object(members) => {
                // The skip reason is an enumeration.
                let is_skipped = members.get("event").is_some_and(|event| event == "step_skipped");
                for (name, member) in members {
                    replace(member, WORDS.contains(&name.as_str()) && !is_skipped, words);
                }
            }
            _ => {}
        }
    }
    let mut value = serde_json::to_value(event).expect("an event is JSON");
    replace(&mut value, false, words);
    serde_json::from_value(value).expect("it is still an event")
}

fn failure(words: &str) -> Failure {
    Failure {
        message: words.to_owned(),
        causes: vec![words.to_owned()],
        log: vec![words.to_owned()],
        hint: Some(words.to_owned()),
    }
}

/// A deployment with a failed build and hostile text in all fields.
fn failed_build(size: (u16, u16), words: &str) -> Model {
    let mut model = scenes::empty(size);
    model.requested.cloud = words.to_owned();
    if let Connection::Connected(connection) = &mut model.connection {
        connection.risk = RiskLevel::Data;
        for text in [&mut connection.cloud, &mut connection.account, &mut connection.arn, &mut connection.region] {
            words.clone_into(text);
        }
    }
    scenes::start_run(&mut model, RunAction::Deploy);
    let mut script = scenes::EventScript::new(1, RunAction::Deploy, 0.0);
    let mut events = scenes::until_build(&mut script);
    let plan = scenes::deploy_plan();
    let image = plan.steps().iter().find(|step| step.resource == Some(ResourceKind::Image)).expect("an image is built");
    let step = image.id.clone();
    let words = words.to_owned();
    for kind in [
        EventKind::StepProgress { step: step.clone(), message: words.clone(), done: None, total: None },
        EventKind::WarningGiven { step: step.clone(), message: words.clone() },
        EventKind::OutputGiven { step: step.clone(), name: words.clone(), value: words.clone() },
        EventKind::ChangePlanned {
            step: step.clone(),
            action: "add".into(),
            logical_id: words.clone(),
            resource_type: words.clone(),
        },
        EventKind::BuildPhase {
            phase: "BUILD".into(),
            status: "FAILED".into(),
            seconds: Some(9.0),
            context: Some(words.clone()),
        },
        EventKind::BuildPhase { phase: words.clone(), status: words.clone(), seconds: None, context: None },
        EventKind::StepFailed { step, seconds: 1.0, error: failure(&words) },
    ] {
        events.push(script.event(kind));
    }
    events.push(script.end(Outcome::Failed, 2.0));
    scenes::apply_events(&mut model, events.iter().map(|event| hostile(event, &words)).collect());
    update(&mut model, Message::RunEnded(Ok(Outcome::Failed)));
    model.messages.add(model.now, Severity::Error, words.clone());
    let inspection = thumbctl_deploy::session::Inspection {
        kind: ResourceKind::Repository,
        name: words.clone(),
        arn: Some(words.clone()),
        settings: vec![(words.clone(), words.clone())],
        tags: vec![(words.clone(), words.clone())],
        documents: vec![(words.clone(), serde_json::json!({ (words.clone()): [words] }))],
    };
    update(&mut model, Message::Inspected(ResourceKind::Repository, Ok(Some(Box::new(inspection)))));
    model
}

/// Models with hostile image names: chosen and uploaded.
fn images(size: (u16, u16), words: &str) -> Vec<Model> {
    let mut sent = test_upload::entered(scenes::deployed(size));
    test_upload::send(&mut sent);
    let shown = [format!("/photos/{words}"), words.to_owned()];
    let mut run = test_upload::UploadScript::new(2, &[&shown[0], &shown[1]]);
    let mut events = run.begin();
    events.push(run.stage(0, TestUploadStage::Uploaded, 0.1));
    events.extend(run.succeed(0));
    events.extend(run.fail(1).iter().map(|event| hostile(event, words)));
    events.push(run.end(Outcome::Failed));
    scenes::apply_events(&mut sent, events);
    let mut enlarged = test_upload::entered(scenes::deployed(size));
    let mut run = test_upload::UploadScript::new(2, &[words]);
    let mut events = run.begin();
    events.extend(run.succeed(0));
    scenes::apply_events(&mut enlarged, events);

    let mut chosen = test_upload::entered(scenes::deployed(size));
    let path = PathBuf::from(format!("/photos/{words}"));
    let entry = FileEntry { name: words.to_owned(), path: path.clone(), kind: EntryKind::Image { bytes: 7 } };
    let folder = FileEntry { kind: EntryKind::Folder, ..entry.clone() };
    let listing = FolderListing { folder: path.clone(), entries: vec![entry, folder], left_out: 0 };
    test_upload::apply_report(&mut chosen, TestUploadReport::Listed(Folder::Samples, Ok(listing.clone())));
    test_upload::apply_report(&mut chosen, TestUploadReport::Listed(Folder::Working, Ok(listing)));
    test_upload::apply_report(
        &mut chosen,
        TestUploadReport::Rendered(PictureKey { path, cells: (1, 1) }, Err(failure(words))),
    );
    vec![sent, enlarged, chosen]
}

/// Draws a model and checks every cell.
fn check(model: &Model) -> Result<(), TestCaseError> {
    for cell in &scenes::screen(model).content {
        prop_assert!(!cell.symbol().contains(thumbctl_platform::text::is_unsafe), "{:?} is drawn", cell.symbol());
    }
    Ok(())
}

fn check_everything(size: (u16, u16), words: &str) -> Result<(), TestCaseError> {
    let mut model = failed_build(size, words);
    let dialog = ConfirmDialog {
        prompt: words.to_owned(),
        consequence: words.to_owned(),
        resources: vec![(ResourceKind::Repository, words.to_owned())],
        foreign: vec![words.to_owned()],
        input: ConfirmInput::Word(Input::new(words.to_owned())),
        action: ConfirmAction::Start,
        scroll: 0,
    };
    for panel in super::PANELS.iter().copied() {
        model.focus = panel;
        model.shown = if panel == Panel::Resources { Panel::Details } else { panel };
        check(&model)?;
    }
    for overlay in [
        Overlay::Messages { scroll: 0 },
        Overlay::Palette { input: Input::new(words.to_owned()), selected: 0 },
        Overlay::Confirm(dialog),
    ] {
        model.overlay = Some(overlay);
        check(&model)?;
    }
    model.overlay = None;
    model.connection = Connection::Failed(failure(words));
    check(&model)?;
    images(size, words).iter().try_for_each(check)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.div_ceil(20), ..ProptestConfig::default() })]

    #[test]
    fn cells_contain_no_unsafe_characters(
        words in thumbctl_hostile_text::any_text(),
        width in 0u16..=200,
        height in 0u16..=60,
    ) {
        check_everything((width, height), &words)?;
    }
}

#[test]
fn name_of_four_tabs_is_drawn_at_every_width() {
    for width in [60, 61, 63, 67, 72, 80, 89, 100, 115, 132, 150, 199, 200] {
        check_everything((width, 24), "\t\t\t\t.png").expect("it is harmless");
    }
}
