//! The function's program.

use std::process::ExitCode;

fn main() -> ExitCode {
    thumbnail_function::run()
}
