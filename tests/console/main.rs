//! The console, in a pseudo-terminal: the real program, the real sandbox, real keys.

#[path = "../common/mod.rs"]
mod common;

mod life;
mod looks;
mod loops;
mod recordings;
mod strategies;

use common::Program;
use common::console::Console;

/// The size that most tests have: columns, rows.
const SIZE: (u16, u16) = (120, 36);

/// Opens the console of a program.
fn open(program: &Program) -> Console {
    Console::start(&program.command([] as [&str; 0]), SIZE)
}

/// Opens the console and waits until it knows the cloud and that nothing is there.
fn open_empty(program: &Program) -> Console {
    let console = open(program);
    console.wait_for("nothing deployed");
    console.wait_for("account 0");
    console
}

/// Deploys everything from the console.
fn deploy(console: &Console) {
    console.keys("a");
    console.wait_for("15/15 ready");
    console.wait_for("✔ deployed");
}

const ESC: &str = "\x1b";
const ENTER: &str = "\r";
const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";
