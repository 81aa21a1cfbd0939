//! `--log-file`: what a bug report needs, and no credentials.

use std::os::unix::fs::PermissionsExt;

use thumbctl_test_support::Program;

#[test]
fn log_file_names_calls_and_contains_no_credentials() {
    let program = Program::new();
    let sandbox = program.sandbox();
    let log = program.work_dir().join("thumbctl.log");
    let run = |arguments: &[&str]| {
        let mut all = arguments.to_vec();
        all.extend(["--log-file", log.to_str().expect("a path of text")]);
        program.run(&all)
    };
    run(&["deploy"]).ok();
    run(&["upload", "missing.jpg"]).fails_with(1);
    let text = std::fs::read_to_string(&log).expect("a log file");
    for part in ["started version=", "joined the sandbox", "CodeBuild_20161006.StartBuild", "status=200", "missing.jpg"]
    {
        assert!(text.contains(part), "'{part}' is missing in {text}");
    }
    for secret in [&sandbox.secret_key, &sandbox.access_key] {
        assert!(!text.contains(secret.as_str()), "a credential in {text}");
    }
    assert!(!text.contains("Signature="), "a signature in {text}");
    let mode = std::fs::metadata(&log).expect("a log file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    program.run(["destroy", "--yes"]).ok();
    sandbox.interrupt().ok();
}

#[test]
fn log_file_level_follows_the_environment() {
    let mut program = Program::new();
    program.set("THUMBCTL_LOG", "error");
    program.run(["plan", "--log-file", "quiet.log"]).ok();
    assert_eq!(std::fs::read_to_string(program.work_dir().join("quiet.log")).expect("a log file"), "");
    program.set("THUMBCTL_LOG", "loud");
    let error = program.run(["plan", "--log-file", "loud.log"]).fails_with(2);
    assert!(error.contains("THUMBCTL_LOG is 'loud'"), "{error}");
}

#[test]
fn log_file_that_cannot_be_written_is_an_error() {
    let program = Program::new();
    let error = program.run(["plan", "--log-file", "missing/thumbctl.log"]).fails_with(2);
    assert!(error.contains("cannot write the log file missing/thumbctl.log"), "{error}");
}
