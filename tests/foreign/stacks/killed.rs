//! Processes that are killed: whatever moment it hits, `deploy` goes on from there, and `destroy` leaves nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use thumbctl_core::event::{EventKind, StrategyKind};

use thumbctl_test_support::arena::{Arena, Death, side_by_side};
use thumbctl_test_support::{Running, wait_for};

thumbctl_test_support::foreign_tests! {
    [Python3] sync: a_deploy_that_is_killed_after_any_event_is_completed_or_destroyed,
        a_deploy_after_a_teardown_that_was_killed_completes,
        a_destroy_that_is_killed_again_and_again_comes_to_its_end,
        a_process_that_is_killed_at_any_moment_loses_nothing,
        a_sandbox_that_is_killed_under_a_stack_goes_on_with_it;
}

/// How many deployments are under way at a time: each keeps a processor busy.
const AT_A_TIME: usize = 2;

/// Waits for a process that is to be killed at an event; answers whether it came that far.
#[track_caller]
fn was_killed(process: Running) -> bool {
    let ended = process.wait();
    assert!(matches!(ended.code, None | Some(0)), "{ended}");
    ended.code.is_none()
}

/// Every event of a deployment but log lines and the build's own is the last thing that a process journals; by turns the
/// deployment is then completed, or destroyed.
fn a_deploy_that_is_killed_after_any_event_is_completed_or_destroyed() {
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
    // A change that is planned is no milestone: there the process dies by the event's number.
    let planned = reference.iter().filter(|event| matches!(event.kind, EventKind::ChangePlanned { .. }));
    let deaths: Vec<Death> = (0..milestones)
        .map(Death::AfterMilestone)
        .chain(planned.step_by(4).map(|event| Death::AfterEvent(event.seq)))
        .collect();
    let (all, killed) = (deaths.len(), AtomicUsize::new(0));
    side_by_side(AT_A_TIME, deaths.into_iter().enumerate(), |(turn, death)| {
        let name = format!("turn{turn}");
        // Resources of one stack come in an order of their own each time, and a configuration more or less is told.
        killed.fetch_add(usize::from(was_killed(arena.start(&deploy, &name, Some(death)))), Ordering::Relaxed);
        if turn % 2 == 0 {
            arena.deploy_completes(&name);
        }
        arena.destroy_leaves_nothing(&name);
    });
    assert!(killed.into_inner() + 3 >= all, "the processes died");
    arena.close();
}

/// A teardown that dies, and a deployment after it: what is gone is made again, and an image goes through.
fn a_deploy_after_a_teardown_that_was_killed_completes() {
    let arena = Arena::by(StrategyKind::Cloudformation, &[]);
    let image = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/images/mountains.jpg");
    // Each step of the way down to the application's stack, and some of those behind it.
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

/// One teardown that dies again and again, each time a little later.
fn a_destroy_that_is_killed_again_and_again_comes_to_its_end() {
    let arena = Arena::by(StrategyKind::Cloudformation, &[]);
    side_by_side(AT_A_TIME, [1, 2, 3, 5], |step| {
        let name = format!("stubborn{step}");
        arena.deploy_completes(&name);
        let mut deaths = 0;
        // Not later and later each time: what is gone is told again in a line or two.
        while was_killed(arena.start(&["destroy"], &name, Some(Death::AfterMilestone(1 + (deaths * step) % 23)))) {
            deaths += 1;
            assert!(deaths < 200, "it does not come to its end");
        }
        assert!(deaths > 0, "it was never killed");
        arena.nothing_is_left_of(&name);
    });
    arena.close();
}

/// The process dies from outside, while stacks are made side by side.
fn a_process_that_is_killed_at_any_moment_loses_nothing() {
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

/// The cloud goes away in the middle of a stack and comes back: CloudFormation goes on where it was.
fn a_sandbox_that_is_killed_under_a_stack_goes_on_with_it() {
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
