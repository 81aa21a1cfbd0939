//! The other strategies in the console: the card shows what is confirmed, and the tool's output has a panel of its own.

use thumbctl_test_support::console::{Console, ENTER, open_empty};
use thumbctl_test_support::shared_provider::SharedProviders;
use thumbctl_test_support::tools::Terraform;
use thumbctl_test_support::{Program, list_everything};

thumbctl_test_support::foreign_tests! {
    [Python3] async: change_set_is_shown_before_its_stack_is_created;
    [Terraform] async: terraform_plan_is_shown_before_it_is_applied;
}

/// Destroys the deployment, and closes the console; nothing is left then.
async fn destroy(mut console: Console, program: &Program) {
    console.keys("D");
    console.wait_for("Destroy deployment?");
    console.keys(ENTER);
    console.keys("y");
    console.wait_for("No resources remain.");
    console.keys("q");
    assert!(console.wait_end().success());
    drop(console);
    assert_eq!(list_everything(&program.join().await.clients, "thumbnails").await, Vec::<String>::new());
}

async fn change_set_is_shown_before_its_stack_is_created() {
    let mut program = Program::new();
    program.set("THUMBCTL_STRATEGY", "cloudformation");
    let console = open_empty(&program);
    // The first step creates the change set; the second, which executes it, is held and shows the changes.
    console.keys(ENTER);
    let card = console.wait_for("MacroFunction");
    assert!(card.contains("paused"), "{card}");
    assert!(card.contains("0/22 ready"), "nothing is created yet: {card}");
    console.keys("a");
    console.wait_for("✔ deployed");
    console.keys("7");
    console.wait_for("SourceBucket      CREATE_COMPLETE");
    destroy(console, &program).await;
}

async fn terraform_plan_is_shown_before_it_is_applied() {
    let terraform = match Terraform::find() {
        Ok(terraform) => terraform,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut program = Program::new();
    program.set("THUMBCTL_STRATEGY", "terraform");
    program.set_all(terraform.environment());
    // The provider needs the sandbox's address, so the sandbox is started first.
    let joined = program.join().await;
    let endpoint = joined.lease.endpoint();
    let sandbox = [
        ("AWS_ENDPOINT_URL", &endpoint.url),
        ("AWS_ACCESS_KEY_ID", &endpoint.access_key),
        ("AWS_SECRET_ACCESS_KEY", &endpoint.secret_key),
    ];
    let sandbox = sandbox.map(|(name, value)| (name.to_owned(), value.clone())).into();
    let providers = SharedProviders::start(1, &terraform, &mut program, &sandbox);
    let _served = providers.serving("thumbnails");
    let console = open_empty(&program);
    // Init, then plan: steps without a gate run by themselves.
    console.keys(ENTER);
    console.wait_for("Start the provider for the plan");
    console.keys(ENTER);
    let card = console.wait_for("aws_ecr_repository.function");
    assert!(card.contains("create "), "{card}");
    console.keys("a");
    console.wait_for("15/15 ready");
    console.wait_for("✔ deployed");
    console.keys("8");
    console.wait_for("Apply complete!");
    destroy(console, &program).await;
}
