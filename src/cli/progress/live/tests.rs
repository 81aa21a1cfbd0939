use std::time::Duration;

use proptest::prelude::*;
use thumbctl_core::event::{Action, Event, EventKind, RunId, RunStarted, StrategyKind, VERSION};
use thumbctl_core::names::{DeploymentName, Names, Suffix};
use thumbctl_core::plan::{Plan, Step};
use thumbctl_core::resource::{ResourceKind, ResourceState};
use thumbctl_hostile_text::any_text;

use super::*;

fn event(kind: EventKind) -> Event {
    Event { v: VERSION, run: RunId::from_file_stem("1"), seq: 0, at: chrono::DateTime::UNIX_EPOCH, kind }
}

fn started(steps: Vec<Step>) -> Event {
    let name = DeploymentName::new("demo").expect("a valid name");
    event(EventKind::RunStarted(Box::new(RunStarted {
        action: Action::Deploy,
        deployment: "demo".into(),
        strategy: StrategyKind::Sdk,
        cloud: "sandbox".into(),
        pace: None,
        account: "000000000000".into(),
        region: "us-east-1".into(),
        names: Names::new(name, Suffix::from_number(1)),
        plan: Plan::new(steps).expect("a valid plan"),
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

fn texts(lines: &[TerminalText]) -> Vec<&str> {
    lines.iter().map(TerminalText::as_str).collect()
}

fn frame(width: usize, height: usize) -> Frame {
    Frame { width, height, palette: Palette::new(false) }
}

#[test]
fn each_step_has_line_with_time() {
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
    assert_eq!(texts(&lines), expected);
}

#[test]
fn lines_fit_terminal() {
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
            assert!(line.width() < width.max(22), "{width}: {line:?}");
        }
    }
}

#[test]
fn low_terminal_shows_running_steps() {
    let now = Instant::now();
    let steps = (0..30).map(|n| Step::new(format!("s{n}"), format!("Step {n}"), "")).collect();
    let mut view = RunView::new(now);
    view.apply(&started(steps), now);
    for n in 0..20 {
        view.apply(&event(EventKind::StepFinished { step: format!("s{n}").as_str().into(), seconds: 0.1 }), now);
    }
    view.apply(&event(EventKind::StepStarted { step: "s20".into() }), now);
    let lines = frame(80, 20).lines(&view, now, 0);
    assert!(lines.len() <= 20 - SCROLL_ROWS, "{lines:#?}");
    let lines = texts(&lines);
    assert!(lines.iter().any(|line| line.contains("Step 20")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("20 steps done")), "{lines:#?}");
}

/// Emulates a terminal for the renderer's output.
fn screen(written: &str) -> Vec<String> {
    let (mut rows, mut row, mut column) = (vec![String::new()], 0_usize, 0_usize);
    let mut rest = written.chars().peekable();
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
                assert_eq!(rest.next(), Some('['), "only CSI sequences are expected");
                let mut parameter = String::new();
                let last = loop {
                    match rest.next().expect("a complete sequence") {
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
fn steps_are_redrawn_below_scrolling_lines() {
    let mut renderer = LiveRenderer::default();
    let lines = |text: &str| text.lines().map(TerminalText::value).collect::<Vec<_>>();
    let mut written = renderer.frame(&TerminalText::default(), &lines("first\nsecond"), false, 80);
    written.push(renderer.frame(&"log 1\nlog 2\n".into(), &lines("FIRST\nsecond\nthird"), false, 80));
    written.push(renderer.frame(&TerminalText::default(), &lines("FIRST\ndone"), false, 80));
    assert_eq!(screen(written.as_str()), ["log 1", "log 2", "FIRST", "done", ""]);
}

proptest! {
    #[test]
    fn lines_of_any_run_fit_terminal(
        words in prop::collection::vec(any_text(), 4),
        width in 0usize..=200,
        height in 0usize..60,
    ) {
        let now = Instant::now();
        let mut view = RunView::new(now);
        let steps = vec![
            Step::new("first", words[0].clone(), ""),
            Step::new("second", words[1].clone(), "").needs(&["first"]),
        ];
        view.apply(&started(steps), now);
        view.apply(&event(EventKind::StepStarted { step: "first".into() }), now);
        let progress = |message: &str| EventKind::StepProgress {
            step: "first".into(),
            message: message.to_owned(),
            done: None,
            total: None,
        };
        view.apply(&event(progress(&words[2])), now);
        if let Some(started) = &mut view.started {
            started.region.clone_from(&words[3]);
        }
        for line in frame(width, height).lines(&view, now, 0) {
            prop_assert!(line.width() < width.max(22), "{}: {:?}", width, line);
            prop_assert!(!line.as_str().contains(text::is_unsafe), "{:?}", line);
        }
    }
}
