//! The console's behaviour, without a terminal.

use std::collections::BTreeSet;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use thumbctl_core::event::{Action as RunAction, Failure, Outcome};
use thumbctl_core::plan::Step;
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::*;
use crate::keymap::{Action, Chord};
use crate::message::{Pace, Place, PreparedRun, Stakes, Task};
use crate::model::activity::Activity;
use crate::model::overlay::{Answer, Asking, Overlay, Question};
use crate::model::panel::Panel;
use crate::model::resources::{RowState, StateOfAffairs};
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
    // What the panes ask of their stores is tried with the panes.
    effects.retain(|effect| !matches!(effect, Effect::Log(..)));
    effects
}

fn prepared(task: Task, kinds: &[ResourceKind]) -> Message {
    let names = scenes::names();
    Message::Prepared(Box::new(PreparedRun {
        task,
        plan: scenes::deploy_plan(),
        resources: kinds.iter().map(|kind| (*kind, names.of(*kind))).collect(),
        names,
        foreign: vec!["thumbnails-somebody-elses".into()],
    }))
}

fn on_aws(model: &mut Model) {
    let place = Place {
        cloud: "aws".into(),
        stakes: Stakes::Money,
        account: "123456789012".into(),
        arn: "arn:aws:iam::123456789012:user/someone".into(),
        region: "eu-central-1".into(),
    };
    update(model, Message::Connected(Box::new(place)));
}

/// The effect that begins a run of which nothing is there yet.
fn begun(pace: Pace) -> Effect {
    Effect::Start { pace, passes: usize::from(pace == Pace::Stepwise), free: BTreeSet::new() }
}

/// What the cloud says: everything is there but these.
fn status(model: &Model, missing: &[ResourceKind]) -> Message {
    use thumbctl_deploy::session::ResourceStatus;
    use thumbctl_deploy::strategy::Presence;
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
fn the_scenes_are_what_they_are_called() {
    assert_eq!(scenes::fresh(SIZE).state(), StateOfAffairs::Reading);
    assert_eq!(scenes::empty(SIZE).state(), StateOfAffairs::Empty);
    assert_eq!(scenes::building(SIZE).state(), StateOfAffairs::Deploying);
    assert_eq!(scenes::failed(SIZE).state(), StateOfAffairs::Failed);
    assert_eq!(scenes::deployed(SIZE).state(), StateOfAffairs::Ready);
    assert_eq!(scenes::destroying(SIZE).state(), StateOfAffairs::Destroying);
}

#[test]
fn enter_begins_a_deployment_that_stops_before_its_second_step() {
    let mut model = scenes::empty(SIZE);
    assert_eq!(model.next_step().map(|step| step.title.clone()), Some(scenes::deploy_plan().steps()[0].title.clone()));
    assert_eq!(press(&mut model, &["enter"]), [Effect::Prepare(Task::Deploy, Pace::Stepwise)]);
    assert_eq!(model.state(), StateOfAffairs::Preparing);
    let effects = update(&mut model, prepared(Task::Deploy, &[]));
    assert_eq!(effects, [begun(Pace::Stepwise)]);
    let plan = scenes::deploy_plan();
    let mut script = scenes::Script::new(1, RunAction::Deploy, 0.0);
    let mut events = vec![script.begin(RunAction::Deploy, plan.clone())];
    events.extend(script.step_begins(&plan.steps()[0], ResourceState::Creating));
    scenes::hear(&mut model, events);
    update(&mut model, Message::Held(plan.steps()[1].id.clone()));
    assert_eq!(model.next_step(), Some(&plan.steps()[1]), "the step that is held is what comes next");
    assert_eq!(press(&mut model, &["enter"]), [Effect::PassOne]);
    assert_eq!(press(&mut model, &["enter"]), [], "nothing is held");
    update(&mut model, Message::Held(plan.steps()[2].id.clone()));
    assert_eq!(press(&mut model, &["a"]), [Effect::SetPace(Pace::Through)]);
    assert_eq!(press(&mut model, &["space"]), [Effect::SetPace(Pace::Stepwise)]);
}

#[test]
fn in_the_sandbox_a_deployment_begins_without_a_question_and_on_aws_with_the_word_yes() {
    let mut model = scenes::empty(SIZE);
    on_aws(&mut model);
    press(&mut model, &["a"]);
    assert_eq!(update(&mut model, prepared(Task::Deploy, &[ResourceKind::Repository])), []);
    assert!(matches!(&model.overlay, Some(Overlay::Question(Question { answer: Answer::Word(_), .. }))));
    assert_eq!(press(&mut model, &["y", "enter"]), [], "a letter is not the word");
    assert!(model.overlay.is_some());
    assert_eq!(press(&mut model, &["e", "s", "enter"]), [begun(Pace::Through)]);
    assert!(model.overlay.is_none());
}

#[test]
fn what_is_there_already_is_not_asked_about_again() {
    let mut model = scenes::empty(SIZE);
    on_aws(&mut model);
    press(&mut model, &["a"]);
    let effects = update(&mut model, prepared(Task::Deploy, &[]));
    assert_eq!(effects, [begun(Pace::Through)]);
}

#[test]
fn destroying_lists_what_it_deletes_and_asks_also_in_the_sandbox() {
    let mut model = scenes::deployed(SIZE);
    assert_eq!(press(&mut model, &["D"]), [Effect::Prepare(Task::Destroy, Pace::Through)]);
    assert_eq!(update(&mut model, prepared(Task::Destroy, &ResourceKind::ARCHITECTURE)), []);
    let Some(Overlay::Question(question)) = &model.overlay else { panic!("a question") };
    assert_eq!(question.resources.len(), ResourceKind::ARCHITECTURE.len());
    assert_eq!(question.foreign.len(), 1);
    assert_eq!(press(&mut model, &["enter"]), [], "enter alone destroys nothing");
    assert_eq!(press(&mut model, &["n"]), [Effect::Discard]);
    assert_eq!(model.activity, Activity::Idle);
    press(&mut model, &["D"]);
    update(&mut model, prepared(Task::Destroy, &ResourceKind::ARCHITECTURE));
    assert_eq!(press(&mut model, &["y"]), [begun(Pace::Through)]);
}

#[test]
fn a_place_that_is_not_known_is_treated_as_if_it_cost_money() {
    assert_eq!(scenes::fresh(SIZE).stakes(), Stakes::Money);
}

#[test]
fn nothing_can_be_begun_before_the_cloud_and_the_journals_have_been_heard() {
    let mut model = scenes::fresh(SIZE);
    assert_eq!(press(&mut model, &["enter", "a", "D"]), []);
    update(&mut model, Message::NotConnected(Failure::new("no route to the cloud")));
    assert_eq!(press(&mut model, &["enter", "a", "D"]), []);
    assert_eq!(press(&mut model, &["r"]), [Effect::Connect]);
}

#[test]
fn cancelling_asks_and_then_cancels_once() {
    let mut model = scenes::building(SIZE);
    assert_eq!(press(&mut model, &["x"]), []);
    assert!(matches!(&model.overlay, Some(Overlay::Question(Question { about: Asking::Cancel, .. }))));
    assert_eq!(press(&mut model, &["n"]), []);
    assert_eq!(model.state(), StateOfAffairs::Deploying);
    assert_eq!(press(&mut model, &["ctrl-c", "y"]), [Effect::CancelRun]);
    assert_eq!(model.state(), StateOfAffairs::Cancelling);
    assert_eq!(press(&mut model, &["x", "a", "enter", "space"]), [], "there is nothing more to do about it");
}

#[test]
fn quitting_while_something_runs_offers_three_ways() {
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
    assert_eq!(press(&mut model, &["q", "w"]), [Effect::SetPace(Pace::Through)], "nobody will press enter any more");
    assert_eq!(update(&mut model, Message::RunEnded(Ok(Outcome::Succeeded))), [Effect::Quit]);

    assert_eq!(press(&mut scenes::deployed(SIZE), &["q"]), [Effect::Quit]);
}

#[test]
fn a_question_about_a_run_that_has_ended_is_closed() {
    let mut model = scenes::building(SIZE);
    press(&mut model, &["x"]);
    update(&mut model, Message::RunEnded(Ok(Outcome::Failed)));
    assert!(model.overlay.is_none());
}

#[test]
fn the_run_of_another_process_can_be_watched_but_not_touched() {
    let mut model = scenes::empty(SIZE);
    let mut script = scenes::Script::new(1, RunAction::Deploy, 0.0);
    let events = scenes::until_build(&mut script);
    scenes::hear(&mut model, events);
    assert_eq!(model.state(), StateOfAffairs::Interrupted);
    update(&mut model, Message::Holder(Some("process 123 (thumbctl deploy)".into())));
    assert_eq!(model.state(), StateOfAffairs::Deploying);
    assert_eq!(press(&mut model, &["enter", "a", "D", "x", "space"]), []);
    assert!(model.resource_rows().iter().any(|row| row.state == RowState::Creating));
    assert_eq!(press(&mut model, &["q"]), [Effect::Quit], "what others do is not ours to stop");
    update(&mut model, Message::Holder(None));
    assert_eq!(model.state(), StateOfAffairs::Interrupted);
    assert!(model.resource_rows().iter().any(|row| row.state == RowState::Unfinished));
}

#[test]
fn an_event_that_comes_twice_counts_once() {
    let mut once = scenes::empty(SIZE);
    let mut twice = scenes::empty(SIZE);
    let events = scenes::whole_deployment(&mut scenes::Script::new(1, RunAction::Deploy, 0.0));
    scenes::hear(&mut once, events.clone());
    for event in events {
        scenes::hear(&mut twice, vec![event.clone()]);
        scenes::hear(&mut twice, vec![event]);
    }
    assert_eq!(once.history, twice.history);
    assert_eq!(once.resource_rows(), twice.resource_rows());
    assert_eq!(once.deployment, twice.deployment);
}

#[test]
fn a_build_that_begins_is_shown_unless_the_user_has_chosen() {
    assert_eq!(scenes::building(SIZE).shown, Panel::Build);
    let mut model = scenes::empty(SIZE);
    scenes::ours(&mut model, RunAction::Deploy);
    let mut script = scenes::Script::new(1, RunAction::Deploy, 0.0);
    let mut events = scenes::until_build(&mut script);
    let rest = events.split_off(2);
    scenes::hear(&mut model, events);
    press(&mut model, &["5"]);
    scenes::hear(&mut model, rest);
    assert_eq!(model.shown, Panel::Timing);
}

#[test]
fn the_palette_does_what_is_chosen_by_name() {
    let mut model = scenes::deployed(SIZE);
    press(&mut model, &[":", "d", "e", "s", "t", "r", "o", "y"]);
    assert_eq!(press(&mut model, &["enter"]), [Effect::Prepare(Task::Destroy, Pace::Through)]);
    let mut model = scenes::empty(SIZE);
    press(&mut model, &[":", "d", "e", "s", "t", "r", "o", "y"]);
    assert_eq!(press(&mut model, &["enter"]), [], "what cannot be done is not offered");
}

#[test]
fn a_run_that_cannot_be_begun_says_why_and_leaves_nothing_behind() {
    let mut model = scenes::empty(SIZE);
    press(&mut model, &["a"]);
    update(&mut model, Message::NotPrepared(Task::Deploy, Failure::new("deployment is being worked on")));
    assert_eq!(model.activity, Activity::Idle);
    assert!(model.messages.all().any(|said| said.text.contains("being worked on")));
}

#[test]
fn what_the_cloud_has_lost_is_told_and_can_be_made_again() {
    let mut model = scenes::deployed(SIZE);
    let lost = status(&model, &[ResourceKind::Function]);
    update(&mut model, lost);
    assert!(model.messages.all().any(|said| said.text.contains("Lambda function")));
    assert_eq!(model.state(), StateOfAffairs::Partial);
    assert_eq!(model.next_step().and_then(|step| step.resource), Some(ResourceKind::Function));
    press(&mut model, &["a"]);
    let effects = update(&mut model, prepared(Task::Deploy, &[]));
    let Some(Effect::Start { free, .. }) = effects.first() else { panic!("it begins: {effects:?}") };
    assert!(!free.contains(&"function".into()), "what is lost is shown and held like anything that is new");
    assert!(free.contains(&"repository".into()), "what is there is not asked about");
}

#[test]
fn what_was_destroyed_is_not_lost_when_it_is_made_again() {
    let mut model = scenes::deployed(SIZE);
    let mut script = scenes::Script::new(2, RunAction::Destroy, 100.0);
    let plan = thumbctl_deploy::strategy::destroy_plan(&model.deployment);
    let mut events = vec![script.begin(RunAction::Destroy, plan.clone())];
    for step in plan.steps() {
        events.extend(script.step_begins(step, ResourceState::Deleting));
        events.extend(script.step_ends(step, ResourceState::Deleted, 0.1));
    }
    events.push(script.end(Outcome::Succeeded, 1.0));
    scenes::hear(&mut model, events);
    let all_gone = status(&model, &ResourceKind::ARCHITECTURE);
    update(&mut model, all_gone);
    assert_eq!(model.state(), StateOfAffairs::Destroyed);
    scenes::hear(&mut model, scenes::whole_deployment(&mut scenes::Script::new(3, RunAction::Deploy, 200.0)));
    assert_eq!(model.state(), StateOfAffairs::Ready);
    assert_eq!(model.details.lost, []);
}

#[test]
fn what_the_cloud_says_in_the_middle_of_a_teardown_is_no_alarm() {
    let mut model = scenes::destroying(SIZE);
    let answer = status(&model, &[ResourceKind::Repository]);
    update(&mut model, answer);
    assert_eq!(model.details.lost, []);
}

#[test]
fn the_functions_log_is_read_when_it_is_looked_at_and_there_is_a_function() {
    let mut model = scenes::empty(SIZE);
    assert_eq!(press(&mut model, &["4"]), [], "there is no function yet");
    scenes::ours(&mut model, RunAction::Deploy);
    let events = scenes::whole_deployment(&mut scenes::Script::new(1, RunAction::Deploy, 0.0));
    let effects = update(&mut model, Message::Events(events));
    let follow = Effect::FollowFunctionLog(Some(scenes::names()));
    assert!(effects.contains(&follow) || model.shown == Panel::Build, "{effects:?}");
    press(&mut model, &["1", "4"]);
    assert_eq!(model.followed, Some(scenes::names()));
    assert!(press(&mut model, &["3"]).contains(&Effect::FollowFunctionLog(None)));
}

#[test]
fn a_question_waits_until_nobody_types() {
    let mut model = scenes::deployed(SIZE);
    press(&mut model, &["D", ":"]);
    update(&mut model, prepared(Task::Destroy, &ResourceKind::ARCHITECTURE));
    assert_eq!(press(&mut model, &["y"]), [], "a letter that is typed into the palette answers nothing");
    assert!(matches!(model.overlay, Some(Overlay::Palette { .. })));
    press(&mut model, &["esc"]);
    assert!(matches!(model.overlay, Some(Overlay::Question(_))));
    assert_eq!(press(&mut model, &["n"]), [Effect::Discard]);
}

#[test]
fn what_another_process_began_while_we_were_at_work_is_known_afterwards() {
    let mut model = scenes::building(SIZE);
    update(&mut model, Message::Holder(Some("process 9 (thumbctl destroy)".into())));
    assert!(model.activity.ours().is_some());
    update(&mut model, Message::RunEnded(Ok(Outcome::Failed)));
    assert!(matches!(&model.activity, Activity::Theirs { holder } if holder.contains("process 9")));
}

#[test]
fn a_step_that_fails_lets_go_of_the_one_that_was_held() {
    let mut model = scenes::building(SIZE);
    let plan = scenes::deploy_plan();
    scenes::hold(&mut model, &plan.steps()[9].id);
    let mut script = scenes::Script::new(1, RunAction::Deploy, 0.0);
    scenes::until_build(&mut script);
    let failed = thumbctl_core::event::EventKind::StepFailed {
        step: plan.steps()[7].id.clone(),
        seconds: 1.0,
        error: Failure::new("no"),
    };
    scenes::hear(&mut model, vec![script.event(failed)]);
    assert_eq!(press(&mut model, &["enter"]), [], "there is nothing to let go");
}

#[test]
fn the_program_can_be_suspended_whatever_is_open() {
    let suspend =
        |model: &mut Model| update(model, Message::Key(KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL)));
    let mut model = scenes::deployed(SIZE);
    for keys in [&["?"][..], &["esc", ":"], &["esc", "3", "/"]] {
        press(&mut model, keys);
        assert_eq!(suspend(&mut model), [Effect::Suspend], "{keys:?}");
    }
}

#[test]
fn journals_and_cloud_may_be_heard_in_any_order() {
    let mut model = scenes::fresh(SIZE);
    let place = scenes::empty(SIZE).place().cloned().expect("it is connected");
    scenes::hear(&mut model, scenes::whole_deployment(&mut scenes::Script::new(1, RunAction::Deploy, 0.0)));
    assert!(!update(&mut model, Message::Connected(Box::new(place))).contains(&Effect::AskStatus));
    assert!(update(&mut model, Message::JournalsRead).contains(&Effect::AskStatus));
}

/// Something that may happen to a console.
#[derive(Clone, Debug)]
enum Happening {
    Key(KeyEvent),
    Resize(u16, u16),
    Events(usize),
    Held(usize),
    Ended(Outcome),
    Prepared(Task),
    Holder(bool),
    Paste(String),
    Connected(bool),
    Click(u16, u16),
    Wheel(u16, u16, bool),
    Status(usize),
    NotPrepared(Task),
    JournalsRead,
    Tick(i64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let bound: Vec<KeyEvent> = ["enter", "esc", "tab", "space", "up", "down", "pgup", "pgdn", "ctrl-c", "backspace"]
        .iter()
        .map(|key| Chord::parse(key).expect("a key").event())
        .chain(
            "aDxqyncwlrm?:/jkghlGNfFsdt123456 éあ".chars().map(|c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)),
        )
        .collect();
    prop_oneof![
        12 => proptest::sample::select(bound).prop_map(Happening::Key),
        1 => (0_u16..250, 0_u16..80).prop_map(|(width, height)| Happening::Resize(width, height)),
        4 => (1_usize..40).prop_map(Happening::Events),
        2 => (0_usize..15).prop_map(Happening::Held),
        1 => proptest::sample::select(vec![Outcome::Succeeded, Outcome::Failed, Outcome::Cancelled]).prop_map(Happening::Ended),
        2 => proptest::sample::select(vec![Task::Deploy, Task::Destroy, Task::Trial(Vec::new())]).prop_map(Happening::Prepared),
        1 => proptest::bool::ANY.prop_map(Happening::Holder),
        1 => "[ -~\\n]{0,30}".prop_map(Happening::Paste),
        1 => proptest::bool::ANY.prop_map(Happening::Connected),
        2 => (0_u16..250, 0_u16..80).prop_map(|(column, row)| Happening::Click(column, row)),
        1 => (0_u16..250, 0_u16..80, proptest::bool::ANY).prop_map(|(column, row, up)| Happening::Wheel(column, row, up)),
        1 => (0_usize..15).prop_map(Happening::Status),
        1 => proptest::sample::select(vec![Task::Deploy, Task::Trial(Vec::new())]).prop_map(Happening::NotPrepared),
        1 => Just(Happening::JournalsRead),
        1 => (-100_i64..1000).prop_map(Happening::Tick),
    ]
}

fn message(
    model: &Model,
    happening: Happening,
    story: &mut std::vec::IntoIter<thumbctl_core::event::Event>,
) -> Message {
    use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
    match happening {
        Happening::Key(key) => Message::Key(key),
        Happening::Resize(width, height) => Message::Resize(width, height),
        Happening::Events(count) => Message::Events(story.take(count).collect()),
        Happening::Held(step) => Message::Held(scenes::deploy_plan().steps()[step % 14].id.clone()),
        Happening::Ended(outcome) => Message::RunEnded(Ok(outcome)),
        Happening::Prepared(task) => prepared(task, &[ResourceKind::Function]),
        Happening::Holder(held) => Message::Holder(held.then(|| "process 1 (thumbctl deploy)".into())),
        Happening::Paste(text) => Message::Paste(text),
        Happening::Connected(true) => Message::Connected(Box::new(Place {
            cloud: "sandbox".into(),
            stakes: Stakes::None,
            account: "000000000000".into(),
            arn: "arn:aws:iam::000000000000:root".into(),
            region: "us-east-1".into(),
        })),
        Happening::Connected(false) => Message::NotConnected(Failure::new("gone")),
        Happening::Wheel(column, row, up) => Message::Mouse(MouseEvent {
            kind: if up { MouseEventKind::ScrollUp } else { MouseEventKind::ScrollDown },
            column,
            row,
            modifiers: KeyModifiers::NONE,
        }),
        Happening::Status(missing) => status(model, &ResourceKind::ARCHITECTURE[missing..]),
        Happening::NotPrepared(task) => Message::NotPrepared(task, Failure::new("it cannot be begun")),
        Happening::JournalsRead => Message::JournalsRead,
        Happening::Tick(seconds) => Message::Tick(scenes::after(seconds as f64)),
        Happening::Click(column, row) => Message::Mouse(MouseEvent {
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
    fn whatever_happens_nothing_panics_and_no_run_is_lost(happenings in proptest::collection::vec(happening(), 0..120)) {
        let mut model = scenes::empty(SIZE);
        let mut script = scenes::Script::new(1, RunAction::Deploy, 0.0);
        let mut story = scenes::whole_deployment(&mut script);
        story.extend([scenes::Script::new(2, RunAction::Destroy, 90.0).begin(RunAction::Destroy, scenes::deploy_plan())]);
        let whole: Vec<thumbctl_core::event::Event> = story.clone();
        let mut story = story.into_iter();
        // What is begun must be ended, or be left by the user's own word: effects and activity go together.
        let mut started = false;
        for happening in happenings {
            let is_end = matches!(happening, Happening::Ended(_));
            if is_end && !started {
                continue;
            }
            let refused = matches!(happening, Happening::NotPrepared(_));
            let message = message(&model, happening, &mut story);
            let effects = update(&mut model, message);
            for effect in &effects {
                if matches!(effect, Effect::Start { .. }) {
                    prop_assert!(!started, "one run at a time");
                    started = true;
                }
            }
            if is_end || (refused && model.activity.ours().is_none()) {
                started = false;
            }
            prop_assert_eq!(started, model.activity.ours().is_some(), "our run is known for as long as it goes on");
            if let Some(effect) = effects.iter().find(|effect| matches!(effect, Effect::Quit)) {
                prop_assert!(!started || model.overlay.is_none(), "{:?} while something runs was asked about", effect);
            }
            scenes::screen(&model);
        }
        // Every event counts, whatever happened between.
        update(&mut model, Message::Events(story.collect()));
        let expected = thumbctl_core::deployment::Deployment::fold(scenes::names().deployment().clone(), &whole);
        prop_assert_eq!(&model.deployment, &expected);
    }
}

#[test]
fn every_step_of_the_plan_can_be_next() {
    let mut model = scenes::building(SIZE);
    for step in scenes::deploy_plan().steps() {
        scenes::hold(&mut model, &step.id);
        assert_eq!(model.next_step().map(|next: &Step| &next.id), Some(&step.id));
    }
}

#[test]
fn an_action_that_has_no_key_where_one_is_does_nothing_there() {
    let mut model = scenes::empty(SIZE);
    assert_eq!(perform(&mut model, Action::Accept), []);
    assert_eq!(perform(&mut model, Action::QuitLeave), []);
}
