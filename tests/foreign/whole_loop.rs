//! Deployments of the other strategies work like the SDK's: test uploads of images of any name, several at once,
//! create thumbnails, and nothing is left.

use thumbctl_test_support::shared_provider::SharedProviders;
use thumbctl_test_support::tools::Terraform;
use thumbctl_test_support::whole_loop::{
    assert_all_become_thumbnails, assert_any_name_is_a_key, assert_nothing_left, deploy_without_others,
};
use thumbctl_test_support::{Program, Sandbox};

thumbctl_test_support::foreign_tests! {
    [Python3] async: cloudformation_deployment_works;
    [Terraform] async: terraform_deployment_works;
}

async fn assert_it_works(program: &Program, sandbox: &Sandbox) {
    let clients = sandbox.clients();
    let names = deploy_without_others(program);
    assert_all_become_thumbnails(&clients, &names).await;
    assert_any_name_is_a_key(program, &clients, &names).await;
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&clients).await;
}

async fn cloudformation_deployment_works() {
    let mut program = Program::new();
    program.set("THUMBCTL_STRATEGY", "cloudformation");
    let sandbox = program.sandbox();
    assert_it_works(&program, &sandbox).await;
}

async fn terraform_deployment_works() {
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
