//! Deployments by CloudFormation: the whole loop, and whatever may happen to it. The sandbox runs the macro by this machine's
//! Python; where there is none, these tests say so and are skipped.

mod failures;
mod killed;
mod loops;
mod refusals;
mod same;

use thumbctl_test_support::Program;
use thumbctl_test_support::foreign::ForeignTest;

/// Somebody who deploys by CloudFormation.
fn program() -> Program {
    let mut program = Program::new();
    program.set("THUMBCTL_STRATEGY", "cloudformation");
    program
}

pub(crate) fn tests() -> Vec<ForeignTest> {
    [failures::tests(), killed::tests(), loops::tests(), refusals::tests(), same::tests()]
        .into_iter()
        .flatten()
        .collect()
}
