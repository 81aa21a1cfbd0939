//! The function as a program of its own, as Lambda starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    thumbnail_function::run()
}
