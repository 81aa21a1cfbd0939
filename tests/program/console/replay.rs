//! Replays of recorded runs.

use thumbctl_test_support::Program;
use thumbctl_test_support::console::{Console, SIZE};

/// Records a deployment and its teardown by the command line.
fn recorded() -> Program {
    let program = Program::new();
    program.run(["deploy", "--yes"]).ok();
    program.run(["destroy", "--yes"]).ok();
    program
}

#[test]
fn deployment_is_replayed() {
    let program = recorded();
    let mut console = Console::start(&program.command(["replay", "1", "--speed", "20"]), SIZE);
    console.wait_for("replay");
    console.wait_for("15/15 ready");
    console.wait_for("✔ deployed");
    console.keys("3");
    console.wait_for("Phase complete");
    console.keys("5");
    console.wait_for("critical path");
    // A replay is read-only.
    console.keys("aD");
    assert!(!console.text().contains("Destroy deployment?"));
    console.keys("q");
    assert!(console.wait_end().success());
    assert_eq!(program.journals("thumbnails").len(), 2, "a replay records nothing");
}

#[test]
fn replay_can_be_paused_and_resumed() {
    let program = recorded();
    let console = Console::start(&program.command(["replay", "1", "--speed", "0.125"]), SIZE);
    console.wait_for("replay");
    console.keys(" ");
    console.wait_for("paused");
    for _ in 0..12 {
        console.keys("+");
    }
    console.keys(" ");
    console.wait_until_gone("paused");
    console.wait_for("✔ deployed");
}

#[test]
fn last_run_is_replayed_after_earlier_ones() {
    let program = recorded();
    let console = Console::start(&program.command(["replay", "last", "--speed", "0.125"]), SIZE);
    console.wait_for("deleting");
    for _ in 0..12 {
        console.keys("+");
    }
    console.wait_for("destroyed");
}

#[test]
fn unknown_run_lists_existing_runs() {
    let program = recorded();
    let mut console = Console::start(&program.command(["replay", "7"]), SIZE);
    assert!(!console.wait_end().success());
    let raw = String::from_utf8_lossy(&console.raw()).into_owned();
    assert!(raw.contains("has no run '7'") && raw.contains("0001-deploy-"), "{raw}");
}

#[test]
fn credentials_in_log_are_masked() {
    let program = recorded();
    let journal = program.journals("thumbnails").into_iter().next().expect("the deployment's journal");
    let text = std::fs::read_to_string(&journal).expect("a journal");
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    // As in a build that prints its environment.
    let text: String = text
        .lines()
        .map(|line| match line.contains("Entering phase BUILD") {
            true => format!(
                "{}\n",
                line.replace("Entering phase BUILD", &format!("Entering phase BUILD AWS_SECRET_ACCESS_KEY={secret}"))
            ),
            false => format!("{line}\n"),
        })
        .collect();
    assert!(text.contains(secret), "the log contains the secret");
    std::fs::write(&journal, text).expect("a journal");
    let console = Console::start(&program.command(["replay", "1", "--speed", "50"]), SIZE);
    console.wait_for("✔ deployed");
    console.keys("3");
    console.keys("w/Entering phase BUILD\r");
    console.wait_for("AWS_SECRET_ACCESS_KEY");
    let raw = String::from_utf8_lossy(&console.raw()).into_owned();
    assert!(!raw.contains("wJalr"), "the secret was drawn");
}
