//! What people open the console for: deploy, look, try, destroy.

use thumbctl_core::event::{Action, EventKind, Outcome};

use thumbctl_test_support::console::{ENTER, ESC, SIZE, deploy, open, open_empty};
use thumbctl_test_support::{Program, list_everything, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn deploy_look_try_and_destroy_without_leaving_the_console() {
    let program = Program::new();
    let mut console = open_empty(&program);
    deploy(&console);

    // What the cloud says of a resource: select the last one, the notification.
    console.keys("1G2");
    console.wait_for("s3:ObjectCreated");

    console.keys("3");
    console.wait_for("Phase complete");
    console.keys("/Entering phase BUILD");
    console.keys(ENTER);
    console.wait_for("1 of 1");
    console.keys(ESC);
    // An escape right before a key would be that key with Alt.
    console.wait_gone("1 of 1");

    console.keys("6");
    console.wait_for("lighthouse.jpg");
    console.keys(ENTER);
    // Stages that have not been reached yet have names of their own ("uploading").
    console.wait_for("uploaded");
    console.wait_for("thumbnail written");
    console.wait_for("256 ×");
    console.wait_for("function started");

    console.keys("4");
    console.wait_for("REPORT RequestId");

    console.keys("D");
    let screen = console.wait_for("Delete them?");
    assert!(screen.contains("-destination"), "what is destroyed is listed:\n{screen}");
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
fn step_by_step_each_step_is_explained_before_it_is_done() {
    let program = Program::new();
    let console = open_empty(&program);
    console.wait_for("Create the ECR repository");
    console.keys(ENTER);
    console.wait_for("1/15 ready");
    console.wait_for("Create the build source bucket");
    console.wait_for("s3:CreateBucket");
    console.wait_for("waiting for you");
    console.keys(ENTER);
    console.wait_for("2/15 ready");
    // In the plan's order, though the log group could be made at the same time.
    console.wait_for("Upload the function's source");
    console.keys("a");
    console.wait_for("15/15 ready");
}

#[test]
fn cancelling_asks_and_leaves_what_is_there_to_be_gone_on_with() {
    let program = Program::new();
    let console = open_empty(&program);
    console.keys(ENTER);
    console.wait_for("waiting for you");
    console.keys("x");
    console.wait_for("Cancel the run?");
    console.keys("y");
    console.wait_for("partly deployed");
    // What is announced is what is done next.
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
fn an_image_that_is_dropped_onto_the_terminal_is_chosen() {
    let program = Program::new();
    let console = open_empty(&program);
    deploy(&console);
    let sample = std::fs::read("assets/images/waves.webp").expect("a sample image");
    let image = program.file("my holiday.webp", sample);
    console.keys(&format!("\x1b[200~'{}'\x1b[201~", image.display()));
    console.wait_for("my holiday.webp");
    console.wait_for("Try it");
    console.keys(ENTER);
    console.wait_for("thumbnail written");
}

#[test]
fn an_image_that_the_function_cannot_read_ends_with_its_error() {
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
fn what_was_deployed_is_there_when_the_console_opens_again() {
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
    assert!(String::from_utf8_lossy(&second.raw()).contains("\x1b]52;c;"), "the line went to the terminal's clipboard");
    second.keys("s");
    second.wait_for("thumbctl-build.log");
    let saved = program.work_dir().join("thumbctl-build.log");
    let log = wait_for("the log's file", || std::fs::read_to_string(&saved).ok().filter(|log| log.ends_with('\n')));
    assert!(log.contains("Phase complete: BUILD State: SUCCEEDED"), "{log}");
    second.keys("5");
    second.wait_for("critical path");
}

#[test]
fn a_failed_step_says_why_and_what_to_do_and_can_be_gone_on_with() {
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
fn the_console_is_the_same_at_every_size_and_survives_being_resized() {
    let program = Program::new();
    let console = open_empty(&program);
    console.keys("a");
    console.wait_gone("nothing deployed");
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
fn what_was_destroyed_can_be_deployed_again_in_the_same_console() {
    let program = Program::new();
    let console = open_empty(&program);
    deploy(&console);
    console.keys("D");
    console.wait_for("Delete them?");
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
fn what_was_lost_behind_its_back_can_be_made_again() {
    let program = Program::new();
    let mut console = open_empty(&program);
    deploy(&console);
    console.keys("q");
    console.wait_end();
    drop(console);
    wait_for("the sandbox to end", || program.sandbox_pid().is_none().then_some(()));
    std::fs::remove_dir_all(program.sandbox_dir()).expect("the sandbox's state");
    let console = open(&program);
    console.wait_for("does not have any more");
    console.wait_for("lost");
    console.keys("a");
    console.wait_for("15/15 ready");
    console.wait_for("✔ deployed");
}
