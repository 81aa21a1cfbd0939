//! Whatever has to do with terraform: deployments by it, our configuration by hand, and the sandbox as somebody else's
//! configuration sees it. Where terraform or its AWS provider is not on the machine, these tests say so and are skipped.

#[path = "../adversity/mod.rs"]
mod adversity;
#[path = "../common/mod.rs"]
mod common;
#[path = "../described/mod.rs"]
mod described;

mod by_hand;
mod failures;
mod interrupted;
mod loops;
mod refusals;
mod same;
mod sandbox;
mod workspace;

use adversity::Arena;
use common::Program;
use common::tools::Terraform;
use serde_json::Value;
use thumbctl::event::StrategyKind;

/// Terraform, if it is here; says so if it is not.
fn terraform() -> Option<Terraform> {
    Terraform::find().map_err(|why| println!("skipped: {why}")).ok()
}

/// Somebody who deploys by Terraform, without a network.
fn program(terraform: &Terraform) -> Program {
    let mut program = Program::new();
    program.set("THUMBCTL_STRATEGY", "terraform");
    set_up(&mut program, terraform);
    program
}

/// Many who do, in one sandbox.
fn arena(terraform: &Terraform, faults: &[Value]) -> Arena {
    let mut arena = Arena::by(StrategyKind::Terraform, faults);
    set_up(&mut arena.program, terraform);
    arena
}

fn set_up(program: &mut Program, terraform: &Terraform) {
    program.set_all(terraform.environment());
    // The provider loads its thousand schemas at each start; with more memory that takes less time.
    program.set("GOGC", "400");
}
