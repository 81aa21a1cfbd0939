//! The exported configuration, applied without thumbctl.

use std::path::Path;

use thumbctl_test_support::shared_provider::{REATTACH, SharedProviders};
use thumbctl_test_support::{Finished, Program, Running, list_everything};

use super::workspace::TIMEOUT;
use super::{program, terraform};

thumbctl_test_support::foreign_tests! {
    [] async: failed_build_fails_its_waiting_caller_at_once;
    [Terraform] async: exported_configuration_is_applied_in_halves_and_destroyed;
}

/// Runs terraform in a folder.
fn run(program: &Program, terraform: &Path, folder: &Path, arguments: &[&str]) -> Finished {
    let mut command = program.around(terraform.to_str().expect("a path"), arguments);
    command.current_dir(folder).env("TF_CLI_ARGS", "-no-color");
    Running::start(command).wait_at_most(TIMEOUT)
}

async fn exported_configuration_is_applied_in_halves_and_destroyed() {
    let Some(terraform) = terraform() else { return };
    let mut program = program(&terraform);
    let sandbox = program.sandbox();
    program.run(["export", "terraform", "configuration"]).ok();
    let folder = program.work_dir().join("configuration");
    let refused = program.run(["export", "terraform", "configuration"]).ok().stdout;
    assert!(refused.contains("README.md"), "a repeated export is accepted");
    std::fs::write(folder.join("function/lambda.tf"), "# mine").expect("a file");
    program.run(["export", "terraform", "configuration"]).fails_with(2);
    std::fs::remove_file(folder.join("function/lambda.tf")).expect("the file existed");
    program.run(["export", "terraform", "configuration"]).ok();

    // The README's commands, for the sandbox; thumbctl is on the PATH.
    for (name, value) in [
        ("AWS_ENDPOINT_URL", sandbox.url.as_str()),
        ("AWS_ACCESS_KEY_ID", &sandbox.access_key),
        ("AWS_SECRET_ACCESS_KEY", &sandbox.secret_key),
        ("TF_VAR_endpoint_url", &sandbox.url),
        ("TF_VAR_region", "eu-central-1"),
        ("TF_VAR_suffix", "0a1b2c3d"),
        ("TF_VAR_builder", thumbctl_test_support::thumbctl()),
        ("CHECKPOINT_DISABLE", "1"),
        ("TF_INPUT", "0"),
    ] {
        program.set(name, value);
    }
    let plugins = format!("-plugin-dir={}", terraform.plugins.display());
    run(&program, &terraform.program, &folder, &["init", &plugins]).ok();
    // From here on one shared provider is used: launching one is covered by `init` and by the
    // deployments of `loops`.
    let providers = SharedProviders::start(1, &terraform, &mut program, &sandbox.exports);
    let served = providers.serving("configuration");
    program.set(REATTACH, served.reattach());
    let run = |arguments: &[&str]| run(&program, &terraform.program, &folder, arguments);
    run(&["validate"]).ok();
    run(&["fmt", "-check", "-recursive"]).ok();

    let half = run(&["apply", "-auto-approve", "-var=stage=build"]).ok().stdout;
    assert!(half.contains("Apply complete! Resources: 11 added, 0 changed, 0 destroyed."), "{half}");
    assert!(half.contains("(local-exec): BUILD SUCCEEDED"), "no build progress: {half}");
    let rest = run(&["apply", "-auto-approve"]).ok().stdout;
    assert!(rest.contains("Apply complete! Resources: 13 added, 0 changed, 0 destroyed."), "{rest}");
    run(&["plan", "-detailed-exitcode"]).ok();
    let bucket = run(&["output", "-raw", "source_bucket"]).ok().stdout;
    assert_eq!(bucket, "thumbs-0a1b2c3d-source");

    let clients = sandbox.clients_in("eu-central-1");
    let builds = clients.codebuild.list_builds_for_project().project_name("thumbs-0a1b2c3d-build").send().await;
    let builds = builds.expect("the project exists").ids.unwrap_or_default();
    clients.codebuild.batch_delete_builds().set_ids(Some(builds)).send().await.expect("the builds are deleted");
    run(&["destroy", "-auto-approve", "-var=stage=build"]).ok();
    assert_eq!(list_everything(&clients, "").await, Vec::<String>::new());
}

async fn failed_build_fails_its_waiting_caller_at_once() {
    let program = Program::new();
    let sandbox = program.sandbox_with_faults(
        r#"[{"service":"ecr","operation":"GetAuthorizationToken","kind":"error","status":400,"code":"AccessDeniedException"}]"#,
    );
    program.run(["deploy", "--strategy", "sdk"]).fails_with(1);
    let clients = sandbox.clients();
    let project = clients.codebuild.list_projects().send().await.expect("projects").projects.unwrap_or_default();
    let mut command = program.command(["build-image", &project[0]]);
    for (name, value) in [
        ("AWS_ENDPOINT_URL", sandbox.url.as_str()),
        ("AWS_ACCESS_KEY_ID", &sandbox.access_key),
        ("AWS_SECRET_ACCESS_KEY", &sandbox.secret_key),
        ("AWS_REGION", "us-east-1"),
    ] {
        command.env(name, value);
    }
    let printed = Running::start(command).wait().fails_with(1);
    assert!(printed.contains("the build failed in phase PRE_BUILD") && printed.contains("hint: "), "{printed}");
    program.run(["build-image"]).fails_with(2);
    let help = program.run(["--help"]).ok().stdout;
    assert!(!help.contains("build-image"), "the command is hidden: {help}");
    program.run(["destroy", "--yes"]).ok();
}
