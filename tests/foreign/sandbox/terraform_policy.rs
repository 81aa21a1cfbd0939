//! The README's policy is sufficient for everything that thumbctl does.

use std::collections::BTreeMap;

use thumbctl_test_support::policies::{attach, sign_as, strict, user, user_policy};
use thumbctl_test_support::shared_provider::SharedProviders;
use thumbctl_test_support::tools::Terraform;
use thumbctl_test_support::{Program, list_everything};

thumbctl_test_support::foreign_tests! {
    [Terraform] async: readmes_policy_suffices_for_terraform;
}

/// Terraform's provider reads more than any other client.
async fn readmes_policy_suffices_for_terraform() {
    let terraform = match Terraform::find() {
        Ok(terraform) => terraform,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut program = Program::new();
    let sandbox = strict(&program, &[]);
    let admin = sandbox.clients();
    let keys = user(&admin, "deployer").await;
    attach(&admin, "deployer", "thumbctl", &user_policy("thumbnails")).await;
    sign_as(&mut program, &sandbox, &keys);
    program.set("THUMBCTL_STRATEGY", "terraform");
    program.set_all(terraform.environment());
    // With the deployer's keys, from the program's environment.
    let providers = SharedProviders::start(1, &terraform, &mut program, &BTreeMap::new());
    let _served = providers.serving("thumbnails");
    program.run(["deploy", "--yes"]).ok();
    // Changed settings are updated in place.
    program.set("THUMBCTL_FUNCTION_MEMORY_MB", "640");
    program.set("THUMBCTL_BUILD_TIMEOUT_MINUTES", "21");
    let changed = program.run(["deploy", "--yes"]).ok().stdout;
    assert!(changed.contains("update module.function[0].aws_lambda_function.thumbnails"), "{changed}");
    program.run(["destroy", "--yes"]).ok();
    // The first connection has been idle for too long.
    let left = list_everything(&sandbox.clients(), "thumbnails-").await;
    assert!(left.is_empty(), "{left:#?}");
    sandbox.interrupt().ok();
}
