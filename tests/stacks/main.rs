//! Deployments by CloudFormation: the whole loop, and whatever may happen to it. The sandbox runs the macro by this machine's
//! Python; where there is none, these tests say so and are skipped.

#[path = "../adversity/mod.rs"]
mod adversity;
#[path = "../common/mod.rs"]
mod common;
#[path = "../described/mod.rs"]
mod described;

mod failures;
mod killed;
mod loops;
mod refusals;
mod same;

use common::Program;
use common::tools::on_path;

/// Whether the macro can run here.
fn has_python() -> bool {
    let found = on_path("python3").is_some();
    if !found {
        println!("skipped: no python3 on the PATH");
    }
    found
}

/// Somebody who deploys by CloudFormation.
fn program() -> Program {
    let mut program = Program::new();
    program.set("THUMBCTL_STRATEGY", "cloudformation");
    program
}
