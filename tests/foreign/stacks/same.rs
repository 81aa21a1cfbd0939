//! All strategies create the same resources, in every property but names, the strategy's tag and CloudFormation's own.

use thumbctl_test_support::Program;
use thumbctl_test_support::descriptions::{deploy, described};

thumbctl_test_support::foreign_tests! {
    [Python3] async: both_strategies_create_the_same_resources;
}

async fn both_strategies_create_the_same_resources() {
    let program = Program::new();
    let sandbox = program.sandbox();
    let clients = sandbox.clients();
    program.configure(
        "[function]\nmemory_mb = 640\ntimeout_seconds = 17\nmax_size = 99\n[logs]\nretention_days = 3\n[build]\ntimeout_minutes = 21\n",
    );
    let by_sdk = described(&clients, &deploy(&program, "direct", "sdk")).await;
    let by_stacks = described(&clients, &deploy(&program, "stacked", "cloudformation")).await;
    assert!(by_sdk.len() > 40, "{by_sdk:#?}");
    for (what, expected) in &by_sdk {
        assert_eq!(by_stacks.get(what), Some(expected), "{what}");
    }
    assert_eq!(by_stacks.len(), by_sdk.len());
    for name in ["direct", "stacked"] {
        program.run(["destroy", "--yes", "--name", name]).ok();
    }
}
