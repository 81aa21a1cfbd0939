//! Builds that are stopped, or whose sandbox ends.

use aws_sdk_codebuild::types::{BuildPhaseType, StatusType};
use rustix::process::{Pid, test_kill_process};
use thumbctl_test_support::{Sandbox, until};

use super::{REGION, inline, log, look, phase, project, start};

/// Waits until a build has written the id of a process into its log, and says it.
async fn process_of(sandbox: &Sandbox, id: &str) -> Pid {
    until("the process's id in the log", async || {
        let build = look(sandbox, id).await;
        let text = log(sandbox, &build).await;
        let line = text.lines().find_map(|line| line.strip_prefix("process "))?;
        Pid::from_raw(line.parse().ok()?)
    })
    .await
}

async fn gone(pid: Pid) {
    until("the process's end", async || test_kill_process(pid).is_err().then_some(())).await;
}

const ENDLESS: &str = "version: 0.2\nphases:\n  build:\n    commands:\n      - |\n        env -i setsid sleep 600 &\n        echo process $!\n        sleep \
                       600\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_is_stopped_leaves_no_process() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::on(dir.path());
    project(&sandbox, inline(ENDLESS)).await;
    let id = start(&sandbox).await;
    let pid = process_of(&sandbox, &id).await;
    let stopped = sandbox.clients_in(REGION).codebuild.stop_build().id(&id).send().await.unwrap();
    let build = stopped.build_value().unwrap();
    assert!(build.build_complete());
    assert_eq!(build.build_status(), Some(&StatusType::Stopped));
    assert_eq!(phase(build, BuildPhaseType::Build).phase_status(), Some(&StatusType::Stopped));
    gone(pid).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_does_not_outlive_its_sandbox() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::on(dir.path());
    project(&sandbox, inline(ENDLESS)).await;
    let killed = start(&sandbox).await;
    let first = process_of(&sandbox, &killed).await;
    sandbox.kill();
    assert!(test_kill_process(first).is_ok(), "kill -9 cannot clean up");

    let sandbox = Sandbox::on(dir.path());
    gone(first).await;
    let build = look(&sandbox, &killed).await;
    assert!(build.build_complete());
    assert_eq!(build.build_status(), Some(&StatusType::Fault));

    let id = start(&sandbox).await;
    let second = process_of(&sandbox, &id).await;
    sandbox.interrupt().ok();
    gone(second).await;
}
