//! The command line without a cloud: help, usage errors, settings, completions, manual pages.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program, in an environment with only a home directory.
fn thumbctl(home: &Path) -> Command {
    let mut command = Command::new(thumbctl_test_support::thumbctl());
    command.env_clear().env("HOME", home).current_dir(home).stdin(Stdio::null());
    command
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    thumbctl(home).args(arguments).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is text")
}

/// Checks a usage error (exit code 2, nothing on standard output, no panic) and returns its first line.
fn usage_error(output: &Output) -> String {
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    assert!(!err.contains("panicked") && !err.contains("RUST_BACKTRACE"), "{err}");
    err.lines().next().unwrap_or_default().to_owned()
}

const COMMANDS: [&str; 12] = [
    "demo",
    "plan",
    "deploy",
    "status",
    "upload",
    "logs",
    "destroy",
    "doctor",
    "sandbox",
    "export",
    "completions",
    "man",
];

#[test]
fn help_lists_commands_and_each_has_example() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let all = run(home.path(), &["--help"]);
    assert!(all.status.success());
    let bare = run(home.path(), &[]);
    assert!(bare.status.success(), "help without a command");
    for command in COMMANDS {
        assert!(text(&all.stdout).contains(command), "{command} is in the help");
        assert!(text(&bare.stdout).contains(command), "{command} is in the help without a command");
        let one = run(home.path(), &[command, "--help"]);
        assert!(one.status.success());
        assert!(text(&one.stdout).contains(&format!("thumbctl {command}")), "{command} has an example");
    }
    assert!(!text(&all.stdout).contains("--attached"), "hidden options are not shown");
}

#[test]
fn export_writes_files_and_keeps_changed_ones() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let export = || run(home.path(), &["export", "cloudformation", "a/templates"]);
    assert!(export().status.success());
    let dir = home.path().join("a/templates");
    for (name, content) in thumbctl_deploy::assets::cloudformation_files() {
        assert_eq!(std::fs::read(dir.join(name)).expect("the file exists"), *content, "{name}");
    }
    let source = std::fs::read(dir.join("function.zip")).expect("the file exists");
    assert_eq!(source, thumbctl_deploy::assets::function_zip().expect("it can be zipped"));
    assert!(export().status.success(), "a repeated export succeeds");
    std::fs::write(dir.join("app.yaml"), "mine").expect("it can be written");
    let refused = usage_error(&export());
    assert!(refused.contains("app.yaml already exists"), "{refused}");
    assert_eq!(std::fs::read(dir.join("app.yaml")).expect("the file exists"), b"mine");
}

#[test]
fn invalid_usage_exits_with_2() {
    let home = tempfile::tempdir().expect("a temporary directory");
    for arguments in [&["deplyo"][..], &["deploy", "--no-such-flag"], &["upload"], &["logs", "nothing"]] {
        usage_error(&run(home.path(), arguments));
    }
}

#[test]
fn invalid_setting_error_names_allowed_values() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let cases = [
        (
            &["plan", "--region", "Frankfurt"][..],
            "--region: region cannot be 'Frankfurt'; it must be an AWS region such as",
        ),
        (&["plan", "--name", "Under_Score"], "--name: name cannot be 'Under_Score'; it must be 1 to 40"),
        (
            &["plan", "--endpoint-url", "localhost"],
            "--endpoint-url: endpoint_url cannot be 'localhost'; it must be a URL",
        ),
        (&["plan", "--parallelism", "0"], "--parallelism: parallelism cannot be '0'; it must be a whole number from 1"),
        (&["plan", "--config", "nowhere.toml"], "cannot read the configuration file nowhere.toml: "),
        (&["plan", "--config", "."], "cannot read the configuration file .: "),
    ];
    for (arguments, expected) in cases {
        let reported = usage_error(&run(home.path(), arguments));
        assert!(reported.starts_with(&format!("error: {expected}")), "{reported}");
    }
    let output = thumbctl(home.path()).arg("plan").env("THUMBCTL_CLOUD", "moon").output().expect("the program starts");
    let reported = usage_error(&output);
    assert_eq!(
        reported,
        "error: environment variable THUMBCTL_CLOUD: cloud cannot be 'moon'; it must be sandbox or aws"
    );
}

#[test]
fn configuration_file_error_names_line_and_key() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let dir = home.path().join(".config/thumbctl");
    std::fs::create_dir_all(&dir).expect("the directory is made");
    let file = dir.join("config.toml");
    for (content, expected) in [
        (
            "[function]\nmemory_mb = 64\n",
            "line 2: function.memory_mb cannot be '64'; it must be a whole number from 128",
        ),
        ("verbose = 1\n", "line 1: unknown setting 'verbose'; known: cloud, endpoint_url"),
        ("[function]\nmemory = 512\n", "line 2: unknown setting 'function.memory'; did you mean 'function.memory_mb'?"),
        ("name = [\n", "line"),
    ] {
        std::fs::write(&file, content).expect("the file is written");
        let reported = usage_error(&run(home.path(), &["plan"]));
        assert!(reported.starts_with(&format!("error: {}, {expected}", file.display())), "{reported}");
    }
}

#[test]
fn completions_and_manual_pages_need_no_settings() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let wrong = [("THUMBCTL_CLOUD", "moon")];
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output =
            thumbctl(home.path()).args(["completions", shell]).envs(wrong).output().expect("the program starts");
        assert!(output.status.success(), "{shell}: {}", text(&output.stderr));
        assert!(text(&output.stdout).contains("thumbctl"), "{shell}");
    }
    let page = run(home.path(), &["man"]);
    assert!(text(&page.stdout).contains(".TH thumbctl 1"), "{}", text(&page.stdout));
    let written = run(home.path(), &["man", "pages"]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    for command in COMMANDS {
        let page = home.path().join(format!("pages/thumbctl-{command}.1"));
        let page = std::fs::read_to_string(&page).expect("each command has a page");
        assert!(page.contains("Example"), "{command}");
    }
}

#[test]
fn closed_pipe_is_no_error_for_help() {
    let home = tempfile::tempdir().expect("a temporary directory");
    for arguments in [&["completions", "zsh"][..], &["man"], &["--help"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = thumbctl(home.path()).args(arguments).stdout(writer).output().expect("the program starts");
        assert!(output.status.success(), "{arguments:?}: {:?}", output.status);
        assert!(output.stderr.is_empty(), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn invalid_state_directory_error_is_one_sentence() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let nowhere = run(home.path(), &["--state-dir", "/proc/nothing", "status"]);
    let reported = text(&nowhere.stderr);
    assert_eq!(nowhere.status.code(), Some(1), "{reported}");
    assert!(
        reported.starts_with("error: ") && reported.contains("/proc/nothing") && !reported.contains("panicked"),
        "{reported}"
    );
}
