//! How the panel looks, at several sizes and in each state.

use std::cell::RefCell;

use proptest::prelude::*;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Style;
use thumbctl_core::event::{Event, EventKind, SkipReason};
use thumbctl_core::plan::{Plan, Step};
use thumbctl_core::resource::ResourceKind;

use super::*;
use crate::message::Message;
use crate::model::activity::Activity;
use crate::scenes::{self, EventScript};
use crate::theme::Theme;
use crate::update::update;
use crate::{symbols, view};

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];

fn look(model: &Model) -> Appearance {
    Appearance { theme: model.theme, symbols: model.symbols }
}

/// The panel alone, as large as it is on a screen of the model's size.
fn drawn(model: &Model) -> Buffer {
    let main = model.layout().main;
    drawn_in(model, main.width, main.height)
}

fn drawn_in(model: &Model, width: u16, height: u16) -> Buffer {
    scenes::frame((width, height), |frame| draw(frame, frame.area(), model, look(model)))
}

fn text_of(buffer: &Buffer) -> String {
    let row = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..buffer.area.height).map(row).collect::<Vec<String>>().join("\n")
}

/// The style of the first cell in which a text begins.
fn style_of(buffer: &Buffer, words: &str) -> Style {
    for y in 0..buffer.area.height {
        for x in 0..buffer.area.width {
            let rest: String = (x..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
            if rest.starts_with(words) {
                return buffer[(x, y)].style();
            }
        }
    }
    panic!("'{words}' is not in\n{}", text_of(buffer));
}

/// How a cell of a role looks.
fn styled(model: &Model, role: Role) -> Style {
    let mut cell = Cell::default();
    cell.set_style(look(model).style(role));
    cell.style()
}

fn focused(mut model: Model) -> Model {
    model.focus = Panel::Timing;
    model.shown = Panel::Timing;
    model
}

fn snapshots(name: &str, scene: impl Fn((u16, u16)) -> Model) {
    for size in SIZES {
        let model = focused(scene(size));
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), text_of(&drawn(&model)));
    }
}

/// A plan as a deployment has it, with fewer steps: what takes long runs side by side.
fn plan() -> Plan {
    let steps = vec![
        Step::new("policy", "Create the build's policy", "").about(ResourceKind::BuildPolicy),
        Step::new("role", "Create the build's role", "").needs(&["policy"]).about(ResourceKind::BuildRole),
        Step::new("source", "Upload the function's source", ""),
        Step::new("build", "Build the image", "").needs(&["role", "source"]).about(ResourceKind::Image),
        Step::new("bucket", "Create the source bucket", "").about(ResourceKind::SourceBucket),
        Step::new("function", "Create the function", "").needs(&["build", "bucket"]).about(ResourceKind::Function),
        Step::new("active", "Wait for the function", "").needs(&["function"]).about(ResourceKind::Function),
    ];
    Plan::new(steps).expect("a good plan")
}

fn started(step: &str) -> EventKind {
    EventKind::StepStarted { step: step.into() }
}

fn finished(step: &str, seconds: f64) -> EventKind {
    EventKind::StepFinished { step: step.into(), seconds }
}

fn retried(step: &str) -> EventKind {
    EventKind::StepRetried { step: step.into(), attempt: 1, reason: "Throttling".into(), delay: 1.0 }
}

fn phase(phase: &str, status: &str, seconds: Option<f64>) -> EventKind {
    EventKind::BuildPhase { phase: phase.into(), status: status.into(), seconds, context: None }
}

/// A run that tells each of these so many seconds after its start.
fn run_events(number: u32, began: f64, action: Action, steps: Vec<(f64, EventKind)>) -> Vec<Event> {
    let mut script = EventScript::new(number, action, began);
    let mut events = vec![script.begin(action, plan())];
    let mut now = 0.0;
    for (at, kind) in steps {
        script.wait(at - now);
        now = at;
        events.push(script.event(kind));
    }
    events
}

/// The first half of a deployment; it is over when so many seconds have passed.
fn first_half() -> Vec<(f64, EventKind)> {
    vec![
        (0.0, started("policy")),
        (0.0, started("source")),
        (0.0, started("bucket")),
        (0.5, retried("source")),
        (1.0, finished("policy", 1.0)),
        (1.0, started("role")),
        (1.5, EventKind::StepSkipped { step: "bucket".into(), reason: SkipReason::AlreadyDone }),
        (2.5, finished("source", 2.5)),
        (4.0, finished("role", 3.0)),
        (4.0, started("build")),
        (5.0, phase("PROVISIONING", "IN_PROGRESS", None)),
        (12.0, phase("PROVISIONING", "SUCCEEDED", Some(6.0))),
        (12.0, phase("DOWNLOAD_SOURCE", "SUCCEEDED", Some(0.1))),
        (12.0, phase("BUILD", "IN_PROGRESS", None)),
    ]
}

/// A whole deployment of which the build takes so many seconds.
fn whole(number: u32, began: f64, build: f64) -> Vec<Event> {
    let end = 4.0 + build;
    let mut events = first_half();
    events.extend([
        (end, phase("BUILD", "SUCCEEDED", Some(end - 11.1))),
        (end, finished("build", build)),
        (end, started("function")),
        (end + 2.0, finished("function", 2.0)),
        (end + 2.0, started("active")),
        (end + 7.0, finished("active", 5.0)),
        (end + 7.0, EventKind::RunFinished { outcome: Outcome::Succeeded, seconds: end + 7.0 }),
    ]);
    events.iter_mut().for_each(|(_, kind)| {
        if let EventKind::StepSkipped { .. } = kind {
            *kind = finished("bucket", 1.5);
        }
    });
    run_events(number, began, Action::Deploy, events)
}

/// A deployment in its middle, after three that were whole and a teardown.
fn after_others(size: (u16, u16)) -> Model {
    let mut model = scenes::empty(size);
    for (number, began, build) in [(1, -90_000.0, 40.0), (3, -7_500.0, 34.0), (4, -300.0, 37.0)] {
        scenes::apply_events(&mut model, whole(number, began, build));
    }
    let deleted = |step: &str| (3.0, finished(step, 0.5));
    let mut teardown: Vec<(f64, EventKind)> = vec![deleted("policy"), deleted("role"), deleted("bucket")];
    teardown.push((4.0, EventKind::RunFinished { outcome: Outcome::Failed, seconds: 4.0 }));
    scenes::apply_events(&mut model, run_events(2, -80_000.0, Action::Destroy, teardown));
    scenes::start_run(&mut model, Action::Deploy);
    scenes::apply_events(&mut model, run_events(5, 0.0, Action::Deploy, first_half()));
    update(&mut model, Message::Tick(scenes::after(20.0)));
    model
}

/// A run that nobody works on any more.
fn interrupted(size: (u16, u16)) -> Model {
    let mut model = scenes::building(size);
    model.activity = Activity::Idle;
    model
}

#[test]
fn before_anything_ran_it_says_what_it_is_for() {
    snapshots("empty", scenes::empty);
}

#[test]
fn a_build_is_drawn_with_its_phases() {
    snapshots("building", scenes::building);
}

#[test]
fn a_failure_is_marked_and_what_was_not_done_says_so() {
    snapshots("failed", scenes::failed);
}

#[test]
fn a_deployment_that_stands_shows_how_long_it_took() {
    snapshots("deployed", scenes::deployed);
}

#[test]
fn a_teardown_is_drawn_likewise() {
    snapshots("destroying", scenes::destroying);
}

#[test]
fn with_earlier_runs_there_is_an_estimate_and_their_figures() {
    snapshots("after_others", after_others);
}

#[test]
fn a_run_whose_process_died_stands_still() {
    let mut model = focused(interrupted((80, 24)));
    let before = text_of(&drawn(&model));
    insta::assert_snapshot!("interrupted_80x24", before);
    update(&mut model, Message::Tick(scenes::after(500.0)));
    assert_eq!(text_of(&drawn(&model)), before);
}

#[test]
fn without_unicode_it_is_drawn_in_ascii() {
    let mut model = focused(after_others((80, 24)));
    model.symbols = &symbols::ASCII;
    let text = text_of(&drawn(&model));
    insta::assert_snapshot!("ascii_80x24", text);
    assert!(text.is_ascii(), "{text}");
}

#[test]
fn the_bars_say_by_their_style_what_they_are_and_by_a_sign_too() {
    for theme in [Theme::Dark, Theme::Light, Theme::HighContrast, Theme::Plain] {
        let mut model = focused(after_others((120, 40)));
        model.theme = theme;
        let styled = |role| styled(&model, role);
        let buffer = drawn(&model);
        let row = |name: &str| {
            let is_row =
                |y: &u16| (0..buffer.area.width).map(|x| buffer[(x, *y)].symbol()).collect::<String>().contains(name);
            (0..buffer.area.height).find(is_row).expect("the step has a row")
        };
        let bar = |name: &str| {
            let y = row(name);
            let x = (0..buffer.area.width).find(|x| buffer[(*x, y)].symbol() == "█").expect("the step has a bar");
            let is_marked = (0..x).any(|x| buffer[(x, y)].symbol() == "●");
            (buffer[(x, y)].style(), is_marked)
        };
        assert_eq!(bar("◐ Function image"), (styled(Role::CriticalBar), true), "{theme:?}");
        assert_eq!(bar("Upload the function"), (styled(Role::Bar), false), "{theme:?}");
        assert_eq!(bar("PROVISIONING"), (styled(Role::Quiet), false), "{theme:?}");
        assert_eq!(style_of(&buffer, "2 steps wait for Function image"), styled(Role::Busy), "{theme:?}");
        assert_eq!(style_of(&buffer, "↻ retried once"), styled(Role::Warn), "{theme:?}");
    }
    let failed = focused(scenes::failed((120, 40)));
    let buffer = drawn(&failed);
    assert_eq!(style_of(&buffer, "✖ Function image"), styled(&failed, Role::Bad));
    assert_eq!(style_of(&buffer, "Failed after 14.0 s"), styled(&failed, Role::Bad));
}

#[test]
fn what_is_below_the_edge_is_said_and_can_be_scrolled_to() {
    let mut model = focused(scenes::deployed((60, 20)));
    let inside = Layout::inside(model.layout().main);
    let hidden = rows(&model, inside.width) - usize::from(inside.height);
    assert!(hidden > 0);
    assert!(text_of(&drawn(&model)).contains(&format!(" {hidden} more lines below ")));
    model.timing.scroll = u16::MAX;
    let text = text_of(&drawn(&model));
    assert!(!text.contains("below"), "{text}");
    assert!(text.lines().rev().nth(1).is_some_and(|line| line.contains("0001-deploy-00ab")), "{text}");
}

#[test]
fn below_another_panel_it_follows_what_runs() {
    let mut model = scenes::building((200, 60));
    model.focus = Panel::Resources;
    model.shown = Panel::Build;
    let text = text_of(&drawn_in(&model, 100, 8));
    assert!(text.contains("Function image"), "{text}");
    assert!(!text.contains("ECR repository"), "{text}");
}

#[test]
fn a_run_that_is_held_is_not_said_to_go_on_by_itself() {
    let mut model = focused(after_others((120, 40)));
    scenes::hold(&mut model, &"function".into());
    let text = text_of(&drawn(&model));
    assert!(text.contains("Held · 20.0 s · about 28 s to go once it goes on"), "{text}");
}

#[test]
fn while_it_is_cancelled_there_is_no_estimate() {
    let mut model = focused(after_others((120, 40)));
    model.activity.active_run_mut().expect("it is ours").cancelling = true;
    let text = text_of(&drawn(&model));
    assert!(text.contains("Cancelling · 20.0 s "), "{text}");
    assert!(!text.contains("estimate"), "{text}");
}

#[test]
fn a_name_from_elsewhere_does_nothing_to_the_terminal() {
    let mut model = focused(scenes::building((120, 40)));
    let mut script = EventScript::new(2, Action::Deploy, 50.0);
    let events = vec![
        script.begin(Action::Deploy, plan()),
        script.event(started("build")),
        script.event(phase("\u{1b}[31mBAD\u{7}\u{202e}", "IN_PROGRESS", None)),
    ];
    scenes::apply_events(&mut model, events);
    let buffer = drawn(&model);
    assert!(buffer.content.iter().all(|cell| !cell.symbol().chars().any(char::is_control)));
    assert!(text_of(&buffer).contains("BAD\u{fffd}\u{fffd}"));
}

#[test]
fn the_whole_screen_has_it_in_its_tab_and_below_where_there_is_room() {
    let mut model = scenes::deployed((200, 60));
    model.shown = Panel::Build;
    assert!(scenes::text_of(&model).contains(" Timing "));
    let focused = focused(scenes::deployed((80, 24)));
    assert!(scenes::text_of(&focused).contains("Deployed in 51.7 s"));
    assert_eq!(scenes::screen(&focused).area.width, 80);
    assert_eq!(view::layout::Layout::of(&focused).below, None);
}

proptest! {
    #[test]
    fn a_bar_stays_in_its_chart_and_can_be_seen(
        from in -20.0..100.0,
        length in 0.0..200.0,
        total in 0.0..100.0,
        cells in 1usize..120,
    ) {
        let (first, eighths) = extent(from, from + length, total, cells);
        prop_assert!(eighths > 0);
        prop_assert!(first < cells && first * 8 + eighths <= cells * 8, "{first} and {eighths} eighths of {cells}");
        let model = scenes::fresh((80, 24));
        prop_assert_eq!(bar(look(&model), eighths).len(), eighths.div_ceil(8));
    }

    #[test]
    fn there_is_room_for_what_the_chart_stands_for(seconds in 0.0f64..50_000.0) {
        let room = chart::rounded_span(seconds);
        prop_assert!(room >= seconds && room <= (seconds * 1.5).max(1.0), "{room} for {seconds}");
    }
}

#[test]
fn at_any_size_and_scroll_it_is_drawn() {
    let models = [scenes::empty, scenes::building, scenes::failed, after_others]
        .map(|scene| RefCell::new(focused(scene((120, 40)))));
    proptest!(|(width in 1u16..220, height in 1u16..70, scroll in 0u16..100)| {
        for model in &models {
            model.borrow_mut().timing.scroll = scroll;
            let model = model.borrow();
            let inside = width.saturating_sub(2);
            let text = usize::from(inside.saturating_sub(2));
            let TimingContent { lines, .. } = content(&model, look(&model), text);
            prop_assert_eq!(lines.len(), rows(&model, inside));
            if inside >= 58 {
                prop_assert!(lines.iter().all(|line| line.width() <= text));
            }
            drawn_in(&model, width, height);
        }
    });
}
