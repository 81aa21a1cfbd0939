//! Killed processes: `deploy` resumes from any point, and `destroy` leaves nothing.

use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use thumbctl_core::event::{Event, EventKind};
use thumbctl_core::resource::ResourceKind;
use thumbctl_test_support::Running;
use thumbctl_test_support::shared_sandbox::{KillPoint, SharedSandbox, for_each_parallel};

/// The number of concurrent deployments, each of which uses one processor.
const AT_A_TIME: usize = 2;

const IMAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/images/mountains.jpg");

/// The subject of an event that occurs equally often in every run.
fn milestone(event: &Event) -> Option<String> {
    Some(match &event.kind {
        EventKind::ResourceChanged { resource, state, .. } => format!("{resource} is {state}"),
        EventKind::StepStarted { step } => format!("{step} started"),
        EventKind::StepFinished { step, .. } => format!("{step} finished"),
        EventKind::RunStarted(_) => "run started".to_owned(),
        EventKind::RunFinished { .. } => "run finished".to_owned(),
        _ => return None,
    })
}

/// Waits for a process that is to be killed at an event; answers whether it came that far.
#[track_caller]
fn was_killed(process: Running) -> bool {
    let ended = process.wait();
    assert!(matches!(ended.code, None | Some(0)), "{ended}");
    ended.code.is_none()
}

/// The journal of a deployment's last run.
fn last_journal(shared: &SharedSandbox, name: &str) -> PathBuf {
    shared.program.journals(name).pop().expect("a run")
}

/// Uploads an image and checks its thumbnail.
#[track_caller]
fn assert_thumbnail_written(shared: &SharedSandbox, name: &str) {
    let save = shared.program.work_dir().join(format!("thumbnails-{name}"));
    let save_text = save.to_str().expect("a path of the test's own");
    shared.start(&["upload", IMAGE, "--save", save_text], name, None).wait().ok();
    let saved = std::fs::read_dir(&save).expect("the folder is there").count();
    assert_eq!(saved, 1, "{name}");
}

/// Resumes or destroys after a kill; in the end nothing is left.
fn recovers(shared: &SharedSandbox, name: &str, by_deploying: bool, with_upload: bool) {
    if by_deploying {
        shared.deploy_completes(name);
        if with_upload {
            assert_thumbnail_written(shared, name);
        }
    }
    shared.destroy_leaves_nothing(name);
}

/// Cuts so many bytes off a file's last line, its line break included: the line was being written when the process was killed.
fn tear(file: &Path, draw: usize) {
    let text = std::fs::read(file).expect("a journal");
    let whole = text[..text.len().saturating_sub(1)].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let last = text.len() - whole;
    if last > 0 {
        std::fs::write(file, &text[..text.len() - 1 - draw % last]).expect("the journal can be cut");
    }
}

/// Every event of a deployment but log lines, of which the first of each row is taken, is the last thing that a process
/// journals; by turns the deployment is then completed, or destroyed. Steps run one after another, so that the events come
/// in the same order every time; only the build says a little more or less each time, so that its phases and lines are
/// met as well as their numbers in an earlier run tell.
#[test]
fn deploy_killed_after_any_event_can_be_completed_or_destroyed() {
    let shared = SharedSandbox::new();
    let deploy = ["deploy", "--parallelism", "1"];
    let reference = shared.start(&deploy, "reference", None).wait().ok().events();
    shared.destroy_leaves_nothing("reference");

    let milestones: Vec<String> = reference.iter().filter_map(milestone).collect();
    let is_line = |event: &Event| matches!(event.kind, EventKind::LogLine { .. });
    let rows = reference.windows(2).filter(|pair| !is_line(&pair[0]) && is_line(&pair[1])).map(|pair| &pair[1]);
    let others = reference.iter().filter(|event| !is_line(event) && milestone(event).is_none());
    let kill_points: Vec<KillPoint> = (0..milestones.len() as u64)
        .map(KillPoint::AfterMilestone)
        .chain(rows.chain(others).map(|event| KillPoint::AfterEvent(event.seq)))
        .collect();
    for_each_parallel(AT_A_TIME, kill_points.into_iter().enumerate(), |(turn, kill_point)| {
        let name = format!("turn{turn}");
        assert!(was_killed(shared.start(&deploy, &name, Some(kill_point))), "{kill_point:?}");
        let journalled = shared.program.journalled(&name);
        let last = journalled.last().expect("the event is in the journal");
        match kill_point {
            KillPoint::AfterEvent(number) => assert_eq!(last.seq, number),
            KillPoint::AfterMilestone(number) => {
                assert_eq!(milestone(last).as_ref(), Some(&milestones[number as usize]));
            }
        }
        recovers(&shared, &name, turn % 2 == 0, turn % 16 == 0);
    });
    shared.close();
}

/// One teardown that is killed repeatedly: after it began, and for each resource after its step started, after it was
/// journalled that the resource is being deleted, and after it was journalled that it is deleted, or that its step is finished.
#[test]
fn destroy_killed_after_any_event_can_be_resumed() {
    let shared = SharedSandbox::new();
    let name = "stubborn";
    shared.deploy_completes(name);
    let destroy = ["destroy", "--parallelism", "1"];
    let die_after = |moment| {
        let process = shared.start(&destroy, name, Some(KillPoint::AfterMilestone(moment)));
        assert!(was_killed(process), "it ended before {moment}");
    };
    die_after(0);
    let mut left = ResourceKind::ARCHITECTURE.len();
    while left > 0 {
        assert_eq!(shared.journalled_resources(name).len(), left);
        // Run started, step started, resource deleting, resource deleted, step finished.
        die_after(1);
        die_after(2);
        die_after(if left.is_multiple_of(2) { 3 } else { 4 });
        left -= 1;
    }
    shared.assert_nothing_left(name);
    shared.close();
}

/// The process is killed from outside, during parallel steps and calls.
#[test]
fn process_killed_at_random_time_loses_nothing() {
    let shared = SharedSandbox::new();
    for_each_parallel(AT_A_TIME, 0..12u64, |seed| {
        let mut random = StdRng::seed_from_u64(seed);
        let name = format!("seed{seed}");
        let die = |command: &str, after_events: usize| {
            let mut process = shared.start(&[command], &name, None);
            thumbctl_test_support::wait_for("events", || {
                (process.events().len() >= after_events || process.has_ended()).then_some(())
            });
            process.kill();
        };
        die("deploy", random.random_range(1..60));
        match seed % 3 {
            // Killed again during the deployment,
            0 => die("deploy", random.random_range(1..100)),
            // or during the teardown,
            1 => {
                shared.deploy_completes(&name);
                die("destroy", random.random_range(1..50));
            }
            // or not.
            _ => {}
        }
        recovers(&shared, &name, seed % 2 == 0, false);
    });
    shared.close();
}

/// The last line of the journal is cut at some place: the process was killed while it wrote it.
#[test]
fn deploy_resumes_from_journal_with_partial_line() {
    let shared = SharedSandbox::new();
    for_each_parallel(AT_A_TIME, (0..44u64).step_by(2), |moment| {
        let mut random = StdRng::seed_from_u64(moment);
        let name = format!("torn{moment}");
        assert!(was_killed(shared.start(&["deploy"], &name, Some(KillPoint::AfterEvent(moment)))));
        tear(&last_journal(&shared, &name), random.random_range(0..10_000));
        recovers(&shared, &name, moment % 8 == 0, false);
    });
    // A teardown's journal, too.
    let name = "torn-down";
    shared.deploy_completes(name);
    for moment in 1..20 {
        if !was_killed(shared.start(&["destroy"], name, Some(KillPoint::AfterEvent(moment)))) {
            break;
        }
        tear(&last_journal(&shared, name), moment as usize * 31);
    }
    shared.destroy_leaves_nothing(name);
    shared.close();
}

/// The sandbox is killed during a deployment and restarted: answered changes are kept, and the deployment resumes.
#[test]
fn sandbox_killed_during_deploy_keeps_answered_changes() {
    type Moment = fn(&EventKind) -> bool;
    let role_is_there: Moment =
        |kind| matches!(kind, EventKind::StepFinished { step, .. } if step.as_str() == "build_role");
    let build_runs: Moment = |kind| matches!(kind, EventKind::BuildPhase { phase, .. } if phase == "BUILD");
    let function_is_made: Moment =
        |kind| matches!(kind, EventKind::StepFinished { step, .. } if step.as_str() == "function");
    let mut shared = SharedSandbox::new();
    for (index, moment) in [role_is_there, build_runs, function_is_made].into_iter().enumerate() {
        let name = format!("outage{index}");
        let mut deploy = shared.start(&["deploy"], &name, None);
        deploy.wait_for_event("the moment", moment);
        shared.kill_and_restart_the_sandbox();
        let deployed = deploy.wait();
        if deployed.code != Some(0) {
            let reported = deployed.ends_with(1).stderr;
            assert!(reported.contains("error: "), "{reported}");
        }
        let status = shared.run("status", &name).ok().json();
        for resource in status["resources"].as_array().expect("a list") {
            assert!(resource["journal"] != "ready" || resource["cloud"] == "there", "it was answered: {resource}");
        }
        shared.deploy_completes(&name);
        assert_thumbnail_written(&shared, &name);
        shared.destroy_leaves_nothing(&name);
    }
    shared.close();
}
