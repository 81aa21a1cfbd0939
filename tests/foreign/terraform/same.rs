//! Terraform creates the same resources as the SDK strategy, in all but names, the strategy's tag and AWS's own tags.

use thumbctl_test_support::descriptions::{deploy, described};
use thumbctl_test_support::shared_provider::SharedProviders;

use super::{program, terraform};

thumbctl_test_support::foreign_tests! {
    [Terraform] async: terraform_creates_the_same_as_the_sdk;
}

async fn terraform_creates_the_same_as_the_sdk() {
    let Some(terraform) = terraform() else { return };
    let mut program = program(&terraform);
    let sandbox = program.sandbox();
    let providers = SharedProviders::start(1, &terraform, &mut program, &sandbox.exports);
    let _served = providers.serving("planned");
    let clients = sandbox.clients();
    program.configure(
        "[function]\nmemory_mb = 640\ntimeout_seconds = 17\nmax_size = 99\n[logs]\nretention_days = 3\n[build]\ntimeout_minutes = 21\n",
    );
    let by_sdk = described(&clients, &deploy(&program, "direct", "sdk")).await;
    let by_terraform = described(&clients, &deploy(&program, "planned", "terraform")).await;
    assert!(by_sdk.len() > 40, "{by_sdk:#?}");
    let differs = |(what, expected): &(&String, &_)| by_terraform.get(*what) != Some(expected);
    let different: Vec<_> = by_sdk.iter().filter(differs).map(|(what, one)| (what, one, &by_terraform[what])).collect();
    assert!(different.is_empty(), "{different:#?}");
    assert_eq!(by_terraform.len(), by_sdk.len());
    for name in ["direct", "planned"] {
        // A deployment is destroyed by its own strategy, whatever the environment sets.
        program.run(["destroy", "--yes", "--name", name]).ok();
    }
}
