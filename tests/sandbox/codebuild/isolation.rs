//! Isolation of a build from the process that runs it.

use std::process::{Command, Stdio};

use aws_sdk_codebuild::types::StatusType;
use thumbctl_test_support::Sandbox;

use super::{inline, log, project, start, wait_for_build};

const PRINT_ENVIRONMENT: &str = "version: 0.2\nphases:\n  build:\n    commands:\n      - |\n        ls -l /proc/self/fd\n        env\n        \
                    cat /proc/$PPID/cmdline | tr '\\0' ' '\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn build_inherits_neither_open_files_nor_the_access_key() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("open-in-the-caller");
    std::fs::write(&file, "").unwrap();
    let thumbctl = thumbctl_test_support::thumbctl();
    let script = format!("exec 7<{} 8>>{0}; exec {thumbctl} sandbox --port 0 --data-dir \"$0\"", file.display());
    let mut command = Command::new("bash");
    command.args(["-c", &script]).arg(dir.path().join("data")).stdin(Stdio::null());
    command.env("THUMBCTL_STATE_DIR", dir.path().join("announced"));
    command.env("THUMBCTL_SANDBOX_ACCESS_KEY", "WORKSHOP:the-same-for-all");
    let sandbox = Sandbox::start(command);
    assert_eq!(sandbox.secret_key, "the-same-for-all");
    project(&sandbox, inline(PRINT_ENVIRONMENT)).await;
    let build = wait_for_build(&sandbox, &start(&sandbox).await).await;
    let text = log(&sandbox, &build).await;
    assert_eq!(build.build_status(), Some(&StatusType::Succeeded), "{text}");
    assert!(text.contains("CODEBUILD_BUILD_ID=") && text.contains("thumbctl sandbox"), "{text}");
    for hidden in ["open-in-the-caller", "the-same-for-all", "THUMBCTL_SANDBOX_ACCESS_KEY"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    sandbox.interrupt().ok();
}
