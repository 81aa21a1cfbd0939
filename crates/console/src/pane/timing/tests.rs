//! Snapshots of the panel at several sizes and in each state.

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

fn appearance(model: &Model) -> Appearance {
    Appearance::of(model)
}

/// The panel alone, in its actual size.
fn drawn(model: &Model) -> Buffer {
    let main = model.layout().main;
    drawn_in(model, main.width, main.height)
}

fn drawn_in(model: &Model, width: u16, height: u16) -> Buffer {
    scenes::frame((width, height), |frame| TimingPane.draw(frame, frame.area(), model, appearance(model)))
}

fn text_of(buffer: &Buffer) -> String {
    let row = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..buffer.area.height).map(row).collect::<Vec<String>>().join("\n")
}

/// The style of the first cell of a text.
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

/// The style of a cell with a role.
fn styled(model: &Model, role: Role) -> Style {
    let mut cell = Cell::default();
    cell.set_style(appearance(model).style(role));
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

/// A smaller deploy plan with parallel steps.
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

/// A run with events at times in seconds after its start.
fn run_events(number: u32, start: f64, action: Action, steps: Vec<(f64, EventKind)>) -> Vec<Event> {
    let mut script = EventScript::new(number, action, start);
    let mut events = vec![script.begin(action, plan())];
    let mut now = 0.0;
    for (at, kind) in steps {
        script.wait(at - now);
        now = at;
        events.push(script.event(kind));
    }
    events
}

/// The first half of a deployment.
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

/// A complete deployment with a build duration in seconds.
fn whole(number: u32, start: f64, build: f64) -> Vec<Event> {
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
    run_events(number, start, Action::Deploy, events)
}

/// A running deployment, after three complete ones and a teardown.
fn after_others(size: (u16, u16)) -> Model {
    let mut model = scenes::empty(size);
    for (number, start, build) in [(1, -90_000.0, 40.0), (3, -7_500.0, 34.0), (4, -300.0, 37.0)] {
        scenes::apply_events(&mut model, whole(number, start, build));
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

/// An interrupted run.
fn interrupted(size: (u16, u16)) -> Model {
    let mut model = scenes::building(size);
    model.activity = Activity::Idle;
    model
}

#[test]
fn empty_panel_explains_itself() {
    snapshots("empty", scenes::empty);
}

#[test]
fn build_is_drawn_with_phases() {
    snapshots("building", scenes::building);
}

#[test]
fn failed_and_skipped_steps_are_marked() {
    snapshots("failed", scenes::failed);
}

#[test]
fn complete_deployment_shows_durations() {
    snapshots("deployed", scenes::deployed);
}

#[test]
fn teardown_is_drawn() {
    snapshots("destroying", scenes::destroying);
}

#[test]
fn earlier_runs_give_estimate_and_statistics() {
    snapshots("after_others", after_others);
}

#[test]
fn interrupted_run_does_not_advance() {
    let mut model = focused(interrupted((80, 24)));
    let before = text_of(&drawn(&model));
    insta::assert_snapshot!("interrupted_80x24", before);
    update(&mut model, Message::Tick(scenes::after(500.0)));
    assert_eq!(text_of(&drawn(&model)), before);
}

#[test]
fn ascii_symbols_are_used_without_unicode() {
    let mut model = focused(after_others((80, 24)));
    model.symbols = &symbols::ASCII;
    let text = text_of(&drawn(&model));
    insta::assert_snapshot!("ascii_80x24", text);
    assert!(text.is_ascii(), "{text}");
}

#[test]
fn bars_have_style_and_symbol() {
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
        assert_eq!(bar("PROVISIONING"), (styled(Role::Muted), false), "{theme:?}");
        assert_eq!(style_of(&buffer, "2 steps wait for Function image"), styled(Role::Busy), "{theme:?}");
        assert_eq!(style_of(&buffer, "↻ retried once"), styled(Role::Warn), "{theme:?}");
    }
    let failed = focused(scenes::failed((120, 40)));
    let buffer = drawn(&failed);
    assert_eq!(style_of(&buffer, "✖ Function image"), styled(&failed, Role::Bad));
    assert_eq!(style_of(&buffer, "Failed after 14.0 s"), styled(&failed, Role::Bad));
}

#[test]
fn hidden_rows_are_counted_and_scrollable() {
    let mut model = focused(scenes::deployed((60, 20)));
    let inside = Layout::inside(model.layout().main);
    let hidden = TimingPane.rows(&model, inside.width) - usize::from(inside.height);
    assert!(hidden > 0);
    assert!(text_of(&drawn(&model)).contains(&format!(" {hidden} more lines below ")));
    *model.scroll_mut(Panel::Timing) = u16::MAX;
    let text = text_of(&drawn(&model));
    assert!(!text.contains("below"), "{text}");
    assert!(text.lines().rev().nth(1).is_some_and(|line| line.contains("0001-deploy-00ab")), "{text}");
}

#[test]
fn panel_below_follows_latest_step() {
    let mut model = scenes::building((200, 60));
    model.focus = Panel::Resources;
    model.shown = Panel::Build;
    let text = text_of(&drawn_in(&model, 100, 8));
    assert!(text.contains("Function image"), "{text}");
    assert!(!text.contains("ECR repository"), "{text}");
}

#[test]
fn estimate_of_held_run_needs_resume() {
    let mut model = focused(after_others((120, 40)));
    scenes::hold(&mut model, &"function".into());
    let text = text_of(&drawn(&model));
    assert!(text.contains("Held · 20.0 s · about 28 s to go after resuming"), "{text}");
}

#[test]
fn cancelling_run_has_no_estimate() {
    let mut model = focused(after_others((120, 40)));
    model.activity.active_run_mut().expect("a run is active").cancelling = true;
    let text = text_of(&drawn(&model));
    assert!(text.contains("Cancelling · 20.0 s "), "{text}");
    assert!(!text.contains("estimated"), "{text}");
}

#[test]
fn control_characters_in_names_are_replaced() {
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
fn panel_is_in_tab_and_below_on_large_screen() {
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
    fn bar_stays_in_chart_and_is_visible(
        from in -20.0..100.0,
        length in 0.0..200.0,
        total in 0.0..100.0,
        cells in 1usize..120,
    ) {
        let (first, eighths) = extent(from, from + length, total, cells);
        prop_assert!(eighths > 0);
        prop_assert!(first < cells && first * 8 + eighths <= cells * 8, "{first} and {eighths} eighths of {cells}");
        let model = scenes::fresh((80, 24));
        prop_assert_eq!(bar(appearance(&model), eighths).len(), eighths.div_ceil(8));
    }

    #[test]
    fn rounded_span_covers_duration(seconds in 0.0f64..50_000.0) {
        let span = chart::rounded_span(seconds);
        prop_assert!(span >= seconds && span <= (seconds * 1.5).max(1.0), "{span} for {seconds}");
    }
}

#[test]
fn any_size_and_scroll_is_drawn() {
    let models = [scenes::empty, scenes::building, scenes::failed, after_others]
        .map(|scene| RefCell::new(focused(scene((120, 40)))));
    proptest!(|(width in 1u16..220, height in 1u16..70, scroll in 0u16..100)| {
        for model in &models {
            *model.borrow_mut().scroll_mut(Panel::Timing) = scroll;
            let model = model.borrow();
            let inside = width.saturating_sub(2);
            let text = usize::from(inside.saturating_sub(2));
            let TimingContent { lines, .. } = content(&model, appearance(&model), text);
            prop_assert_eq!(lines.len(), TimingPane.rows(&model, inside));
            if inside >= 58 {
                prop_assert!(lines.iter().all(|line| line.width() <= text));
            }
            drawn_in(&model, width, height);
        }
    });
}
