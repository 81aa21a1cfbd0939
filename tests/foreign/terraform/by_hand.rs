//! The exported configuration, by hand.

use std::path::Path;

use thumbctl_test_support::shared_provider::{REATTACH, SharedProviders};
use thumbctl_test_support::{Finished, Program, Running, list_everything};

use super::workspace::PATIENCE;
use super::{program, terraform};

thumbctl_test_support::foreign_tests! {
    [] async: a_build_that_fails_fails_whoever_waits_for_it_at_once;
    [Terraform] async: the_exported_configuration_goes_up_in_halves_and_comes_down;
}

/// Runs terraform in a folder.
fn run(program: &Program, terraform: &Path, folder: &Path, arguments: &[&str]) -> Finished {
    let mut command = program.around(terraform.to_str().expect("a path"), arguments);
    command.current_dir(folder).env("TF_CLI_ARGS", "-no-color");
    Running::start(command).wait_for_long(PATIENCE)
}

async fn the_exported_configuration_goes_up_in_halves_and_comes_down() {
    let Some(terraform) = terraform() else { return };
    let mut program = program(&terraform);
    let sandbox = program.sandbox();
    program.run(["export", "terraform", "configuration"]).ok();
    let folder = program.work_dir().join("configuration");
    let refused = program.run(["export", "terraform", "configuration"]).ok().stdout;
    assert!(refused.contains("README.md"), "the same once more is no harm");
    std::fs::write(folder.join("function/lambda.tf"), "# mine").expect("a file");
    program.run(["export", "terraform", "configuration"]).fails_with(2);
    std::fs::remove_file(folder.join("function/lambda.tf")).expect("it was there");
    program.run(["export", "terraform", "configuration"]).ok();

    // What the README says, for the sandbox; thumbctl is on the PATH of whoever follows it.
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
    // From here on a provider serves them all that was started once: that terraform can launch one is shown by `init` and by the
    // deployments of `loops`.
    let providers = SharedProviders::start(1, &terraform, &mut program, &sandbox.exports);
    let served = providers.serving("configuration");
    program.set(REATTACH, served.reattach());
    let run = |arguments: &[&str]| run(&program, &terraform.program, &folder, arguments);
    run(&["validate"]).ok();
    run(&["fmt", "-check", "-recursive"]).ok();

    let half = run(&["apply", "-auto-approve", "-var=stage=build"]).ok().stdout;
    assert!(half.contains("Apply complete! Resources: 11 added, 0 changed, 0 destroyed."), "{half}");
    assert!(half.contains("(local-exec): BUILD SUCCEEDED"), "the build tells how far it is: {half}");
    let rest = run(&["apply", "-auto-approve"]).ok().stdout;
    assert!(rest.contains("Apply complete! Resources: 13 added, 0 changed, 0 destroyed."), "{rest}");
    run(&["plan", "-detailed-exitcode"]).ok();
    let bucket = run(&["output", "-raw", "source_bucket"]).ok().stdout;
    assert_eq!(bucket, "thumbs-0a1b2c3d-source");

    let clients = sandbox.clients_in("eu-central-1");
    let builds = clients.codebuild.list_builds_for_project().project_name("thumbs-0a1b2c3d-build").send().await;
    let builds = builds.expect("the project is there").ids.unwrap_or_default();
    clients.codebuild.batch_delete_builds().set_ids(Some(builds)).send().await.expect("they can be deleted");
    run(&["destroy", "-auto-approve", "-var=stage=build"]).ok();
    assert_eq!(list_everything(&clients, "").await, Vec::<String>::new());
}

async fn a_build_that_fails_fails_whoever_waits_for_it_at_once() {
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
    let said = Running::start(command).wait().fails_with(1);
    assert!(said.contains("the build failed in phase PRE_BUILD") && said.contains("hint: "), "{said}");
    program.run(["build-image"]).fails_with(2);
    let help = program.run(["--help"]).ok().stdout;
    assert!(!help.contains("build-image"), "it is for configurations, not for people: {help}");
    program.run(["destroy", "--yes"]).ok();
}
