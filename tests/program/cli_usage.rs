//! The command line where no cloud is needed: help, usage errors, settings, completions, manual pages.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program, in an environment with nothing but a home of its own.
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

/// What is said of a wrong call: exit code 2, nothing on standard output, no panic; the first line is returned.
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
fn help_shows_every_command_and_every_command_has_an_example() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let all = run(home.path(), &["--help"]);
    assert!(all.status.success());
    let bare = run(home.path(), &[]);
    assert!(bare.status.success(), "without a command there is help");
    for command in COMMANDS {
        assert!(text(&all.stdout).contains(command), "{command} is in the help");
        assert!(text(&bare.stdout).contains(command), "{command} is in the help without a command");
        let one = run(home.path(), &[command, "--help"]);
        assert!(one.status.success());
        assert!(text(&one.stdout).contains(&format!("thumbctl {command}")), "{command} has an example");
    }
    assert!(!text(&all.stdout).contains("--attached"), "what is not for users is not shown");
}

#[test]
fn a_strategys_files_are_exported_and_what_is_there_is_left_alone() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let export = || run(home.path(), &["export", "cloudformation", "a/templates"]);
    assert!(export().status.success());
    let folder = home.path().join("a/templates");
    for (name, content) in thumbctl_deploy::assets::cloudformation_files() {
        assert_eq!(std::fs::read(folder.join(name)).expect("it is there"), *content, "{name}");
    }
    let source = std::fs::read(folder.join("function.zip")).expect("it is there");
    assert_eq!(source, thumbctl_deploy::assets::function_zip().expect("it can be zipped"));
    assert!(export().status.success(), "the same again changes nothing");
    std::fs::write(folder.join("app.yaml"), "mine").expect("it can be written");
    let refused = usage_error(&export());
    assert!(refused.contains("app.yaml is there already"), "{refused}");
    assert_eq!(std::fs::read(folder.join("app.yaml")).expect("it is there"), b"mine");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let home = tempfile::tempdir().expect("a temporary directory");
    for arguments in [&["deplyo"][..], &["deploy", "--no-such-flag"], &["upload"], &["logs", "nothing"]] {
        usage_error(&run(home.path(), arguments));
    }
}

#[test]
fn wrong_settings_are_one_sentence_that_says_what_is_allowed() {
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
        let said = usage_error(&run(home.path(), arguments));
        assert!(said.starts_with(&format!("error: {expected}")), "{said}");
    }
    let output = thumbctl(home.path()).arg("plan").env("THUMBCTL_CLOUD", "moon").output().expect("the program starts");
    let said = usage_error(&output);
    assert_eq!(said, "error: environment variable THUMBCTL_CLOUD: cloud cannot be 'moon'; it must be sandbox or aws");
}

#[test]
fn a_wrong_configuration_file_is_named_with_line_and_key() {
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
        let said = usage_error(&run(home.path(), &["plan"]));
        assert!(said.starts_with(&format!("error: {}, {expected}", file.display())), "{said}");
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
fn a_reader_that_goes_away_is_no_error() {
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
fn a_state_directory_that_cannot_be_is_one_sentence() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let nowhere = run(home.path(), &["--state-dir", "/proc/nothing", "status"]);
    let said = text(&nowhere.stderr);
    assert_eq!(nowhere.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: ") && said.contains("/proc/nothing") && !said.contains("panicked"), "{said}");
}
