//! The function as a program of its own. Builds in tests hand it over in place of thumbctl, which acts as the function
//! too and is many times its size: each build copies, hashes and uploads what it hands over.

use std::process::ExitCode;

fn main() -> ExitCode {
    thumbnail_function::run()
}
