//! Stopped builds, and builds in a sandbox that ends.

use aws_sdk_codebuild::types::{BuildPhaseType, StatusType};
use rustix::process::{Pid, test_kill_process};
use thumbctl_test_support::{Sandbox, until};

use super::{REGION, describe_build, inline, log, phase, project, start};

/// Waits for a process ID in a build's log, and returns it.
async fn process_of(sandbox: &Sandbox, id: &str) -> Pid {
    until("the process's id in the log", async || {
        let build = describe_build(sandbox, id).await;
        let text = log(sandbox, &build).await;
        let line = text.lines().find_map(|line| line.strip_prefix("process "))?;
        Pid::from_raw(line.parse().ok()?)
    })
    .await
}

async fn wait_for_exit(pid: Pid) {
    until("the process's end", async || test_kill_process(pid).is_err().then_some(())).await;
}

const ENDLESS_BUILDSPEC: &str = "version: 0.2\nphases:\n  build:\n    commands:\n      - |\n        env -i setsid sleep 600 &\n        echo process $!\n        sleep \
                       600\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_build_leaves_no_process() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::on(dir.path());
    project(&sandbox, inline(ENDLESS_BUILDSPEC)).await;
    let id = start(&sandbox).await;
    let pid = process_of(&sandbox, &id).await;
    let stopped = sandbox.clients_in(REGION).codebuild.stop_build().id(&id).send().await.unwrap();
    let build = stopped.build_value().unwrap();
    assert!(build.build_complete());
    assert_eq!(build.build_status(), Some(&StatusType::Stopped));
    assert_eq!(phase(build, BuildPhaseType::Build).phase_status(), Some(&StatusType::Stopped));
    wait_for_exit(pid).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn build_ends_with_its_sandbox() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::on(dir.path());
    project(&sandbox, inline(ENDLESS_BUILDSPEC)).await;
    let killed = start(&sandbox).await;
    let first = process_of(&sandbox, &killed).await;
    sandbox.kill();
    assert!(test_kill_process(first).is_ok(), "a killed sandbox cannot stop its processes");

    let sandbox = Sandbox::on(dir.path());
    wait_for_exit(first).await;
    let build = describe_build(&sandbox, &killed).await;
    assert!(build.build_complete());
    assert_eq!(build.build_status(), Some(&StatusType::Fault));

    let id = start(&sandbox).await;
    let second = process_of(&sandbox, &id).await;
    sandbox.interrupt().ok();
    wait_for_exit(second).await;
}
