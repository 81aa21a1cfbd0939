//! Errors before anything starts.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use thumbctl_test_support::Program;

thumbctl_test_support::foreign_tests! {
    [] sync: without_terraform_nothing_starts_and_doctor_reports_it,
        outdated_terraform_is_reported_before_anything_starts,
        folder_without_a_provider_is_reported_before_anything_starts,
        provider_that_cannot_be_downloaded_has_a_hint,
        crash_of_terraform_is_reported_as_crash;
}

/// A program with a script in place of Terraform.
fn program(script: &str) -> Program {
    let mut program = Program::new();
    let terraform = program.file("bin/terraform", format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&terraform, std::fs::Permissions::from_mode(0o755)).expect("it is made executable");
    program.set("THUMBCTL_STRATEGY", "terraform");
    program.set("THUMBCTL_TERRAFORM_PROGRAM", terraform);
    program
}

/// Neither a journal nor a Terraform folder exists.
#[track_caller]
fn assert_nothing_started(program: &Program) {
    assert!(program.journals("thumbnails").is_empty());
    assert!(!Path::new(&program.state_dir().join("deployments/thumbnails/terraform")).exists());
}

fn without_terraform_nothing_starts_and_doctor_reports_it() {
    let mut program = Program::new();
    program.set("THUMBCTL_STRATEGY", "terraform");
    program.set("THUMBCTL_TERRAFORM_PROGRAM", "no-such-terraform");
    for command in [&["deploy"][..], &["plan"], &["demo"]] {
        let printed = program.run(command).fails_with(1);
        assert!(
            printed.contains("needs no-such-terraform, which was not found") && printed.contains("hint: "),
            "{printed}"
        );
    }
    assert_nothing_started(&program);
    let doctor = program.run(["doctor"]).ends_with(1).stdout;
    assert!(doctor.contains("no-such-terraform") && doctor.contains("1 requirement missing"), "{doctor}");
    // Other strategies do not need it.
    let doctor = program.run(["doctor", "--strategy", "sdk"]).ok().stdout;
    assert!(doctor.contains("needed for the terraform strategy only"), "{doctor}");
}

fn outdated_terraform_is_reported_before_anything_starts() {
    let program = program(r#"echo '{"terraform_version": "1.4.6"}'"#);
    let printed = program.run(["deploy"]).fails_with(1);
    assert!(printed.contains("is version 1.4.6; the terraform strategy needs 1.5 or later"), "{printed}");
    assert_nothing_started(&program);
    assert!(program.run(["doctor"]).ends_with(1).stdout.contains("1.4.6"));
}

fn folder_without_a_provider_is_reported_before_anything_starts() {
    let mut program = program(r#"echo '{"terraform_version": "1.9.0"}'"#);
    program.set("THUMBCTL_TERRAFORM_PLUGIN_DIR", program.work_dir());
    let printed = program.run(["deploy"]).fails_with(1);
    assert!(printed.contains("has no hashicorp/aws") && printed.contains("terraform providers mirror"), "{printed}");
    assert_nothing_started(&program);
}

/// Terraform's error without a network; the first step fails, before anything is created.
fn provider_that_cannot_be_downloaded_has_a_hint() {
    let program = program(
        r#"case "$1" in
version) echo '{"terraform_version": "1.9.0"}' ;;
*) echo 'Initializing provider plugins...'
   printf 'Error: Failed to query available provider packages\n\nCould not retrieve the list of available versions for provider hashicorp/aws: could not connect to registry.terraform.io\n' >&2
   exit 1 ;;
esac"#,
    );
    let printed = program.run(["deploy"]).fails_with(1);
    assert!(printed.contains("check the network"), "{printed}");
    assert!(printed.contains("terraform.plugin_dir") && printed.contains("TF_CLI_CONFIG_FILE"), "{printed}");
    let doctor = program.run(["doctor"]).ends_with(1).stdout;
    assert!(doctor.contains("terraform.plugin_dir"), "{doctor}");
    let status = program.run(["status", "--output", "json"]).ok().json();
    assert_eq!(status["resources"].as_array().map(Vec::len), Some(0), "{status}");
}

fn crash_of_terraform_is_reported_as_crash() {
    let program = program(
        r#"case "$1" in
version) echo '{"terraform_version": "1.9.0"}' ;;
init) mkdir -p .terraform; touch .terraform.lock.hcl ;;
*) echo 'panic: a bug' > crash.log; printf '!!!!!! TERRAFORM CRASH !!!!!!\npanic: a bug\n' >&2; exit 11 ;;
esac"#,
    );
    let printed = program.run(["deploy"]).fails_with(1);
    assert!(printed.contains("terraform plan crashed") && printed.contains("terraform.err"), "{printed}");
}
