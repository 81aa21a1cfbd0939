use insta::assert_snapshot;
use serde_json::json;
use thumbctl_core::event::EventKind;

use super::*;
use crate::message::Message;
use crate::model::Connection;
use crate::scenes;
use crate::theme::Theme;
use crate::update::update;

fn details_of(mut model: Model, kind: ResourceKind) -> Model {
    model.focus = Panel::Details;
    model.shown = Panel::Details;
    model.resources.selected = kind;
    model
}

/// The complete text of the panel.
fn whole(model: &Model, columns: usize) -> String {
    let lines = lines(model, Appearance::of(model), columns);
    let line = |line: &Line<'_>| line.spans.iter().map(|span| span.content.as_ref()).collect::<String>();
    lines.iter().map(|one| line(one).trim_end().to_owned() + "\n").collect()
}

fn inspected(model: &mut Model, kind: ResourceKind) {
    let inspection = Inspection {
        kind,
        name: scenes::names().of(kind),
        arn: None,
        settings: vec![
            ("state".into(), "Active".into()),
            ("memory".into(), "512 MB".into()),
            (
                "image".into(),
                format!("000000000000.dkr.ecr.us-east-1.amazonaws.com/thumbnails@sha256:{}", "ab".repeat(32)),
            ),
        ],
        tags: vec![("thumbctl:deployment".into(), "thumbnails".into())],
        documents: vec![(
            "resource policy".into(),
            json!({"Version": "2012-10-17", "Statement": [{
                "Sid": "s3-invoke", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "lambda:InvokeFunction",
                "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::thumbnails-1a2b3c4d-source"}},
            }]}),
        )],
    };
    update(model, Message::Inspected(kind, Ok(Some(Box::new(inspection)))));
}

#[test]
fn deployed_function_shows_cloud_configuration() {
    let mut model = details_of(scenes::deployed((120, 40)), ResourceKind::Function);
    inspected(&mut model, ResourceKind::Function);
    assert_snapshot!("function_70", whole(&model, 70));
    assert_snapshot!("function_120x40", scenes::text_of(&model));
    assert_snapshot!(
        "function_60x20",
        scenes::text_of(&details_of(scenes::deployed((60, 20)), ResourceKind::Function))
    );
}

#[test]
fn failed_build_shows_reason_and_hint() {
    let model = details_of(scenes::failed((120, 40)), ResourceKind::Image);
    assert_snapshot!("failed_image_70", whole(&model, 70));
}

#[test]
fn planned_policy_document_is_shown() {
    let model = details_of(scenes::empty((120, 40)), ResourceKind::FunctionPolicy);
    assert_snapshot!("policy_70", whole(&model, 70));
}

#[test]
fn every_resource_has_details_in_every_state() {
    for scene in [scenes::empty, scenes::building, scenes::failed, scenes::deployed, scenes::destroying] {
        for kind in ResourceKind::ARCHITECTURE {
            let model = details_of(scene((120, 40)), kind);
            let text = whole(&model, 70);
            let purpose = descriptor(kind).purpose.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
            assert!(text.contains(&purpose), "{kind}:\n{text}");
            assert_eq!(text.lines().count(), DetailsPane.rows(&model, 72), "{kind}");
            let widest = text.lines().map(text::width).max();
            assert!(widest <= Some(70), "{kind}: {widest:?}\n{text}");
        }
    }
}

#[test]
fn pending_missing_and_failed_inspections_are_shown() {
    let mut model = details_of(scenes::deployed((120, 40)), ResourceKind::Function);
    model.details.inspected.insert(ResourceKind::Function, InspectionState::Pending);
    assert!(whole(&model, 70).contains("loading…"));
    model.details.inspected.insert(ResourceKind::Function, InspectionState::Missing);
    assert!(whole(&model, 70).contains("Not found in the cloud."));
    let failure = Failure::new("access denied").with_hint("ask for lambda:GetFunction");
    update(&mut model, Message::Inspected(ResourceKind::Function, Err(failure)));
    let text = whole(&model, 70);
    assert!(text.contains("access denied") && text.contains("ask for lambda:GetFunction"), "{text}");
    model.details.lost = vec![ResourceKind::Function];
    assert!(whole(&model, 70).contains("◌ lost"));
}

#[test]
fn console_url_is_shown_for_aws_only() {
    let mut model = details_of(scenes::deployed((120, 40)), ResourceKind::Function);
    assert!(!whole(&model, 70).contains("https://"));
    let Connection::Connected(connection) = &mut model.connection else { panic!("the scene is connected") };
    connection.risk = RiskLevel::Cost;
    connection.account = "123456789012".into();
    assert!(whole(&model, 70).contains("https://"));
    let empty = details_of(scenes::empty((120, 40)), ResourceKind::Function);
    model.deployment = empty.deployment;
    assert!(!whole(&model, 70).contains("https://"), "a missing resource has no page");
}

#[test]
fn scroll_stops_at_end() {
    let mut model = details_of(scenes::deployed((120, 40)), ResourceKind::Function);
    inspected(&mut model, ResourceKind::Function);
    *model.scroll_mut(Panel::Details) = u16::MAX;
    let screen = scenes::text_of(&model);
    let all = DetailsPane.rows(&model, Layout::inside(model.layout().main).width);
    assert!(screen.contains(&format!("-{all} of {all}")), "{screen}");
    let last = screen.lines().rev().nth(3).expect("the last row of the panel");
    assert!(last.trim_end_matches(['│', ' ']).ends_with("│ }"), "{screen}");
}

#[test]
fn policy_has_syntax_colours() {
    let mut model = details_of(scenes::empty((120, 60)), ResourceKind::FunctionPolicy);
    model.theme = Theme::Dark;
    let appearance = Appearance::of(&model);
    let lines = lines(&model, appearance, 70);
    let span = |text: &str| {
        let mut spans = lines.iter().flat_map(|line| &line.spans);
        spans.find(|span| span.content == text).unwrap_or_else(|| panic!("no piece {text}")).style
    };
    assert_eq!(span("\"Effect\""), appearance.style(Role::JsonKey));
    assert_eq!(span("\"Allow\""), appearance.style(Role::JsonText));
}

#[test]
fn wheel_stops_at_end() {
    use crossterm::event::{KeyModifiers, MouseEvent, MouseEventKind};
    let mut model = details_of(scenes::deployed((120, 40)), ResourceKind::Function);
    inspected(&mut model, ResourceKind::Function);
    let main = model.layout().main;
    let wheel =
        |kind| Message::Mouse(MouseEvent { kind, column: main.x + 5, row: main.y + 5, modifiers: KeyModifiers::NONE });
    for _ in 0..100 {
        update(&mut model, wheel(MouseEventKind::ScrollDown));
    }
    let end = scenes::text_of(&model);
    update(&mut model, wheel(MouseEventKind::ScrollUp));
    assert_ne!(scenes::text_of(&model), end, "one notch back is visible");
}

#[test]
fn warnings_and_outputs_are_shown() {
    let mut model = details_of(scenes::building((120, 40)), ResourceKind::Image);
    let mut script = scenes::EventScript::new(1, RunAction::Deploy, 20.0);
    for _ in 0..200 {
        script.event(EventKind::StepStarted { step: "passed".into() });
    }
    let step = scenes::deploy_plan().steps().iter().find(|step| step.resource == Some(ResourceKind::Image)).cloned();
    let step = step.expect("the plan builds").id;
    let events = vec![
        script.event(EventKind::WarningGiven { step: step.clone(), message: "it continues alone".into() }),
        script.event(EventKind::OutputGiven { step, name: "image".into(), value: "it@sha256".into() }),
    ];
    scenes::apply_events(&mut model, events);
    let shown = whole(&model, 70);
    assert!(shown.contains("warning  it continues alone\n"), "{shown}");
    assert!(shown.contains("output   image = it@sha256\n"), "{shown}");
    let screen = scenes::text_of(&model);
    assert!(screen.contains("Warning: it continues alone"), "on the message line, too: {screen}");
}

#[test]
fn planned_changes_are_shown_with_step() {
    let mut model = scenes::empty((120, 40));
    let plan = thumbctl_deploy::strategy::terraform::deploy_plan(
        &thumbctl_deploy::settings::BuildSource::Bundle,
        crate::message::RunMode::Continuous,
    );
    let mut script = scenes::EventScript::new(1, RunAction::Deploy, 0.0);
    let planned = EventKind::ChangePlanned {
        step: "apply_start".into(),
        action: "create".into(),
        logical_id: "aws_ecr_repository.function".into(),
        resource_type: "aws_ecr_repository".into(),
    };
    let events = vec![script.begin(RunAction::Deploy, plan), script.event(planned)];
    scenes::apply_events(&mut model, events);
    let shown = whole(&details_of(model, ResourceKind::Repository), 90);
    assert!(shown.contains("changes  create aws_ecr_repository.function (aws_ecr_repository)\n"), "{shown}");
    assert!(!shown.contains("\ncalls"), "nothing is called by thumbctl itself: {shown}");
}
