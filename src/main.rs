//! The program: dispatches on its name, parses the command line, runs the command and returns the exit code.

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use thumbctl::cli;
use thumbctl_sandbox::shims;

use thumbctl_platform::process_setup;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program_name = arguments.next().unwrap_or_default();
    if let Some(code) = run_as(&program_name, arguments) {
        return code;
    }
    // Not for the shims: the descriptors of a build command are inherited on purpose.
    process_setup::close_inherited_files_on_exec();
    let invocation = match cli::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(code) => return code,
    };
    // The work is mostly waiting: two threads are enough, and start faster than one per core.
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return cli::report(format!("cannot start: {error}"), None, false);
        }
    };
    let code = runtime.block_on(async {
        if let Err(error) = process_setup::report_file_size_limit() {
            let message = format!("cannot start: cannot handle the file size limit signal: {error}");
            return cli::report(message, None, false);
        }
        match cli::run(invocation).await {
            cli::NextAction::Done(code) => code,
            cli::NextAction::Console(settings) => {
                console(thumbctl_console::open(*settings, thumbctl_console::LaunchMode::Deployment).await)
            }
            cli::NextAction::Replay(settings, run, speed) => {
                console(match thumbctl_console::find_run(&settings, &run) {
                    Ok(run) => {
                        thumbctl_console::open(*settings, thumbctl_console::LaunchMode::Replay { run, speed }).await
                    }
                    Err(error) => Err(error),
                })
            }
        }
    });
    // A pending read of standard input must not block the exit.
    runtime.shutdown_background();
    code
}

/// Reports the console's error, if any, and returns the exit code.
fn console(result: Result<(), thumbctl_console::ConsoleError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::report(error.to_string(), error.hint(), matches!(error, thumbctl_console::ConsoleError::Terminated))
        }
    }
}

/// Runs the function or a build tool, if the program was started by its name inside the sandbox.
fn run_as(program_name: &OsString, arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    match Path::new(program_name).file_name()?.to_str()? {
        "bootstrap" => Some(thumbnail_function::run()),
        name if shims::NAMES.contains(&name) => {
            // On failure only the file size limit is not reported.
            let _ = process_setup::report_file_size_limit_without_runtime();
            Some(shims::run(name, arguments))
        }
        _ => None,
    }
}
