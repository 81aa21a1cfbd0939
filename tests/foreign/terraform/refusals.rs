//! What is found out before anything starts.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use thumbctl_test_support::Program;

thumbctl_test_support::foreign_tests! {
    [] sync: without_terraform_nothing_starts_and_the_doctor_says_so,
        a_terraform_that_is_too_old_is_told_before_anything_starts,
        a_folder_without_a_provider_is_told_before_anything_starts,
        a_provider_that_cannot_be_fetched_is_told_with_what_to_do,
        a_crash_is_told_as_one;
}

/// Somebody who deploys by a Terraform that is none.
fn program(script: &str) -> Program {
    let mut program = Program::new();
    let terraform = program.file("bin/terraform", format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&terraform, std::fs::Permissions::from_mode(0o755)).expect("it can be made a program");
    program.set("THUMBCTL_STRATEGY", "terraform");
    program.set("THUMBCTL_TERRAFORM_PROGRAM", terraform);
    program
}

/// Neither a journal nor a folder of Terraform's is begun.
#[track_caller]
fn assert_nothing_begun(program: &Program) {
    assert!(program.journals("thumbnails").is_empty());
    assert!(!Path::new(&program.state_dir().join("deployments/thumbnails/terraform")).exists());
}

fn without_terraform_nothing_starts_and_the_doctor_says_so() {
    let mut program = Program::new();
    program.set("THUMBCTL_STRATEGY", "terraform");
    program.set("THUMBCTL_TERRAFORM_PROGRAM", "no-such-terraform");
    for command in [&["deploy"][..], &["plan"], &["demo"]] {
        let said = program.run(command).fails_with(1);
        assert!(said.contains("needs no-such-terraform, and there is none here") && said.contains("hint: "), "{said}");
    }
    assert_nothing_begun(&program);
    let doctor = program.run(["doctor"]).ends_with(1).stdout;
    assert!(doctor.contains("no-such-terraform") && doctor.contains("1 requirement missing"), "{doctor}");
    // Whoever does not ask for it does not need it.
    let doctor = program.run(["doctor", "--strategy", "sdk"]).ok().stdout;
    assert!(doctor.contains("only the terraform strategy needs it"), "{doctor}");
}

fn a_terraform_that_is_too_old_is_told_before_anything_starts() {
    let program = program(r#"echo '{"terraform_version": "1.4.6"}'"#);
    let said = program.run(["deploy"]).fails_with(1);
    assert!(said.contains("is version 1.4.6, and the terraform strategy needs 1.5 or later"), "{said}");
    assert_nothing_begun(&program);
    assert!(program.run(["doctor"]).ends_with(1).stdout.contains("1.4.6"));
}

fn a_folder_without_a_provider_is_told_before_anything_starts() {
    let mut program = program(r#"echo '{"terraform_version": "1.9.0"}'"#);
    program.set("THUMBCTL_TERRAFORM_PLUGIN_DIR", program.work_dir());
    let said = program.run(["deploy"]).fails_with(1);
    assert!(said.contains("there is no hashicorp/aws in it") && said.contains("terraform providers mirror"), "{said}");
    assert_nothing_begun(&program);
}

/// What Terraform says when there is no network; the first step finds it out, before anything is made.
fn a_provider_that_cannot_be_fetched_is_told_with_what_to_do() {
    let program = program(
        r#"case "$1" in
version) echo '{"terraform_version": "1.9.0"}' ;;
*) echo 'Initializing provider plugins...'
   printf 'Error: Failed to query available provider packages\n\nCould not retrieve the list of available versions for provider hashicorp/aws: could not connect to registry.terraform.io\n' >&2
   exit 1 ;;
esac"#,
    );
    let said = program.run(["deploy"]).fails_with(1);
    assert!(said.contains("Is this machine online?") || said.contains("is this machine online?"), "{said}");
    assert!(said.contains("terraform.plugin_dir") && said.contains("TF_CLI_CONFIG_FILE"), "{said}");
    let doctor = program.run(["doctor"]).ends_with(1).stdout;
    assert!(doctor.contains("terraform.plugin_dir"), "{doctor}");
    let standing = program.run(["status", "--output", "json"]).ok().json();
    assert_eq!(standing["resources"].as_array().map(Vec::len), Some(0), "{standing}");
}

fn a_crash_is_told_as_one() {
    let program = program(
        r#"case "$1" in
version) echo '{"terraform_version": "1.9.0"}' ;;
init) mkdir -p .terraform; touch .terraform.lock.hcl ;;
*) echo 'panic: a bug' > crash.log; printf '!!!!!! TERRAFORM CRASH !!!!!!\npanic: a bug\n' >&2; exit 11 ;;
esac"#,
    );
    let said = program.run(["deploy"]).fails_with(1);
    assert!(said.contains("terraform plan crashed") && said.contains("terraform.err"), "{said}");
}
