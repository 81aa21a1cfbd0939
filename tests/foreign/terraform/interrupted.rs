//! Interrupted Terraform and thumbctl processes: `deploy` resumes, `destroy` leaves nothing.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};
use thumbctl_core::event::{EventKind, LogSource};
use thumbctl_test_support::shared_provider::Served;
use thumbctl_test_support::shared_sandbox::{SharedSandbox, for_each_parallel};
use thumbctl_test_support::{Running, wait_for};

use super::{shared, terraform};

thumbctl_test_support::foreign_tests! {
    [Terraform] sync: apply_stopped_at_any_moment_is_completed_or_destroyed,
        stop_before_the_first_resource_creates_nothing,
        apply_waiting_for_a_lost_response_can_be_stopped,
        destroy_stopped_at_any_moment_completes,
        lost_or_damaged_state_is_rebuilt_by_names,
        state_locked_by_another_process_is_left_alone;
}

/// The process that is stopped, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Ctrl-C, received by thumbctl.
    Interrupt,
    /// `kill -9` of thumbctl; Terraform continues alone.
    Kill,
    /// An interrupt sent to Terraform directly.
    InterruptTerraform,
    /// `kill -9` of Terraform.
    KillTerraform,
}

/// The moment of the stop.
type Moment = fn(&EventKind) -> bool;

fn says(event: &EventKind, words: &str) -> bool {
    matches!(event, EventKind::LogLine { source: LogSource::Terraform, text, .. } if text.contains(words))
}

const DEPLOY: [(&str, Moment); 6] = [
    ("the plan's begin", |event| matches!(event, EventKind::StepStarted { step } if step.as_str() == "plan_start")),
    ("the apply's begin", |event| matches!(event, EventKind::StepStarted { step } if step.as_str() == "apply_start")),
    ("the first resource", |event| says(event, ": Creating...")),
    ("the project", |event| says(event, "aws_codebuild_project.function: Creating...")),
    ("the build", |event| matches!(event, EventKind::BuildPhase { phase, .. } if phase == "BUILD")),
    ("the function", |event| says(event, "aws_lambda_function.thumbnails: Creating...")),
];

const DESTROY: [(&str, Moment); 3] = [
    (
        "the provider's start",
        |event| matches!(event, EventKind::StepStarted { step } if step.as_str() == "destroy_start"),
    ),
    ("the first resource", |event| says(event, ": Destroying...")),
    ("the function", |event| says(event, "aws_lambda_function.thumbnails: Destroying...")),
];

/// A deployment's running Terraform.
fn terraform_of(shared: &SharedSandbox, name: &str) -> Pid {
    // The file has the command after the process id.
    noted_terraform(shared, name, |note| note.split(' ').next())
}

/// A deployment's Terraform that runs an apply.
fn applying_terraform_of(shared: &SharedSandbox, name: &str) -> Pid {
    noted_terraform(shared, name, |note| note.strip_suffix(" apply"))
}

fn noted_terraform(shared: &SharedSandbox, name: &str, number: fn(&str) -> Option<&str>) -> Pid {
    let file = shared.program.state_dir().join("deployments").join(name).join("terraform/terraform.pid");
    let pid = wait_for("Terraform's process", || number(&std::fs::read_to_string(&file).ok()?)?.parse().ok());
    Pid::from_raw(pid).expect("a process")
}

/// Returns whether a process has ended; a zombie has no command line any more.
fn is_over(pid: Pid) -> bool {
    match std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())) {
        Ok(line) => line.is_empty(),
        Err(_) => test_kill_process(pid).is_err() || std::path::Path::new("/proc/self").exists(),
    }
}

/// Runs a command until the moment, and stops it or its Terraform.
fn stop_at(shared: &SharedSandbox, command: &str, name: &str, (what, moment): (&str, Moment), stop: Stop) {
    let mut process = shared.start(&[command], name, None);
    process.wait_for_event(what, moment);
    match stop {
        Stop::Interrupt => {
            process.signal(Signal::INT);
            let ended = process.wait();
            // A process that was about to end succeeds.
            assert!(matches!(ended.code, Some(0 | 130)), "{what}: {ended}");
        }
        Stop::Kill => process.kill(),
        Stop::InterruptTerraform => stop_terraform(shared, name, Signal::INT, process, what),
        Stop::KillTerraform => stop_terraform(shared, name, Signal::KILL, process, what),
    }
}

/// The same with a shared provider, except for a killed Terraform: its own provider's remaining work
/// is part of the test.
fn stop_served_at(
    shared: &SharedSandbox,
    served: &Served<'_>,
    command: &str,
    name: &str,
    moment: (&str, Moment),
    stop: Stop,
) {
    let killed = match command {
        "deploy" if moment.0 == DEPLOY[0].0 => "plan",
        "deploy" => "apply",
        other => other,
    };
    let stop_at = || stop_at(shared, command, name, moment, stop);
    if stop == Stop::KillTerraform { served.launching(killed, stop_at) } else { stop_at() }
}

fn stop_terraform(shared: &SharedSandbox, name: &str, signal: Signal, process: Running, what: &str) {
    // It may just have ended.
    let _ = kill_process(terraform_of(shared, name), signal);
    let ended = process.wait();
    assert!(matches!(ended.code, Some(0 | 1)), "{what}: {ended}");
    if ended.code == Some(1) {
        assert!(ended.stderr.contains("error: ") && ended.stderr.contains("hint: "), "{ended}");
    }
}

/// Delays for calls to interrupt.
fn slow() -> Vec<serde_json::Value> {
    ["CreateProject", "CreateFunction", "DeleteFunction"]
        .map(|operation| json!({"service":"*","operation":operation,"kind":"delay","delay_ms":700}))
        .into()
}

fn apply_stopped_at_any_moment_is_completed_or_destroyed() {
    let Some(terraform) = terraform() else { return };
    let mut shared = shared(&terraform, &slow());
    let providers = shared.share_providers(4, &terraform);
    let mut cases = Vec::new();
    for (at, moment) in DEPLOY.into_iter().enumerate() {
        for (how, stop) in
            [Stop::Interrupt, Stop::Kill, Stop::InterruptTerraform, Stop::KillTerraform].into_iter().enumerate()
        {
            // One half is completed, the other destroyed: three for each way of stopping, and two for each moment.
            cases.push((format!("stop{at}{how}"), moment, stop, (at + how) % 2 == 0));
        }
    }
    for_each_parallel(4, cases, |(name, moment, stop, is_completed)| {
        let served = providers.serving(&name);
        stop_served_at(&shared, &served, "deploy", &name, moment, stop);
        if is_completed {
            shared.deploy_completes(&name);
        }
        shared.destroy_leaves_nothing(&name);
    });
    shared.close();
}

/// Rule: Terraform ignores an interrupt while its provider starts, and would create everything. So it
/// launches its provider itself here.
/// <https://github.com/hashicorp/terraform/issues/30918>.
fn stop_before_the_first_resource_creates_nothing() {
    let Some(terraform) = terraform() else { return };
    let mut shared = shared(&terraform, &[]);
    // Without a shared provider; only the initialized folder is shared.
    let _providers = shared.share_providers(0, &terraform);
    for_each_parallel(3, [("planning", 0, 1), ("once", 1, 1), ("twice", 1, 2)], |(name, at, times)| {
        let mut process = shared.start(&["deploy"], name, None);
        let (what, moment) = DEPLOY[at];
        process.wait_for_event(what, moment);
        let pid = if at == 0 { terraform_of(&shared, name) } else { applying_terraform_of(&shared, name) };
        for _ in 0..times {
            process.signal(Signal::INT);
        }
        let ended = process.wait();
        assert_eq!(ended.code, Some(130), "{what}: {ended}");
        wait_for("Terraform's end", || is_over(pid).then_some(()));
        assert_eq!(shared.resources_of(name), Vec::<String>::new(), "{what}, {times}: {ended}");
        let is_ended = ended.stdout.contains("stopped Terraform: it had not started to change anything");
        assert!(is_ended || name != "once", "{ended}");
        shared.destroy_leaves_nothing(name);
    });
    shared.close();
}

/// Terraform waits for a call without a response; an interrupt ends it.
fn apply_waiting_for_a_lost_response_can_be_stopped() {
    let Some(terraform) = terraform() else { return };
    let hang =
        json!({"service":"iam","operation":"CreateRole","about":"silent-????????-build-role","times":1,"kind":"hang"});
    let mut shared = shared(&terraform, &[hang]);
    let providers = shared.share_providers(1, &terraform);
    let _served = providers.serving("silent");
    let is_asked = |event: &EventKind| says(event, "aws_iam_role.build: Creating...");
    let mut process = shared.start(&["deploy"], "silent", None);
    process.wait_for_event("the role", is_asked);
    // The response never comes: only an interrupt ends this.
    wait_for("all but the role", || process.stdout().contains("aws_iam_role.build: Still creating...").then_some(()));
    process.signal(Signal::INT);
    let ended = process.wait();
    assert_eq!(ended.code, Some(130), "{ended}");
    shared.deploy_completes("silent");
    shared.destroy_leaves_nothing("silent");
    shared.close();
}

fn destroy_stopped_at_any_moment_completes() {
    let Some(terraform) = terraform() else { return };
    let mut shared = shared(&terraform, &slow());
    let providers = shared.share_providers(4, &terraform);
    let cases = [(0, Stop::Interrupt), (1, Stop::Kill), (1, Stop::KillTerraform), (2, Stop::Interrupt)];
    for_each_parallel(4, cases.into_iter().enumerate(), |(turn, (at, stop))| {
        let name = format!("gone{turn}");
        let served = providers.serving(&name);
        shared.deploy_completes(&name);
        stop_served_at(&shared, &served, "destroy", &name, DESTROY[at], stop);
        shared.destroy_leaves_nothing(&name);
    });
    shared.close();
}

/// A lost or damaged state is rebuilt by imports.
fn lost_or_damaged_state_is_rebuilt_by_names() {
    let Some(terraform) = terraform() else { return };
    let mut shared = shared(&terraform, &[]);
    let providers = shared.share_providers(1, &terraform);
    for (name, damage) in [("lost", None), ("torn", Some(400))] {
        let _served = providers.serving(name);
        shared.deploy_completes(name);
        let state = shared.program.state_dir().join("deployments").join(name).join("terraform/terraform.tfstate");
        match damage {
            None => std::fs::remove_file(&state).expect("there is a state"),
            Some(length) => {
                let content = std::fs::read(&state).expect("there is a state");
                std::fs::write(&state, &content[..length]).expect("the file is written");
            }
        }
        let again = shared.deploy_completes(name).events();
        let imported = again.iter().filter(
            |event| matches!(&event.kind, EventKind::ChangePlanned { logical_id, .. } if logical_id == "aws_iam_role.build"),
        );
        assert_eq!(imported.count(), 1, "one existing resource is imported");
    }
    // Without a state, resources are found by their tags.
    std::fs::remove_dir_all(shared.program.state_dir().join("deployments/lost/terraform")).expect("the folder exists");
    // Unrecorded resources of an interrupted apply keep Terraform from deleting the resources they use.
    let state = shared.program.state_dir().join("deployments/torn/terraform/terraform.tfstate");
    let mut recorded: Value = serde_json::from_slice(&std::fs::read(&state).expect("there is a state")).expect("JSON");
    let resources = recorded["resources"].as_array_mut().expect("resources");
    let before = resources.len();
    resources.retain(|resource| resource["type"] != "aws_iam_role_policy_attachment");
    assert_eq!(resources.len(), before - 2, "both attachments are forgotten");
    std::fs::write(&state, recorded.to_string()).expect("the file is written");
    for name in ["lost", "torn"] {
        providers.serve(name, || shared.destroy_leaves_nothing(name));
    }
    shared.close();
}

/// Another Terraform in the folder has locked the state: the error is reported, and nothing is changed.
fn state_locked_by_another_process_is_left_alone() {
    let Some(terraform) = terraform() else { return };
    let mut shared = shared(&terraform, &[]);
    let providers = shared.share_providers(1, &terraform);
    let _served = providers.serving("held");
    shared.deploy_completes("held");
    let folder = shared.program.state_dir().join("deployments/held/terraform");
    // It waits for confirmation with the state locked.
    let mut command =
        shared.program.around(providers.program().to_str().expect("a path"), ["apply", "-var=memory_size=640"]);
    shared.set_environment(&mut command);
    command.current_dir(folder).stdin(Stdio::piped());
    let holder = Running::start(command);
    wait_for("its question", || holder.stdout().contains("Do you want to perform these actions?").then_some(()));
    let printed = shared.run("deploy", "held").ends_with(1).stderr;
    assert!(
        printed.contains("Error acquiring the state lock") && printed.contains("another Terraform has locked"),
        "{printed}"
    );
    let printed = shared.run("destroy", "held").ends_with(1).stderr;
    assert!(printed.contains("Error acquiring the state lock"), "{printed}");
    assert!(shared.resources_of("held").len() > 12, "only builds were deleted");
    holder.signal(Signal::INT);
    holder.wait();
    shared.destroy_leaves_nothing("held");
    shared.close();
}
