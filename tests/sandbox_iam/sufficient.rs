//! The README's policy is enough for everything that thumbctl does.

use std::collections::BTreeMap;

use crate::common::shared_provider::SharedProviders;
use crate::common::tools::Terraform;
use crate::common::{Program, list_everything};
use crate::{attach, sign_as, strict, user, user_policy};

/// Terraform's provider reads more than anybody else.
#[tokio::test]
async fn the_readmes_policy_suffices_for_terraform() {
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
    // With the deployer's keys, which are in the program's environment.
    let providers = SharedProviders::start(1, &terraform, &mut program, &BTreeMap::new());
    let _served = providers.serving("thumbnails");
    program.run(["deploy", "--yes"]).ok();
    // Other settings are changed in place.
    program.set("THUMBCTL_FUNCTION_MEMORY_MB", "640");
    program.set("THUMBCTL_BUILD_TIMEOUT_MINUTES", "21");
    let changed = program.run(["deploy", "--yes"]).ok().stdout;
    assert!(changed.contains("update module.function[0].aws_lambda_function.thumbnails"), "{changed}");
    program.run(["destroy", "--yes"]).ok();
    // The first connection has waited too long for another word.
    let left = list_everything(&sandbox.clients(), "thumbnails-").await;
    assert!(left.is_empty(), "{left:#?}");
    sandbox.interrupt().ok();
}

#[tokio::test]
async fn the_readmes_policy_suffices_for_the_whole_loop() {
    let mut program = Program::new();
    let sandbox = strict(&program, &[]);
    let admin = sandbox.clients();
    let keys = user(&admin, "deployer").await;
    attach(&admin, "deployer", "thumbctl", &user_policy("thumbnails")).await;
    sign_as(&mut program, &sandbox, &keys);
    let (name, content) = thumbctl::assets::sample_images()[0];
    program.file(name, content);

    program.run(["deploy", "--yes"]).ok();
    let status = program.run(["status"]).ok().stdout;
    assert!(status.contains("15 resources: 15 there"), "{status}");
    program.run(["upload", "--yes", "--save", "thumbs", name]).ok();
    assert!(program.work_dir().join("thumbs").join(format!("thumb-{name}")).exists());
    for log in ["build", "function"] {
        assert!(!program.run(["logs", log]).ok().stdout.is_empty(), "{log}");
    }
    program.run(["destroy", "--yes"]).ok();
    program.run(["destroy", "--purge", "--yes"]).ok();

    // A demonstration's names begin with a word of their own.
    attach(&admin, "deployer", "demo", &user_policy("demo")).await;
    program.run(["demo", "--yes"]).ok();
    let left = list_everything(&admin, "").await;
    let left: Vec<_> = left.into_iter().filter(|one| one != "policy thumbctl" && one != "policy demo").collect();
    assert!(left.is_empty(), "{left:#?}");
    sandbox.interrupt().ok();
}
