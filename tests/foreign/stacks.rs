//! Deployments by CloudFormation: the whole loop, and its failures. The sandbox runs the macro with this machine's
//! Python; without one, these tests are skipped.

mod failures;
mod killed;
mod loops;
mod refusals;
mod same;

use thumbctl_test_support::Program;
use thumbctl_test_support::foreign::ForeignTest;

/// A program that deploys by CloudFormation.
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
