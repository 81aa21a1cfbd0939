//! Killed processes: `deploy` resumes from any point, and `destroy` leaves nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use thumbctl_core::event::{EventKind, StrategyKind};

use thumbctl_test_support::shared_sandbox::{KillPoint, SharedSandbox, for_each_parallel};
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

/// How many deployments a sandbox has in turn: it keeps the events of deleted stacks, and writes them with each change.
const DEPLOYMENTS_PER_SANDBOX: usize = 16;

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
    let shared = SharedSandbox::by(StrategyKind::Cloudformation, &[]);
    let deploy = ["deploy", "--parallelism", "1"];
    let reference = shared.start(&deploy, "reference", None).wait().ok().events();
    shared.destroy_leaves_nothing("reference");
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
    let kill_points: Vec<KillPoint> = (0..milestones)
        .map(KillPoint::AfterMilestone)
        .chain(planned.step_by(4).map(|event| KillPoint::AfterEvent(event.seq)))
        .collect();
    shared.close();
    let killed = AtomicUsize::new(0);
    for group in kill_points.chunks(DEPLOYMENTS_PER_SANDBOX) {
        let shared = SharedSandbox::by(StrategyKind::Cloudformation, &[]);
        for_each_parallel(AT_A_TIME, group.iter().enumerate(), |(turn, kill_point)| {
            let name = format!("turn{turn}");
            // The order of a stack's resources and the number of events vary.
            let process = shared.start(&deploy, &name, Some(*kill_point));
            killed.fetch_add(usize::from(was_killed(process)), Ordering::Relaxed);
            if turn % 2 == 0 {
                shared.deploy_completes(&name);
            }
            shared.destroy_leaves_nothing(&name);
        });
        shared.close();
    }
    assert!(killed.into_inner() + 3 >= kill_points.len(), "the processes were killed");
}

/// A killed teardown, and a deployment after it: deleted resources are recreated, and a test upload succeeds.
fn deploy_after_killed_teardown_completes() {
    let shared = SharedSandbox::by(StrategyKind::Cloudformation, &[]);
    let image = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/images/mountains.jpg");
    // Each step up to the deletion of the application's stack, and some of those after it.
    for_each_parallel(AT_A_TIME, (1..16u64).chain([24, 32, 40, 48]), |moment| {
        let name = format!("again{moment}");
        shared.deploy_completes(&name);
        let destroy = ["destroy", "--parallelism", "1"];
        assert!(was_killed(shared.start(&destroy, &name, Some(KillPoint::AfterMilestone(moment)))), "{moment}");
        shared.deploy_completes(&name);
        let save = shared.program.work_dir().join(&name);
        let save = save.to_str().expect("a path of the test's own");
        shared.start(&["upload", image, "--save", save], &name, None).wait().ok();
        shared.destroy_leaves_nothing(&name);
    });
    shared.close();
}

/// One teardown that is killed repeatedly, each time a little later.
fn repeatedly_killed_destroy_completes() {
    let shared = SharedSandbox::by(StrategyKind::Cloudformation, &[]);
    for_each_parallel(AT_A_TIME, [1, 2, 3, 5], |step| {
        let name = format!("stubborn{step}");
        shared.deploy_completes(&name);
        let mut kills = 0;
        // Not later each time by the same number: deleted resources are reported again in a line or two.
        while was_killed(shared.start(&["destroy"], &name, Some(KillPoint::AfterMilestone(1 + (kills * step) % 23)))) {
            kills += 1;
            assert!(kills < 200, "it does not complete");
        }
        assert!(kills > 0, "it was never killed");
        shared.assert_nothing_left(&name);
    });
    shared.close();
}

/// The process is killed while stacks are created in parallel.
fn process_killed_at_any_moment_loses_nothing() {
    let shared = SharedSandbox::by(StrategyKind::Cloudformation, &[]);
    for_each_parallel(AT_A_TIME, 0..8u64, |seed| {
        let mut random = StdRng::seed_from_u64(seed);
        let name = format!("seed{seed}");
        let die = |command: &str, after_events: usize| {
            let mut process = shared.start(&[command], &name, None);
            wait_for("events", || (process.events().len() >= after_events || process.has_ended()).then_some(()));
            process.kill();
        };
        die("deploy", random.random_range(1..120));
        match seed % 3 {
            0 => die("deploy", random.random_range(1..120)),
            1 => {
                shared.deploy_completes(&name);
                die("destroy", random.random_range(1..80));
            }
            _ => {}
        }
        if seed % 2 == 0 {
            shared.deploy_completes(&name);
        }
        shared.destroy_leaves_nothing(&name);
    });
    shared.close();
}

/// The cloud is killed during a stack's creation and restarted: CloudFormation resumes.
fn killed_sandbox_resumes_its_stack() {
    let slow = |operation: &str, about: &str| json!({ "service": "*", "operation": operation, "about": about, "times": 1, "kind": "delay", "delay_ms": 400 });
    let slow = [
        slow("CreateFunction", "outage0-????????-macro"),
        slow("CreateProject", "outage1-????????-build"),
        slow("CreateFunction", "outage2-????????-function"),
    ];
    let mut shared = SharedSandbox::by(StrategyKind::Cloudformation, &slow);
    for (index, kind) in ["MacroFunction", "BuildProject", "Function"].into_iter().enumerate() {
        let name = format!("outage{index}");
        let mut deploy = shared.start(&["deploy"], &name, None);
        let begins = format!("{kind:<17} CREATE_IN_PROGRESS");
        deploy.wait_for_event(
            "the moment",
            |event| matches!(event, EventKind::LogLine { text, .. } if text.contains(&begins)),
        );
        shared.kill_and_restart_the_sandbox();
        let deployed = deploy.wait();
        assert!(matches!(deployed.code, Some(0 | 1)), "{deployed}");
        shared.deploy_completes(&name);
        shared.destroy_leaves_nothing(&name);
    }
    shared.close();
}
