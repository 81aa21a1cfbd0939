//! What stands by the other strategies works as what the SDK has made: nobody else works on it meanwhile, images of any name and
//! many at once become thumbnails, and nothing is left.

use crate::assert_nothing_left;
use crate::common::shared_provider::SharedProviders;
use crate::common::tools::{Terraform, on_path};
use crate::common::{Program, Sandbox};
use crate::images::assert_any_name_is_a_key;
use crate::load::assert_all_become_thumbnails;
use crate::together::deploy_alone;

async fn assert_it_works(program: &Program, sandbox: &Sandbox) {
    let clients = sandbox.clients();
    let names = deploy_alone(program);
    assert_all_become_thumbnails(&clients, &names).await;
    assert_any_name_is_a_key(program, &clients, &names).await;
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&clients).await;
}

#[tokio::test]
async fn what_cloudformation_has_made_works() {
    if on_path("python3").is_none() {
        println!("skipped: no python3 on the PATH");
        return;
    }
    let mut program = Program::new();
    program.set("THUMBCTL_STRATEGY", "cloudformation");
    let sandbox = program.sandbox();
    assert_it_works(&program, &sandbox).await;
}

#[tokio::test]
async fn what_terraform_has_made_works() {
    let terraform = match Terraform::find() {
        Ok(terraform) => terraform,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut program = Program::new();
    program.set("THUMBCTL_STRATEGY", "terraform");
    program.set_all(terraform.environment());
    let sandbox = program.sandbox();
    let providers = SharedProviders::start(1, &terraform, &mut program, &sandbox.exports);
    let _served = providers.serving("thumbnails");
    assert_it_works(&program, &sandbox).await;
}
