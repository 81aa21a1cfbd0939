//! The other strategies in the console: what is agreed to is on the card, what they say is a panel of its own.

use thumbctl_test_support::console::{Console, ENTER, open_empty};
use thumbctl_test_support::shared_provider::SharedProviders;
use thumbctl_test_support::tools::Terraform;
use thumbctl_test_support::{Program, list_everything};

thumbctl_test_support::foreign_tests! {
    [Python3] async: a_change_set_is_shown_before_its_stack_is_made;
    [Terraform] async: terraforms_plan_is_shown_before_it_is_applied;
}

/// Destroys what stands, and ends the console; nothing is left then.
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

async fn a_change_set_is_shown_before_its_stack_is_made() {
    let mut program = Program::new();
    program.set("THUMBCTL_STRATEGY", "cloudformation");
    let console = open_empty(&program);
    // The first step makes the change set; the second, which executes it, is held and says what it would do.
    console.keys(ENTER);
    let card = console.wait_for("MacroFunction");
    assert!(card.contains("waiting for you"), "{card}");
    assert!(card.contains("0/22 ready"), "nothing is made yet: {card}");
    console.keys("a");
    console.wait_for("✔ deployed");
    console.keys("7");
    console.wait_for("SourceBucket      CREATE_COMPLETE");
    destroy(console, &program).await;
}

async fn terraforms_plan_is_shown_before_it_is_applied() {
    let terraform = match Terraform::find() {
        Ok(terraform) => terraform,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut program = Program::new();
    program.set("THUMBCTL_STRATEGY", "terraform");
    program.set_all(terraform.environment());
    // The provider is told which sandbox it works in, so that is started first.
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
    // Initialise, then plan: what nobody may hold goes on by itself.
    console.keys(ENTER);
    console.wait_for("Start the provider, to plan");
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
