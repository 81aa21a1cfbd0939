use insta::assert_snapshot;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use thumbctl_core::event::{Action as RunAction, EventKind};
use thumbctl_core::resource::ResourceKind;

use super::*;
use crate::scenes;

/// The card alone, at a size.
fn card(model: &Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test screen");
    terminal.draw(|frame| draw(frame, frame.area(), model, Appearance::of(model))).expect("it does not fail");
    terminal.backend().to_string().replace('"', "")
}

fn step_of(kind: ResourceKind) -> thumbctl_core::plan::Step {
    let plan = scenes::deploy_plan();
    plan.steps().iter().find(|step| step.resource == Some(kind)).cloned().expect("it is in the plan")
}

/// A deployment held before the function, while the build is retried.
fn held_before_the_function() -> Model {
    let mut model = scenes::building((120, 40));
    let mut script = scenes::EventScript::new(1, RunAction::Deploy, 20.0);
    for _ in 0..200 {
        script.event(EventKind::StepStarted { step: "passed".into() });
    }
    let retried = EventKind::StepRetried {
        step: step_of(ResourceKind::Image).id,
        attempt: 2,
        reason: "the role cannot be assumed yet".into(),
        delay: 2.0,
    };
    scenes::apply_events(&mut model, vec![script.event(retried)]);
    scenes::hold(&mut model, &step_of(ResourceKind::Function).id);
    model
}

#[test]
fn next_step_is_explained() {
    assert_snapshot!(card(&held_before_the_function(), 47, 22));
}

#[test]
fn planned_changes_come_first() {
    let mut model = held_before_the_function();
    let mut script = scenes::EventScript::new(1, RunAction::Deploy, 30.0);
    for _ in 0..300 {
        script.event(EventKind::StepStarted { step: "passed".into() });
    }
    let planned = |action: &str, logical_id: &str| EventKind::ChangePlanned {
        step: step_of(ResourceKind::Function).id,
        action: action.into(),
        logical_id: logical_id.into(),
        resource_type: "AWS::S3::Bucket".into(),
    };
    let events = vec![script.event(planned("add", "SourceBucket")), script.event(planned("add", "Function"))];
    scenes::apply_events(&mut model, events);
    let of_stack = card(&model, 47, 8);
    assert!(of_stack.contains("add     SourceBucket, Function"), "{of_stack}");
    // Terraform uses other terms, with a reason.
    let events =
        vec![script.event(planned("replace (tainted)", "aws_x.y")), script.event(planned("import", "aws_x.z"))];
    scenes::apply_events(&mut model, events);
    let of_plan = card(&model, 47, 10);
    assert!(of_plan.contains("replace aws_x.y") && of_plan.contains("import  aws_x.z"), "{of_plan}");
    // The number is displayed even if the list is truncated.
    let many = (0..20).map(|at| script.event(planned("create", &format!("aws_{at}.many")))).collect();
    scenes::apply_events(&mut model, many);
    let cut = card(&model, 47, 10);
    assert!(cut.contains("create  20: aws_0.many, aws_1.many,"), "{cut}");
    let list: Vec<&str> = cut.lines().filter(|line| line.contains(".many")).collect();
    assert!(list.last().is_some_and(|line| line.contains('…')), "{cut}");
}

#[test]
fn keys_are_shown_at_any_height() {
    let model = held_before_the_function();
    for height in 6..22 {
        let card = card(&model, 47, height);
        assert!(card.contains("enter  run step") && card.contains("a      run all"), "{height}:\n{card}");
    }
}

#[test]
fn running_step_shows_progress() {
    let mut model = scenes::building((60, 20));
    let mut script = scenes::EventScript::new(1, RunAction::Deploy, 20.0);
    for _ in 0..200 {
        script.event(EventKind::StepStarted { step: "passed".into() });
    }
    let progress = EventKind::StepProgress {
        step: step_of(ResourceKind::Image).id,
        message: "waiting for the build".into(),
        done: None,
        total: None,
    };
    scenes::apply_events(&mut model, vec![script.event(progress)]);
    assert!(card(&model, 47, 19).contains("waiting for the build"));
    let screen = scenes::text_of(&model);
    assert!(screen.contains("◑ Build the function's image: waiting for the build"), "{screen}");
}

#[test]
fn failure_shows_reason_and_keys() {
    assert_snapshot!(card(&scenes::failed((120, 40)), 47, 19));
}

#[test]
fn unavailable_action_has_no_key() {
    let mut model = scenes::empty((120, 40));
    assert!(card(&model, 47, 19).contains("enter  run step"));
    model.connection = crate::model::Connection::Connecting;
    assert!(!card(&model, 47, 19).contains("enter"));
}
