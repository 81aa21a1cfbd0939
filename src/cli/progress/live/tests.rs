use std::time::Duration;

use super::*;
use crate::event::{Action, Event, EventKind, RunId, RunStarted, StrategyKind, VERSION};
use crate::names::{DeploymentName, Names, Suffix};
use crate::plan::{Plan, Step};
use crate::resource::{ResourceKind, ResourceState};

fn event(kind: EventKind) -> Event {
    Event { v: VERSION, run: RunId::from_file_stem("1"), seq: 0, at: chrono::DateTime::UNIX_EPOCH, kind }
}

fn started(steps: Vec<Step>) -> Event {
    let name = DeploymentName::new("demo").expect("a legal name");
    event(EventKind::RunStarted(Box::new(RunStarted {
        action: Action::Deploy,
        deployment: "demo".into(),
        strategy: StrategyKind::Sdk,
        cloud: "sandbox".into(),
        pace: None,
        account: "000000000000".into(),
        region: "us-east-1".into(),
        names: Names::new(name, Suffix::from_number(1)),
        plan: Plan::new(steps).expect("a good plan"),
    })))
}

fn view(now: Instant) -> RunView {
    let mut view = RunView::new(now);
    for event in [
        started(vec![
            Step::new("repository", "Create the ECR repository", "").about(ResourceKind::Repository),
            Step::new("image", "Build the image", "").needs(&["repository"]),
            Step::new("function", "Create the function", "").needs(&["image"]),
        ]),
        event(EventKind::StepStarted { step: "repository".into() }),
        event(EventKind::ResourceChanged {
            resource: ResourceKind::Repository,
            name: "demo-00000001".into(),
            arn: None,
            state: ResourceState::Ready,
            seconds: None,
            note: None,
        }),
        event(EventKind::StepFinished { step: "repository".into(), seconds: 0.412 }),
        event(EventKind::StepStarted { step: "image".into() }),
    ] {
        view.apply(&event, now);
    }
    view
}

fn frame(width: usize, height: usize) -> Frame {
    Frame { width, height, palette: Palette::new(false) }
}

#[test]
fn every_step_has_a_line_with_its_time() {
    let now = Instant::now();
    let lines = frame(80, 24).lines(&view(now), now + Duration::from_millis(1230), 0);
    let expected = [
        "",
        "  Deploying demo by sdk · sandbox · account 000000000000 · us-east-1",
        "",
        "  ✔ Create the ECR repository  demo-00000001                             0.41 s",
        "  ◐ Build the image                                                       1.2 s",
        "  · Create the function        after: Build the image",
        "",
        "  1 of 3 steps done · 1.2 s",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let now = Instant::now();
    let mut view = view(now);
    view.apply(
        &event(EventKind::StepProgress {
            step: "image".into(),
            message: "日本語 ".repeat(80),
            done: None,
            total: None,
        }),
        now,
    );
    for width in [20, 40, 60, 80, 200] {
        for line in frame(width, 24).lines(&view, now, 0) {
            assert!(text::width(&line) < width.max(22), "{width}: {line}");
        }
    }
}

#[test]
fn a_low_terminal_shows_what_is_going_on() {
    let now = Instant::now();
    let steps = (0..30).map(|n| Step::new(&format!("s{n}"), format!("Step {n}"), "")).collect();
    let mut view = RunView::new(now);
    view.apply(&started(steps), now);
    for n in 0..20 {
        view.apply(&event(EventKind::StepFinished { step: format!("s{n}").as_str().into(), seconds: 0.1 }), now);
    }
    view.apply(&event(EventKind::StepStarted { step: "s20".into() }), now);
    let lines = frame(80, 20).lines(&view, now, 0);
    assert!(lines.len() <= 20 - ROOM_ABOVE, "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("Step 20")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("20 steps done")), "{lines:#?}");
}

/// What a terminal shows after some bytes: enough of one for what the painter writes.
fn screen(written: &[u8]) -> Vec<String> {
    let (mut rows, mut row, mut column) = (vec![String::new()], 0_usize, 0_usize);
    let mut rest = std::str::from_utf8(written).expect("text").chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                if row == rows.len() {
                    rows.push(String::new());
                }
            }
            '\x1b' => {
                assert_eq!(rest.next(), Some('['), "the painter was asked no question here");
                let mut parameter = String::new();
                let last = loop {
                    match rest.next().expect("a whole sequence") {
                        c if c.is_ascii_alphabetic() => break c,
                        c => parameter.push(c),
                    }
                };
                match last {
                    'A' => row -= parameter.parse::<usize>().expect("a number of rows"),
                    'K' => rows[row].truncate(column),
                    'J' => {
                        rows[row].truncate(column);
                        rows.truncate(row + 1);
                    }
                    _ => {}
                }
            }
            c => {
                rows[row].truncate(column);
                rows[row].push(c);
                column = rows[row].len();
            }
        }
    }
    rows
}

#[test]
fn what_stays_is_drawn_over_itself_and_what_scrolls_stands_above() {
    let mut painter = LivePainter::default();
    let mut written = Vec::new();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    painter.draw(&mut written, "", &lines("first\nsecond"), false, 80).expect("a vector takes everything");
    painter.draw(&mut written, "log 1\nlog 2\n", &lines("FIRST\nsecond\nthird"), false, 80).expect("written");
    painter.draw(&mut written, "", &lines("FIRST\ndone"), false, 80).expect("written");
    assert_eq!(screen(&written), ["log 1", "log 2", "FIRST", "done", ""]);
}
