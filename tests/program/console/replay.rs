//! Recorded runs, played again: the proof that the console is a fold over events.

use thumbctl_test_support::Program;
use thumbctl_test_support::console::{Console, SIZE};

/// A deployment and its teardown, by the command line.
fn recorded() -> Program {
    let program = Program::new();
    program.run(["deploy", "--yes"]).ok();
    program.run(["destroy", "--yes"]).ok();
    program
}

#[test]
fn a_deployment_is_played_again_as_it_was() {
    let program = recorded();
    let mut console = Console::start(&program.command(["replay", "1", "--speed", "20"]), SIZE);
    console.wait_for("replay");
    console.wait_for("15/15 ready");
    console.wait_for("✔ deployed");
    console.keys("3");
    console.wait_for("Phase complete");
    console.keys("5");
    console.wait_for("critical path");
    // Nothing can be done in a recording.
    console.keys("aD");
    assert!(!console.text().contains("Delete them?"));
    console.keys("q");
    assert!(console.wait_end().success());
    assert_eq!(program.journals("thumbnails").len(), 2, "playing records nothing");
}

#[test]
fn a_recording_can_be_held_and_goes_on() {
    let program = recorded();
    let console = Console::start(&program.command(["replay", "1", "--speed", "0.125"]), SIZE);
    console.wait_for("replay");
    console.keys(" ");
    console.wait_for("paused");
    for _ in 0..12 {
        console.keys("+");
    }
    console.keys(" ");
    console.wait_gone("paused");
    console.wait_for("✔ deployed");
}

#[test]
fn the_last_run_is_played_on_what_the_earlier_ones_left() {
    let program = recorded();
    let console = Console::start(&program.command(["replay", "last", "--speed", "0.125"]), SIZE);
    console.wait_for("deleting");
    for _ in 0..12 {
        console.keys("+");
    }
    console.wait_for("destroyed");
}

#[test]
fn a_run_that_is_not_there_is_told_with_those_that_are() {
    let program = recorded();
    let mut console = Console::start(&program.command(["replay", "7"]), SIZE);
    assert!(!console.wait_end().success());
    let raw = String::from_utf8_lossy(&console.raw()).into_owned();
    assert!(raw.contains("has no run '7'") && raw.contains("0001-deploy-"), "{raw}");
}

#[test]
fn credentials_in_a_log_are_never_drawn() {
    let program = recorded();
    let journal = program.journals("thumbnails").into_iter().next().expect("the deployment's journal");
    let text = std::fs::read_to_string(&journal).expect("a journal");
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    // As a build would tell that prints its environment.
    let told: String = text
        .lines()
        .map(|line| match line.contains("Entering phase BUILD") {
            true => format!(
                "{}\n",
                line.replace("Entering phase BUILD", &format!("Entering phase BUILD AWS_SECRET_ACCESS_KEY={secret}"))
            ),
            false => format!("{line}\n"),
        })
        .collect();
    assert!(told.contains(secret), "the log tells the secret");
    std::fs::write(&journal, told).expect("a journal");
    let console = Console::start(&program.command(["replay", "1", "--speed", "50"]), SIZE);
    console.wait_for("✔ deployed");
    console.keys("3");
    console.keys("w/Entering phase BUILD\r");
    console.wait_for("AWS_SECRET_ACCESS_KEY");
    let raw = String::from_utf8_lossy(&console.raw()).into_owned();
    assert!(!raw.contains("wJalr"), "the secret was drawn");
}
