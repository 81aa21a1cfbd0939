//! The workflows of the console: deploy, inspect, upload, destroy.

use thumbctl_core::event::{Action, EventKind, Outcome};

use thumbctl_test_support::console::{ENTER, ESC, SIZE, deploy, open, open_empty};
use thumbctl_test_support::{Program, list_everything, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn deploy_inspect_upload_and_destroy() {
    let program = Program::new();
    let mut console = open_empty(&program);
    deploy(&console);

    // The configuration of the last resource, the notification.
    console.keys("1G2");
    console.wait_for("s3:ObjectCreated");

    console.keys("3");
    console.wait_for("Phase complete");
    console.keys("/Entering phase BUILD");
    console.keys(ENTER);
    console.wait_for("1 of 1");
    console.keys(ESC);
    // An escape immediately before a key would be Alt and that key.
    console.wait_until_gone("1 of 1");

    console.keys("6");
    console.wait_for("lighthouse.jpg");
    console.keys(ENTER);
    // Pending stages have other labels ("uploading").
    console.wait_for("uploaded");
    console.wait_for("thumbnail written");
    console.wait_for("256 ×");
    console.wait_for("function started");

    console.keys("4");
    console.wait_for("REPORT RequestId");

    console.keys("D");
    let screen = console.wait_for("Destroy deployment?");
    assert!(screen.contains("-destination"), "the resources are listed:\n{screen}");
    console.keys(ENTER);
    console.keys("y");
    console.wait_for("destroyed");
    console.keys("q");
    assert!(console.wait_end().success());
    drop(console);

    let joined = program.join().await;
    assert_eq!(list_everything(&joined.clients, "thumbnails").await, Vec::<String>::new());
}

#[test]
fn each_step_is_explained_before_it_runs() {
    let program = Program::new();
    let console = open_empty(&program);
    console.wait_for("Create the ECR repository");
    console.keys(ENTER);
    console.wait_for("1/15 ready");
    console.wait_for("Create the build source bucket");
    console.wait_for("s3:CreateBucket");
    console.wait_for("paused");
    console.keys(ENTER);
    console.wait_for("2/15 ready");
    // In the plan's order, although the log group could be created in parallel.
    console.wait_for("Upload the function's source");
    console.keys("a");
    console.wait_for("15/15 ready");
}

#[test]
fn cancelled_deployment_can_be_resumed() {
    let program = Program::new();
    let console = open_empty(&program);
    console.keys(ENTER);
    console.wait_for("paused");
    console.keys("x");
    console.wait_for("Cancel the run?");
    console.keys("y");
    console.wait_for("partly deployed");
    // The displayed step is the next one.
    console.wait_for("Create the build source bucket");
    console.keys(ENTER);
    console.wait_for("2/15 ready");
    console.wait_for("Upload the function's source");
    console.keys("a");
    console.wait_for("15/15 ready");
    console.wait_for("✔ deployed");
    let runs: Vec<Option<Outcome>> = program
        .journalled("thumbnails")
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::RunFinished { outcome, .. } => Some(Some(*outcome)),
            _ => None,
        })
        .collect();
    assert_eq!(runs, [Some(Outcome::Cancelled), Some(Outcome::Succeeded)]);
}

#[test]
fn dropped_image_is_uploaded() {
    let program = Program::new();
    let console = open_empty(&program);
    deploy(&console);
    let sample = std::fs::read("assets/images/waves.webp").expect("a sample image");
    let image = program.file("my holiday.webp", sample);
    console.keys(&format!("\x1b[200~'{}'\x1b[201~", image.display()));
    console.wait_for("my holiday.webp");
    console.wait_for("Test upload");
    console.keys(ENTER);
    console.wait_for("thumbnail written");
}

#[test]
fn invalid_image_shows_function_error() {
    let program = Program::new();
    let console = open_empty(&program);
    deploy(&console);
    let mut broken = std::fs::read("assets/images/lighthouse.jpg").expect("a sample image");
    let length = broken.len();
    broken.truncate(length / 3);
    let image = program.file("broken.jpg", broken);
    console.keys(&format!("\x1b[200~{}\x1b[201~", image.display()));
    console.wait_for("broken.jpg");
    console.keys(ENTER);
    console.wait_for("the function failed");
}

#[test]
fn deployment_is_shown_after_reopening() {
    let program = Program::new();
    let mut first = open_empty(&program);
    deploy(&first);
    first.keys("q");
    assert!(first.wait_end().success());
    drop(first);
    let second = open(&program);
    second.wait_for("15/15 ready");
    second.wait_for("✔ deployed");
    second.keys("3");
    second.wait_for("Phase complete");
    second.keys("y");
    second.wait_for("Copied");
    assert!(
        String::from_utf8_lossy(&second.raw()).contains("\x1b]52;c;"),
        "the line was copied to the terminal's clipboard"
    );
    second.keys("s");
    second.wait_for("thumbctl-build.log");
    let saved = program.work_dir().join("thumbctl-build.log");
    let log = wait_for("the log's file", || std::fs::read_to_string(&saved).ok().filter(|log| log.ends_with('\n')));
    assert!(log.contains("Phase complete: BUILD State: SUCCEEDED"), "{log}");
    second.keys("5");
    second.wait_for("critical path");
}

#[test]
fn failed_step_can_be_retried() {
    let program = Program::new();
    let sandbox = program.sandbox_with_faults(
        r#"[{"service": "lambda", "operation": "CreateFunction", "kind": "error", "code": "ServiceException", "status": 400, "times": 1}]"#,
    );
    let console = open_empty(&program);
    console.keys("a");
    console.wait_for("✖ failed");
    console.keys("a");
    console.wait_for("✔ deployed");
    drop(console);
    sandbox.interrupt();
}

#[test]
fn console_survives_resizing() {
    let program = Program::new();
    let console = open_empty(&program);
    console.keys("a");
    console.wait_until_gone("nothing deployed");
    for size in [(60, 20), (59, 19), (200, 60), (80, 24), (1, 1), SIZE] {
        console.resize(size);
        match size {
            (59, 19) => drop(console.wait_for("60 by 20")),
            (1, 1) => {}
            _ => drop(console.wait_until("the whole screen", |text| {
                let lines: Vec<&str> = text.lines().collect();
                lines.len() + 1 >= usize::from(size.1) - 1 && text.contains("thumbnails")
            })),
        }
    }
    console.wait_for("✔ deployed");
    let actions: Vec<Action> = program
        .journalled("thumbnails")
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::RunStarted(started) => Some(started.action),
            _ => None,
        })
        .collect();
    assert_eq!(actions, [Action::Deploy]);
}

#[test]
fn destroyed_deployment_can_be_redeployed() {
    let program = Program::new();
    let console = open_empty(&program);
    deploy(&console);
    console.keys("D");
    console.wait_for("Destroy deployment?");
    console.keys("y");
    console.wait_for("destroyed");
    console.keys("4");
    deploy(&console);
    assert!(!console.text().contains("lost"), "{}", console.text());
    console.keys("6");
    console.wait_for("lighthouse.jpg");
    console.keys(ENTER);
    console.wait_for("thumbnail written");
    console.keys("4");
    console.wait_for("REPORT RequestId");
}

#[test]
fn lost_resources_can_be_recreated() {
    let program = Program::new();
    let mut console = open_empty(&program);
    deploy(&console);
    console.keys("q");
    console.wait_end();
    drop(console);
    wait_for("the sandbox to end", || program.sandbox_pid().is_none().then_some(()));
    std::fs::remove_dir_all(program.sandbox_dir()).expect("the sandbox's state");
    let console = open(&program);
    console.wait_for("Missing in the cloud");
    console.wait_for("lost");
    console.keys("a");
    console.wait_for("15/15 ready");
    console.wait_for("✔ deployed");
}
