//! The end of the console, by user, signal or panic, and the next start.

use rustix::process::Signal;

use thumbctl_test_support::console::{CTRL_C, CTRL_Z, ENTER, ESC, deploy, open, open_empty};
use thumbctl_test_support::{Program, wait_for};

/// Asserts that the terminal is restored: screen, cursor, paste mode, mouse.
fn assert_terminal_restored(console: &thumbctl_test_support::console::Console) {
    for (sequence, what) in [
        ("\x1b[?1049l", "the main screen"),
        ("\x1b[?25h", "the cursor"),
        ("\x1b[?2004l", "pastes"),
        ("\x1b[?1000l", "the mouse"),
    ] {
        // The program can be stopped before all its output is read.
        wait_for(what, || {
            let raw = String::from_utf8_lossy(&console.raw()).into_owned();
            let given_back = raw.rfind(sequence);
            let taken = raw.rfind(&sequence.replace('l', "h")).filter(|_| sequence.ends_with('l'));
            (given_back.is_some() && given_back > taken).then_some(())
        });
    }
    assert!(console.terminal_is_restored(), "the terminal's modes are not as they were");
}

/// Asserts that the console responds to a key, and restores the terminal when it quits.
fn assert_responds_and_quits(console: &mut thumbctl_test_support::console::Console) {
    console.keys("?");
    console.wait_for("Available keys");
    console.keys(ESC);
    console.wait_until_gone("Available keys");
    console.keys("q");
    assert!(console.wait_end().success());
    assert_terminal_restored(console);
}

/// Waits until the process is stopped, as by Ctrl-Z.
#[cfg(target_os = "linux")]
fn wait_stopped(console: &thumbctl_test_support::console::Console) {
    let stat = format!("/proc/{}/stat", console.pid().as_raw_nonzero());
    wait_for("the program to be stopped", || {
        let stat = std::fs::read_to_string(&stat).ok()?;
        stat.rsplit(") ").next()?.starts_with('T').then_some(())
    });
}

#[test]
fn quit_restores_terminal() {
    let program = Program::new();
    let mut console = open_empty(&program);
    console.keys("q");
    assert!(console.wait_end().success());
    assert_terminal_restored(&console);
}

#[test]
fn signal_ends_console_and_restores_terminal() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let program = Program::new();
        let mut console = open_empty(&program);
        console.signal(signal);
        assert_eq!(console.wait_end().exit_code(), 130);
        assert_terminal_restored(&console);
    }
}

#[test]
#[cfg(debug_assertions)]
fn panic_restores_terminal_and_is_reported() {
    let mut program = Program::new();
    program.set("THUMBCTL_TEST_PANIC_AT_KEY", "Z");
    let mut console = open_empty(&program);
    console.keys("Z");
    assert!(!console.wait_end().success());
    assert_terminal_restored(&console);
    let raw = String::from_utf8_lossy(&console.raw()).into_owned();
    let after = raw.rsplit("\x1b[?1049l").next().unwrap_or_default();
    assert!(after.contains("thumbctl has a bug: a test asked for this panic"), "{after}");
}

#[test]
#[cfg(target_os = "linux")]
fn suspend_restores_terminal_and_continue_redraws() {
    let program = Program::new();
    let mut console = open_empty(&program);
    console.keys(CTRL_Z);
    wait_stopped(&console);
    assert_terminal_restored(&console);
    console.signal(Signal::CONT);
    console.wait_for("nothing deployed");
    assert_responds_and_quits(&mut console);
}

#[test]
#[cfg(target_os = "linux")]
fn external_stop_restores_terminal() {
    let program = Program::new();
    let console = open_empty(&program);
    console.keys("?");
    console.wait_for("Available keys");
    console.signal(Signal::TSTP);
    wait_stopped(&console);
    assert_terminal_restored(&console);
    console.signal(Signal::CONT);
    console.wait_for("Available keys");
}

#[test]
fn suspend_under_wrapper_returns_to_shell() {
    let program = Program::new();
    // The shell waits for the wrapper, and only notices that the wrapper stopped.
    let script = r#"sh -c '"$0"; exit $?' "$0"; echo the shell is back; read -r; fg >/dev/null"#;
    let command = program.around("bash", ["-m", "-c", script, thumbctl_test_support::thumbctl()]);
    let mut console = thumbctl_test_support::console::Console::start(&command, thumbctl_test_support::console::SIZE);
    console.wait_for("nothing deployed");
    console.wait_for("account 0");
    console.keys(CTRL_Z);
    console.wait_for("the shell is back");
    console.keys(ENTER);
    console.wait_for("nothing deployed");
    assert_responds_and_quits(&mut console);
}

#[test]
fn killed_run_is_resumed_by_next_start() {
    let program = Program::new();
    let mut console = open_empty(&program);
    console.keys(ENTER);
    console.wait_for("paused");
    console.signal(Signal::KILL);
    console.wait_end();
    drop(console);
    let console = open(&program);
    console.wait_for("interrupted");
    console.wait_for("1/15 ready");
    console.wait_for("account 0");
    deploy(&console);
}

#[test]
fn quit_during_run_offers_options_and_run_is_resumed() {
    let program = Program::new();
    let mut console = open_empty(&program);
    console.keys(ENTER);
    console.wait_for("paused");
    console.keys("q");
    console.wait_for("leave");
    console.keys(ESC);
    console.wait_until_gone("leave");
    console.keys(CTRL_C);
    console.wait_for("Cancel the run?");
    console.keys("n");
    console.keys("ql");
    assert!(console.wait_end().success());
    assert_terminal_restored(&console);
    drop(console);
    let mut console = open(&program);
    console.wait_for("interrupted");
    console.wait_for("account 0");
    console.keys("a");
    // A run in preparation has no quit dialog.
    console.wait_for("deploying");
    console.keys("qw");
    assert!(console.wait_end().success(), "it waits for the end, then quits");
    drop(console);
    let console = open(&program);
    console.wait_for("✔ deployed");
}

#[test]
fn run_of_other_process_is_shown_read_only() {
    let program = Program::new();
    let sandbox =
        program.sandbox_with_faults(r#"[{"service": "lambda", "operation": "CreateFunction", "kind": "hang"}]"#);
    let console = open_empty(&program);
    let mut other = program.start(["deploy", "--yes", "--output", "json"]);
    other.wait_for_event(
        "the function to be created",
        |kind| matches!(kind, thumbctl_core::event::EventKind::StepStarted { step } if step.as_str() == "function"),
    );
    console.wait_for("read-only");
    console.wait_for("deploying");
    console.wait_for("creating");
    console.keys("aD");
    console.keys("3");
    console.wait_for("Phase complete");
    assert!(!console.text().contains("Destroy deployment?"));
    other.kill();
    console.wait_for("interrupted");
    drop(console);
    sandbox.interrupt();
}

#[test]
fn console_without_terminal_prints_help() {
    let program = Program::new();
    let help = program.run([] as [&str; 0]).ok();
    assert!(help.stdout.contains("Usage:"), "{}", help.stdout);
    let refused = program.run(["replay", "last"]).fails_with(2);
    assert!(refused.contains("terminal"), "{refused}");
}
