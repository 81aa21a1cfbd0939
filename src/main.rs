//! The program: chooses what it is called as, parses the command line, and turns what comes of it into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let invocation = match thumbctl::cli::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(code) => return code,
    };
    // Two threads are enough: the work is waiting. Fewer start sooner.
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(thumbctl::cli::run(invocation));
    // A read of standard input that was never answered must not keep the program.
    runtime.shutdown_background();
    code
}
