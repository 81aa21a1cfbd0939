//! Killed processes: `deploy` resumes from any point, and `destroy` leaves nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use thumbctl_core::event::{EventKind, StrategyKind};

use thumbctl_test_support::arena::{Arena, Death, side_by_side};
use thumbctl_test_support::{Running, wait_for};

thumbctl_test_support::foreign_tests! {
    [Python3] sync: deploy_killed_after_any_event_is_completed_or_destroyed,
        deploy_after_killed_teardown_completes,
        repeatedly_killed_destroy_completes,
        process_killed_at_any_moment_loses_nothing,
        killed_sandbox_resumes_its_stack;
}

/// The number of concurrent deployments: each needs a processor.
const AT_A_TIME: usize = 2;

/// Waits for a process that is killed at an event; returns whether it reached that event.
#[track_caller]
fn was_killed(process: Running) -> bool {
    let ended = process.wait();
    assert!(matches!(ended.code, None | Some(0)), "{ended}");
    ended.code.is_none()
}

/// Every event of a deployment but log lines and the build's own is the last one of a killed process; alternately the
/// deployment is then completed, or destroyed.
fn deploy_killed_after_any_event_is_completed_or_destroyed() {
    let arena = Arena::by(StrategyKind::Cloudformation, &[]);
    let deploy = ["deploy", "--parallelism", "1"];
    let reference = arena.start(&deploy, "reference", None).wait().ok().events();
    arena.destroy_leaves_nothing("reference");
    let is_milestone = |kind: &EventKind| {
        use EventKind::{ResourceChanged, RunFinished, RunStarted, StepFinished, StepStarted};
        matches!(
            kind,
            RunStarted(_) | StepStarted { .. } | StepFinished { .. } | ResourceChanged { .. } | RunFinished { .. }
        )
    };
    let milestones = reference.iter().filter(|event| is_milestone(&event.kind)).count() as u64;
    // A planned change is no milestone: there the process is killed by the event's number.
    let planned = reference.iter().filter(|event| matches!(event.kind, EventKind::ChangePlanned { .. }));
    let deaths: Vec<Death> = (0..milestones)
        .map(Death::AfterMilestone)
        .chain(planned.step_by(4).map(|event| Death::AfterEvent(event.seq)))
        .collect();
    let (all, killed) = (deaths.len(), AtomicUsize::new(0));
    side_by_side(AT_A_TIME, deaths.into_iter().enumerate(), |(turn, death)| {
        let name = format!("turn{turn}");
        // The order of a stack's resources and the number of events vary.
        killed.fetch_add(usize::from(was_killed(arena.start(&deploy, &name, Some(death)))), Ordering::Relaxed);
        if turn % 2 == 0 {
            arena.deploy_completes(&name);
        }
        arena.destroy_leaves_nothing(&name);
    });
    assert!(killed.into_inner() + 3 >= all, "the processes died");
    arena.close();
}

/// A killed teardown, and a deployment after it: deleted resources are recreated, and a test upload succeeds.
fn deploy_after_killed_teardown_completes() {
    let arena = Arena::by(StrategyKind::Cloudformation, &[]);
    let image = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/images/mountains.jpg");
    // Each step up to the deletion of the application's stack, and some of those after it.
    side_by_side(AT_A_TIME, (1..16u64).chain([24, 32, 40, 48]), |moment| {
        let name = format!("again{moment}");
        arena.deploy_completes(&name);
        let destroy = ["destroy", "--parallelism", "1"];
        assert!(was_killed(arena.start(&destroy, &name, Some(Death::AfterMilestone(moment)))), "{moment}");
        arena.deploy_completes(&name);
        let save = arena.program.work_dir().join(&name);
        let save = save.to_str().expect("a path of the test's own");
        arena.start(&["upload", image, "--save", save], &name, None).wait().ok();
        arena.destroy_leaves_nothing(&name);
    });
    arena.close();
}

/// One teardown that is killed repeatedly, each time a little later.
fn repeatedly_killed_destroy_completes() {
    let arena = Arena::by(StrategyKind::Cloudformation, &[]);
    side_by_side(AT_A_TIME, [1, 2, 3, 5], |step| {
        let name = format!("stubborn{step}");
        arena.deploy_completes(&name);
        let mut deaths = 0;
        // Not later each time by the same number: deleted resources are reported again in a line or two.
        while was_killed(arena.start(&["destroy"], &name, Some(Death::AfterMilestone(1 + (deaths * step) % 23)))) {
            deaths += 1;
            assert!(deaths < 200, "it does not complete");
        }
        assert!(deaths > 0, "it was never killed");
        arena.nothing_is_left_of(&name);
    });
    arena.close();
}

/// The process is killed while stacks are created in parallel.
fn process_killed_at_any_moment_loses_nothing() {
    let arena = Arena::by(StrategyKind::Cloudformation, &[]);
    side_by_side(AT_A_TIME, 0..8u64, |seed| {
        let mut random = StdRng::seed_from_u64(seed);
        let name = format!("seed{seed}");
        let die = |command: &str, after_events: usize| {
            let mut process = arena.start(&[command], &name, None);
            wait_for("events", || (process.events().len() >= after_events || process.has_ended()).then_some(()));
            process.kill();
        };
        die("deploy", random.random_range(1..120));
        match seed % 3 {
            0 => die("deploy", random.random_range(1..120)),
            1 => {
                arena.deploy_completes(&name);
                die("destroy", random.random_range(1..80));
            }
            _ => {}
        }
        if seed % 2 == 0 {
            arena.deploy_completes(&name);
        }
        arena.destroy_leaves_nothing(&name);
    });
    arena.close();
}

/// The cloud is killed during a stack's creation and restarted: CloudFormation resumes.
fn killed_sandbox_resumes_its_stack() {
    let slow = |operation: &str, about: &str| json!({ "service": "*", "operation": operation, "about": about, "times": 1, "kind": "delay", "delay_ms": 400 });
    let slow = [
        slow("CreateFunction", "outage0-????????-macro"),
        slow("CreateProject", "outage1-????????-build"),
        slow("CreateFunction", "outage2-????????-function"),
    ];
    let mut arena = Arena::by(StrategyKind::Cloudformation, &slow);
    for (index, kind) in ["MacroFunction", "BuildProject", "Function"].into_iter().enumerate() {
        let name = format!("outage{index}");
        let mut deploy = arena.start(&["deploy"], &name, None);
        let begins = format!("{kind:<17} CREATE_IN_PROGRESS");
        deploy.wait_for_event(
            "the moment",
            |event| matches!(event, EventKind::LogLine { text, .. } if text.contains(&begins)),
        );
        arena.kill_and_restart_the_sandbox();
        let deployed = deploy.wait();
        assert!(matches!(deployed.code, Some(0 | 1)), "{deployed}");
        arena.deploy_completes(&name);
        arena.destroy_leaves_nothing(&name);
    }
    arena.close();
}
