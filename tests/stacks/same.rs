//! Whichever way is taken, what stands is the same, in every property but names, the strategy's tag and CloudFormation's own.

use crate::common::Program;
use crate::described::{deploy, described};
use crate::has_python;

#[tokio::test]
async fn both_strategies_make_the_same() {
    if !has_python() {
        return;
    }
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
