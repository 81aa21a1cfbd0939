//! Tests of the console's behaviour without a terminal.

use std::collections::BTreeSet;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use thumbctl_core::event::{Action as RunAction, Failure, Outcome};
use thumbctl_core::plan::Step;
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::*;
use crate::keymap::{Action, Chord};
use crate::message::{ConnectionInfo, PreparedRun, RiskLevel, RunMode, Task};
use crate::model::activity::Activity;
use crate::model::overlay::{ConfirmAction, ConfirmDialog, ConfirmInput, Overlay};
use crate::model::resources::{DeploymentStatus, ResourceDisplayState};
use crate::panel::Panel;
use crate::scenes;

const SIZE: (u16, u16) = (120, 40);

/// Presses keys, written as in the configuration file.
fn press(model: &mut Model, keys: &[&str]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for key in keys {
        let key = match *key {
            "enter" => KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE),
            "esc" => KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE),
            "tab" => KeyEvent::new(KeyCode::Tab, KeyModifiers::NONE),
            "ctrl-c" => KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL),
            "space" => KeyEvent::new(KeyCode::Char(' '), KeyModifiers::NONE),
            letter => KeyEvent::new(KeyCode::Char(letter.chars().next().expect("a key")), KeyModifiers::NONE),
        };
        effects.extend(update(model, Message::Key(key)));
    }
    // Log effects are tested with the panes.
    effects.retain(|effect| !matches!(effect, Effect::Log(..)));
    effects
}

fn prepared(task: Task, kinds: &[ResourceKind]) -> Message {
    let names = scenes::names();
    Message::RunReady(Box::new(PreparedRun {
        task,
        plan: scenes::deploy_plan(),
        resources: kinds.iter().map(|kind| (*kind, names.of(*kind))).collect(),
        names,
        foreign: vec!["thumbnails-of-others".into()],
    }))
}

fn on_aws(model: &mut Model) {
    let connection = ConnectionInfo {
        cloud: "aws".into(),
        risk: RiskLevel::Cost,
        account: "123456789012".into(),
        arn: "arn:aws:iam::123456789012:user/someone".into(),
        region: "eu-central-1".into(),
    };
    update(model, Message::Connected(Box::new(connection)));
}

/// The effect that starts a run without completed steps.
fn started_run(mode: RunMode) -> Effect {
    Effect::Start { mode, passes: usize::from(mode == RunMode::StepByStep), completed: BTreeSet::new() }
}

/// The cloud's status, with missing resources.
fn status(model: &Model, missing: &[ResourceKind]) -> Message {
    use thumbctl_deploy::resource::Presence;
    use thumbctl_deploy::session::ResourceStatus;
    let of = |resource: &thumbctl_core::deployment::Resource| ResourceStatus {
        kind: resource.kind,
        name: resource.name.clone(),
        arn: None,
        journal: resource.state,
        presence: if missing.contains(&resource.kind) { Presence::Missing } else { Presence::Exists },
    };
    Message::Status(Ok(model.deployment.resources().map(of).collect()))
}

#[test]
fn scenes_have_expected_status() {
    assert_eq!(scenes::fresh(SIZE).status(), DeploymentStatus::Reading);
    assert_eq!(scenes::empty(SIZE).status(), DeploymentStatus::Empty);
    assert_eq!(scenes::building(SIZE).status(), DeploymentStatus::Deploying);
    assert_eq!(scenes::failed(SIZE).status(), DeploymentStatus::Failed);
    assert_eq!(scenes::deployed(SIZE).status(), DeploymentStatus::Ready);
    assert_eq!(scenes::destroying(SIZE).status(), DeploymentStatus::Destroying);
}

#[test]
fn enter_deploys_stepwise() {
    let mut model = scenes::empty(SIZE);
    assert_eq!(model.next_step().map(|step| step.title.clone()), Some(scenes::deploy_plan().steps()[0].title.clone()));
    assert_eq!(press(&mut model, &["enter"]), [Effect::Prepare(Task::Deploy, RunMode::StepByStep)]);
    assert_eq!(model.status(), DeploymentStatus::Preparing);
    let effects = update(&mut model, prepared(Task::Deploy, &[]));
    assert_eq!(effects, [started_run(RunMode::StepByStep)]);
    let plan = scenes::deploy_plan();
    let mut script = scenes::EventScript::new(1, RunAction::Deploy, 0.0);
    let mut events = vec![script.begin(RunAction::Deploy, plan.clone())];
    events.extend(script.step_starts(&plan.steps()[0], ResourceState::Creating));
    scenes::apply_events(&mut model, events);
    update(&mut model, Message::Held(plan.steps()[1].id.clone()));
    assert_eq!(model.next_step(), Some(&plan.steps()[1]), "the held step is next");
    assert_eq!(press(&mut model, &["enter"]), [Effect::ReleaseStep]);
    assert_eq!(press(&mut model, &["enter"]), [], "nothing is held");
    update(&mut model, Message::Held(plan.steps()[2].id.clone()));
    assert_eq!(press(&mut model, &["a"]), [Effect::SetMode(RunMode::Continuous)]);
    assert_eq!(press(&mut model, &["space"]), [Effect::SetMode(RunMode::StepByStep)]);
}

#[test]
fn deployment_needs_typed_yes_on_aws() {
    let mut model = scenes::empty(SIZE);
    on_aws(&mut model);
    press(&mut model, &["a"]);
    assert_eq!(update(&mut model, prepared(Task::Deploy, &[ResourceKind::Repository])), []);
    assert!(matches!(&model.overlay, Some(Overlay::Confirm(ConfirmDialog { input: ConfirmInput::Word(_), .. }))));
    assert_eq!(press(&mut model, &["y", "enter"]), [], "a letter is not `yes`");
    assert!(model.overlay.is_some());
    assert_eq!(press(&mut model, &["e", "s", "enter"]), [started_run(RunMode::Continuous)]);
    assert!(model.overlay.is_none());
}

#[test]
fn existing_resources_need_no_confirmation() {
    let mut model = scenes::empty(SIZE);
    on_aws(&mut model);
    press(&mut model, &["a"]);
    let effects = update(&mut model, prepared(Task::Deploy, &[]));
    assert_eq!(effects, [started_run(RunMode::Continuous)]);
}

#[test]
fn destroy_lists_resources_and_needs_confirmation() {
    let mut model = scenes::deployed(SIZE);
    assert_eq!(press(&mut model, &["D"]), [Effect::Prepare(Task::Destroy, RunMode::Continuous)]);
    assert_eq!(update(&mut model, prepared(Task::Destroy, &ResourceKind::ARCHITECTURE)), []);
    let Some(Overlay::Confirm(dialog)) = &model.overlay else { panic!("no dialog") };
    assert_eq!(dialog.resources.len(), ResourceKind::ARCHITECTURE.len());
    assert_eq!(dialog.foreign.len(), 1);
    assert_eq!(press(&mut model, &["enter"]), [], "enter does not confirm");
    assert_eq!(press(&mut model, &["n"]), [Effect::Discard]);
    assert_eq!(model.activity, Activity::Idle);
    press(&mut model, &["D"]);
    update(&mut model, prepared(Task::Destroy, &ResourceKind::ARCHITECTURE));
    assert_eq!(press(&mut model, &["y"]), [started_run(RunMode::Continuous)]);
}

#[test]
fn unknown_connection_has_highest_risk() {
    assert_eq!(scenes::fresh(SIZE).risk(), RiskLevel::Cost);
}

#[test]
fn nothing_starts_before_connection_and_journals() {
    let mut model = scenes::fresh(SIZE);
    assert_eq!(press(&mut model, &["enter", "a", "D"]), []);
    update(&mut model, Message::NotConnected(Failure::new("no route to the cloud")));
    assert_eq!(press(&mut model, &["enter", "a", "D"]), []);
    assert_eq!(press(&mut model, &["r"]), [Effect::Connect]);
}

#[test]
fn cancel_needs_confirmation_and_runs_once() {
    let mut model = scenes::building(SIZE);
    assert_eq!(press(&mut model, &["x"]), []);
    assert!(matches!(&model.overlay, Some(Overlay::Confirm(ConfirmDialog { action: ConfirmAction::Cancel, .. }))));
    assert_eq!(press(&mut model, &["n"]), []);
    assert_eq!(model.status(), DeploymentStatus::Deploying);
    assert_eq!(press(&mut model, &["ctrl-c", "y"]), [Effect::CancelRun]);
    assert_eq!(model.status(), DeploymentStatus::Cancelling);
    assert_eq!(press(&mut model, &["x", "a", "enter", "space"]), [], "nothing else is available");
}

#[test]
fn quit_during_run_offers_three_options() {
    let mut model = scenes::building(SIZE);
    assert_eq!(press(&mut model, &["q"]), []);
    assert!(matches!(model.overlay, Some(Overlay::Quitting)));
    assert_eq!(press(&mut model, &["esc", "q", "l"]), [Effect::Quit]);

    let mut model = scenes::building(SIZE);
    assert_eq!(press(&mut model, &["q", "c"]), [Effect::CancelRun]);
    assert_eq!(update(&mut model, Message::RunEnded(Ok(Outcome::Cancelled))), [Effect::Quit]);

    let mut model = scenes::building(SIZE);
    let held = scenes::deploy_plan().steps()[5].id.clone();
    scenes::hold(&mut model, &held);
    assert_eq!(press(&mut model, &["q", "w"]), [Effect::SetMode(RunMode::Continuous)], "no key will release the step");
    assert_eq!(update(&mut model, Message::RunEnded(Ok(Outcome::Succeeded))), [Effect::Quit]);

    assert_eq!(press(&mut scenes::deployed(SIZE), &["q"]), [Effect::Quit]);
}

#[test]
fn dialog_about_ended_run_is_closed() {
    let mut model = scenes::building(SIZE);
    press(&mut model, &["x"]);
    update(&mut model, Message::RunEnded(Ok(Outcome::Failed)));
    assert!(model.overlay.is_none());
}

#[test]
fn run_of_other_process_is_read_only() {
    let mut model = scenes::empty(SIZE);
    let mut script = scenes::EventScript::new(1, RunAction::Deploy, 0.0);
    let events = scenes::until_build(&mut script);
    scenes::apply_events(&mut model, events);
    assert_eq!(model.status(), DeploymentStatus::Interrupted);
    update(&mut model, Message::Holder(Some("process 123 (thumbctl deploy)".into())));
    assert_eq!(model.status(), DeploymentStatus::Deploying);
    assert_eq!(press(&mut model, &["enter", "a", "D", "x", "space"]), []);
    assert!(model.resource_rows().iter().any(|row| row.state == ResourceDisplayState::Creating));
    assert_eq!(press(&mut model, &["q"]), [Effect::Quit], "runs of others need no confirmation");
    update(&mut model, Message::Holder(None));
    assert_eq!(model.status(), DeploymentStatus::Interrupted);
    assert!(model.resource_rows().iter().any(|row| row.state == ResourceDisplayState::Unfinished));
}

#[test]
fn duplicate_event_counts_once() {
    let mut once = scenes::empty(SIZE);
    let mut twice = scenes::empty(SIZE);
    let events = scenes::whole_deployment(&mut scenes::EventScript::new(1, RunAction::Deploy, 0.0));
    scenes::apply_events(&mut once, events.clone());
    for event in events {
        scenes::apply_events(&mut twice, vec![event.clone()]);
        scenes::apply_events(&mut twice, vec![event]);
    }
    assert_eq!(once.history, twice.history);
    assert_eq!(once.resource_rows(), twice.resource_rows());
    assert_eq!(once.deployment, twice.deployment);
}

#[test]
fn starting_build_is_shown_unless_panel_chosen() {
    assert_eq!(scenes::building(SIZE).shown, Panel::Build);
    let mut model = scenes::empty(SIZE);
    scenes::start_run(&mut model, RunAction::Deploy);
    let mut script = scenes::EventScript::new(1, RunAction::Deploy, 0.0);
    let mut events = scenes::until_build(&mut script);
    let rest = events.split_off(2);
    scenes::apply_events(&mut model, events);
    press(&mut model, &["5"]);
    scenes::apply_events(&mut model, rest);
    assert_eq!(model.shown, Panel::Timing);
}

#[test]
fn palette_performs_selected_action() {
    let mut model = scenes::deployed(SIZE);
    press(&mut model, &[":", "d", "e", "s", "t", "r", "o", "y"]);
    assert_eq!(press(&mut model, &["enter"]), [Effect::Prepare(Task::Destroy, RunMode::Continuous)]);
    let mut model = scenes::empty(SIZE);
    press(&mut model, &[":", "d", "e", "s", "t", "r", "o", "y"]);
    assert_eq!(press(&mut model, &["enter"]), [], "unavailable actions are not listed");
}

#[test]
fn failed_preparation_shows_reason() {
    let mut model = scenes::empty(SIZE);
    press(&mut model, &["a"]);
    update(&mut model, Message::PrepareFailed(Task::Deploy, Failure::new("deployment is being worked on")));
    assert_eq!(model.activity, Activity::Idle);
    assert!(model.messages.all().any(|message| message.text.contains("being worked on")));
}

#[test]
fn lost_resource_is_reported_and_recreated() {
    let mut model = scenes::deployed(SIZE);
    let lost = status(&model, &[ResourceKind::Function]);
    update(&mut model, lost);
    assert!(model.messages.all().any(|message| message.text.contains("Lambda function")));
    assert_eq!(model.status(), DeploymentStatus::Partial);
    assert_eq!(model.next_step().and_then(|step| step.resource), Some(ResourceKind::Function));
    press(&mut model, &["a"]);
    let effects = update(&mut model, prepared(Task::Deploy, &[]));
    let Some(Effect::Start { completed, .. }) = effects.first() else { panic!("no start: {effects:?}") };
    assert!(!completed.contains(&"function".into()), "a lost resource is held like a new one");
    assert!(completed.contains(&"repository".into()), "existing resources are not held");
}

#[test]
fn recreated_resources_are_not_lost() {
    let mut model = scenes::deployed(SIZE);
    let mut script = scenes::EventScript::new(2, RunAction::Destroy, 100.0);
    let plan = thumbctl_deploy::strategy::destroy_plan(&model.deployment);
    let mut events = vec![script.begin(RunAction::Destroy, plan.clone())];
    for step in plan.steps() {
        events.extend(script.step_starts(step, ResourceState::Deleting));
        events.extend(script.step_ends(step, ResourceState::Deleted, 0.1));
    }
    events.push(script.end(Outcome::Succeeded, 1.0));
    scenes::apply_events(&mut model, events);
    let all_gone = status(&model, &ResourceKind::ARCHITECTURE);
    update(&mut model, all_gone);
    assert_eq!(model.status(), DeploymentStatus::Destroyed);
    scenes::apply_events(
        &mut model,
        scenes::whole_deployment(&mut scenes::EventScript::new(3, RunAction::Deploy, 200.0)),
    );
    assert_eq!(model.status(), DeploymentStatus::Ready);
    assert_eq!(model.details.lost, []);
}

#[test]
fn unknown_resource_contradicts_destroyed() {
    use thumbctl_core::event::{EventKind, UnknownEvent, UnknownResource, Word};
    let mut model = scenes::destroying(SIZE);
    let run = model.run.as_ref().expect("a run").id.clone();
    let queue = UnknownEvent::ResourceChanged(UnknownResource {
        resource: Word::Unknown("dead_letter_queue".into()),
        name: "thumbnails-failed".into(),
        arn: None,
        state: Word::Unknown("paused".into()),
    });
    for _ in 0..2 {
        let kind = EventKind::Unknown(Box::new(queue.clone()));
        let seq = u64::MAX - 1;
        let event = thumbctl_core::event::Event { v: 1, run: run.clone(), seq, at: model.now, kind };
        update(&mut model, Message::Events(vec![event]));
    }
    let shown = |model: &Model| model.messages.current(model.now).expect("a message").text.clone();
    assert!(shown(&model).starts_with("Warning: a newer thumbctl wrote 1 event that this version skips"));
    update(&mut model, Message::RunEnded(Ok(Outcome::Succeeded)));
    assert_eq!(shown(&model), "1 resource unknown to this version may be left: dead_letter_queue thumbnails-failed");
    assert_ne!(model.status(), DeploymentStatus::Destroyed);
}

#[test]
fn missing_resource_during_teardown_is_not_lost() {
    let mut model = scenes::destroying(SIZE);
    let response = status(&model, &[ResourceKind::Repository]);
    update(&mut model, response);
    assert_eq!(model.details.lost, []);
}

#[test]
fn function_log_is_followed_while_displayed() {
    let mut model = scenes::empty(SIZE);
    assert_eq!(press(&mut model, &["4"]), [], "the function does not exist");
    scenes::start_run(&mut model, RunAction::Deploy);
    let events = scenes::whole_deployment(&mut scenes::EventScript::new(1, RunAction::Deploy, 0.0));
    let effects = update(&mut model, Message::Events(events));
    let follow = Effect::FollowFunctionLog(Some(scenes::names()));
    assert!(effects.contains(&follow) || model.shown == Panel::Build, "{effects:?}");
    press(&mut model, &["1", "4"]);
    assert_eq!(model.followed, Some(scenes::names()));
    assert!(press(&mut model, &["3"]).contains(&Effect::FollowFunctionLog(None)));
}

#[test]
fn dialog_waits_for_open_input_line() {
    let mut model = scenes::deployed(SIZE);
    press(&mut model, &["D", ":"]);
    update(&mut model, prepared(Task::Destroy, &ResourceKind::ARCHITECTURE));
    assert_eq!(press(&mut model, &["y"]), [], "a letter typed into the palette confirms nothing");
    assert!(matches!(model.overlay, Some(Overlay::Palette { .. })));
    press(&mut model, &["esc"]);
    assert!(matches!(model.overlay, Some(Overlay::Confirm(_))));
    assert_eq!(press(&mut model, &["n"]), [Effect::Discard]);
}

#[test]
fn lock_holder_is_known_after_own_run() {
    let mut model = scenes::building(SIZE);
    update(&mut model, Message::Holder(Some("process 9 (thumbctl destroy)".into())));
    assert!(model.activity.active_run().is_some());
    update(&mut model, Message::RunEnded(Ok(Outcome::Failed)));
    assert!(matches!(&model.activity, Activity::OtherProcess { holder } if holder.contains("process 9")));
}

#[test]
fn failed_step_releases_held_one() {
    let mut model = scenes::building(SIZE);
    let plan = scenes::deploy_plan();
    scenes::hold(&mut model, &plan.steps()[9].id);
    let mut script = scenes::EventScript::new(1, RunAction::Deploy, 0.0);
    scenes::until_build(&mut script);
    let failed = thumbctl_core::event::EventKind::StepFailed {
        step: plan.steps()[7].id.clone(),
        seconds: 1.0,
        error: Failure::new("no"),
    };
    scenes::apply_events(&mut model, vec![script.event(failed)]);
    assert_eq!(press(&mut model, &["enter"]), [], "no step is held");
}

#[test]
fn suspend_is_always_available() {
    let suspend =
        |model: &mut Model| update(model, Message::Key(KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL)));
    let mut model = scenes::deployed(SIZE);
    for keys in [&["?"][..], &["esc", ":"], &["esc", "3", "/"]] {
        press(&mut model, keys);
        assert_eq!(suspend(&mut model), [Effect::Suspend], "{keys:?}");
    }
}

#[test]
fn journals_and_connection_arrive_in_any_order() {
    let mut model = scenes::fresh(SIZE);
    let connection = scenes::empty(SIZE).connection_info().cloned().expect("it is connected");
    scenes::apply_events(
        &mut model,
        scenes::whole_deployment(&mut scenes::EventScript::new(1, RunAction::Deploy, 0.0)),
    );
    assert!(!update(&mut model, Message::Connected(Box::new(connection))).contains(&Effect::FetchStatus));
    assert!(update(&mut model, Message::JournalsRead).contains(&Effect::FetchStatus));
}

/// A random action.
#[derive(Clone, Debug)]
enum RandomAction {
    Key(KeyEvent),
    Resize(u16, u16),
    Events(usize),
    Held(usize),
    Ended(Outcome),
    RunReady(Task),
    Holder(bool),
    Paste(String),
    Connected(bool),
    Click(u16, u16),
    Wheel(u16, u16, bool),
    Status(usize),
    PrepareFailed(Task),
    JournalsRead,
    Tick(i64),
}

fn random_action() -> impl Strategy<Value = RandomAction> {
    let bound: Vec<KeyEvent> = ["enter", "esc", "tab", "space", "up", "down", "pgup", "pgdn", "ctrl-c", "backspace"]
        .iter()
        .map(|key| Chord::parse(key).expect("a key").event())
        .chain(
            "aDxqyncwlrm?:/jkghlGNfFsdt123456 éあ".chars().map(|c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)),
        )
        .collect();
    prop_oneof![
        12 => proptest::sample::select(bound).prop_map(RandomAction::Key),
        1 => (0_u16..250, 0_u16..80).prop_map(|(width, height)| RandomAction::Resize(width, height)),
        4 => (1_usize..40).prop_map(RandomAction::Events),
        2 => (0_usize..15).prop_map(RandomAction::Held),
        1 => proptest::sample::select(vec![Outcome::Succeeded, Outcome::Failed, Outcome::Cancelled]).prop_map(RandomAction::Ended),
        2 => proptest::sample::select(vec![Task::Deploy, Task::Destroy, Task::TestUpload(Vec::new())]).prop_map(RandomAction::RunReady),
        1 => proptest::bool::ANY.prop_map(RandomAction::Holder),
        1 => "[ -~\\n]{0,30}".prop_map(RandomAction::Paste),
        1 => proptest::bool::ANY.prop_map(RandomAction::Connected),
        2 => (0_u16..250, 0_u16..80).prop_map(|(column, row)| RandomAction::Click(column, row)),
        1 => (0_u16..250, 0_u16..80, proptest::bool::ANY).prop_map(|(column, row, up)| RandomAction::Wheel(column, row, up)),
        1 => (0_usize..15).prop_map(RandomAction::Status),
        1 => proptest::sample::select(vec![Task::Deploy, Task::TestUpload(Vec::new())]).prop_map(RandomAction::PrepareFailed),
        1 => Just(RandomAction::JournalsRead),
        1 => (-100_i64..1000).prop_map(RandomAction::Tick),
    ]
}

fn message(
    model: &Model,
    random_action: RandomAction,
    events: &mut std::vec::IntoIter<thumbctl_core::event::Event>,
) -> Message {
    use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
    match random_action {
        RandomAction::Key(key) => Message::Key(key),
        RandomAction::Resize(width, height) => Message::Resize(width, height),
        RandomAction::Events(count) => Message::Events(events.take(count).collect()),
        RandomAction::Held(step) => Message::Held(scenes::deploy_plan().steps()[step % 14].id.clone()),
        RandomAction::Ended(outcome) => Message::RunEnded(Ok(outcome)),
        RandomAction::RunReady(task) => prepared(task, &[ResourceKind::Function]),
        RandomAction::Holder(held) => Message::Holder(held.then(|| "process 1 (thumbctl deploy)".into())),
        RandomAction::Paste(text) => Message::Paste(text),
        RandomAction::Connected(true) => Message::Connected(Box::new(ConnectionInfo {
            cloud: "sandbox".into(),
            risk: RiskLevel::None,
            account: "000000000000".into(),
            arn: "arn:aws:iam::000000000000:root".into(),
            region: "us-east-1".into(),
        })),
        RandomAction::Connected(false) => Message::NotConnected(Failure::new("gone")),
        RandomAction::Wheel(column, row, up) => Message::Mouse(MouseEvent {
            kind: if up { MouseEventKind::ScrollUp } else { MouseEventKind::ScrollDown },
            column,
            row,
            modifiers: KeyModifiers::NONE,
        }),
        RandomAction::Status(missing) => status(model, &ResourceKind::ARCHITECTURE[missing..]),
        RandomAction::PrepareFailed(task) => Message::PrepareFailed(task, Failure::new("it cannot be started")),
        RandomAction::JournalsRead => Message::JournalsRead,
        RandomAction::Tick(seconds) => Message::Tick(scenes::after(seconds as f64)),
        RandomAction::Click(column, row) => Message::Mouse(MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column,
            row,
            modifiers: KeyModifiers::NONE,
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_actions_keep_run_and_activity_consistent(random_actions in proptest::collection::vec(random_action(), 0..120)) {
        let mut model = scenes::empty(SIZE);
        let mut script = scenes::EventScript::new(1, RunAction::Deploy, 0.0);
        let mut events = scenes::whole_deployment(&mut script);
        events.extend([scenes::EventScript::new(2, RunAction::Destroy, 90.0).begin(RunAction::Destroy, scenes::deploy_plan())]);
        let whole: Vec<thumbctl_core::event::Event> = events.clone();
        let mut events = events.into_iter();
        // A started run ends or is left by the user: effects and activity are consistent.
        let mut started = false;
        for random_action in random_actions {
            let is_end = matches!(random_action, RandomAction::Ended(_));
            if is_end && !started {
                continue;
            }
            let refused = matches!(random_action, RandomAction::PrepareFailed(_));
            let message = message(&model, random_action, &mut events);
            let effects = update(&mut model, message);
            for effect in &effects {
                if matches!(effect, Effect::Start { .. }) {
                    prop_assert!(!started, "one run at a time");
                    started = true;
                }
            }
            if is_end || (refused && model.activity.active_run().is_none()) {
                started = false;
            }
            prop_assert_eq!(started, model.activity.active_run().is_some(), "the active run is known");
            if let Some(effect) = effects.iter().find(|effect| matches!(effect, Effect::Quit)) {
                prop_assert!(!started || model.overlay.is_none(), "{:?} during a run needs a dialog", effect);
            }
            scenes::screen(&model);
        }
        // Every event counts.
        update(&mut model, Message::Events(events.collect()));
        let expected = thumbctl_core::deployment::Deployment::fold(scenes::names().deployment().clone(), &whole);
        prop_assert_eq!(&model.deployment, &expected);
    }
}

#[test]
fn every_step_can_be_next() {
    let mut model = scenes::building(SIZE);
    for step in scenes::deploy_plan().steps() {
        scenes::hold(&mut model, &step.id);
        assert_eq!(model.next_step().map(|next: &Step| &next.id), Some(&step.id));
    }
}

#[test]
fn unavailable_action_does_nothing() {
    let mut model = scenes::empty(SIZE);
    assert_eq!(perform(&mut model, Action::Accept), []);
    assert_eq!(perform(&mut model, Action::QuitLeave), []);
}
