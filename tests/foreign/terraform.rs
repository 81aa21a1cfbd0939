//! Terraform: deployments by it, our configuration by hand, and other configurations on
//! the sandbox. Without terraform or its AWS provider, these tests are skipped.

mod by_hand;
mod failures;
mod interrupted;
mod loops;
mod refusals;
mod same;
mod sandbox;
mod workspace;

use serde_json::Value;
use thumbctl_core::event::StrategyKind;
use thumbctl_test_support::Program;
use thumbctl_test_support::foreign::ForeignTest;
use thumbctl_test_support::shared_sandbox::SharedSandbox;
use thumbctl_test_support::tools::Terraform;

/// Terraform, if it is installed; prints a line if not.
fn terraform() -> Option<Terraform> {
    Terraform::find().map_err(|why| println!("skipped: {why}")).ok()
}

/// A program that deploys by Terraform, without a network.
fn program(terraform: &Terraform) -> Program {
    let mut program = Program::new();
    program.set("THUMBCTL_STRATEGY", "terraform");
    set_up(&mut program, terraform);
    program
}

/// The same with many deployments in one sandbox.
fn shared(terraform: &Terraform, faults: &[Value]) -> SharedSandbox {
    let mut shared = SharedSandbox::by(StrategyKind::Terraform, faults);
    set_up(&mut shared.program, terraform);
    shared
}

fn set_up(program: &mut Program, terraform: &Terraform) {
    program.set_all(terraform.environment());
    // The provider loads its thousand schemas at each start; with more memory that is faster.
    program.set("GOGC", "400");
}

pub(crate) fn tests() -> Vec<ForeignTest> {
    [
        by_hand::tests(),
        failures::tests(),
        interrupted::tests(),
        loops::tests(),
        refusals::tests(),
        same::tests(),
        sandbox::tests(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
