//! Standard output in JSON, without colours, and as a closed pipe.

use std::process::Stdio;

use thumbctl_test_support::{Program, Running};

use super::picture;

#[test]
fn json_output_is_exclusive_on_standard_output() {
    let program = Program::new();
    let good = picture(&program);
    let sandbox = program.sandbox();
    for command in ["plan", "status", "doctor"] {
        program.run([command, "--output", "json"]).ok().json();
    }
    for command in [&["deploy"][..], &["upload", good], &["destroy", "--yes"], &["destroy", "--yes"], &["demo"]] {
        let finished = program.run([command, &["--output", "json"]].concat()).ok();
        finished.events();
    }
    let failed = program.run(["upload", good, "--output", "json"]);
    assert_eq!(failed.stdout, "", "what is wrong is reported on standard error");
    failed.fails_with(1);
    sandbox.kill();
}

#[test]
fn colours_are_off_without_terminal_or_with_no_color() {
    let mut program = Program::new();
    program.set("TERM", "xterm-256color");
    let sandbox = program.sandbox();
    program.set("NO_COLOR", "1");
    for command in
        [&["plan"][..], &["deploy"], &["status"], &["logs", "build"], &["destroy", "--yes"], &["upload", "x"]]
    {
        let reported = program.run(command);
        assert!(!reported.stdout.contains('\u{1b}') && !reported.stderr.contains('\u{1b}'), "{command:?}");
    }
    sandbox.kill();
}

#[test]
fn closed_pipe_is_no_error_for_events() {
    let program = Program::new();
    let sandbox = program.sandbox();
    program.run(["deploy"]).ok();
    for command in ["plan", "status", "logs build", "doctor"] {
        let script = format!("set -o pipefail; {} {command} | head -n 1", thumbctl_test_support::thumbctl());
        let piped = Running::start(program.around("bash", ["-c", &script])).wait().ok();
        assert_eq!((piped.stdout.lines().count(), piped.stderr.as_str()), (1, ""), "{command}");
    }
    // A closed pipe cancels the run gracefully, and the run can be resumed.
    program.run(["destroy", "--yes"]).ok();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = program.command(["deploy"]).stdout(writer).stderr(Stdio::null()).status().expect("it starts");
    assert_eq!(status.code(), Some(130));
    program.run(["deploy"]).ok();
    program.run(["destroy", "--yes"]).ok();
    sandbox.kill();
}
