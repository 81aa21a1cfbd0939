//! The program: looks what it is called as, parses the command line, and turns what comes of it into an exit code.

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use thumbctl::cli;
use thumbctl_sandbox::shims;

use thumbctl_platform::process_setup;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let called_as = arguments.next().unwrap_or_default();
    if let Some(code) = act_as(&called_as, arguments) {
        return code;
    }
    // Not under those names: what a build's command inherits is meant for it and for what it starts.
    process_setup::close_inherited_files_on_exec();
    let invocation = match cli::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(code) => return code,
    };
    // The work is waiting: two threads are enough for it, and start sooner than one for each core.
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return cli::report(format!("cannot start: {error}"), None, false);
        }
    };
    let code = runtime.block_on(async {
        if let Err(error) = process_setup::report_file_size_limit() {
            let words = format!("cannot start: the signal for files over their size limit cannot be handled: {error}");
            return cli::report(words, None, false);
        }
        match cli::run(invocation).await {
            cli::Next::Done(code) => code,
            cli::Next::Console(settings) => {
                console(thumbctl_console::open(*settings, thumbctl_console::Opening::Deployment).await)
            }
            cli::Next::Replay(settings, run, speed) => console(match thumbctl_console::find_run(&settings, &run) {
                Ok(run) => thumbctl_console::open(*settings, thumbctl_console::Opening::Replay { run, speed }).await,
                Err(error) => Err(error),
            }),
        }
    });
    // A read of standard input that was never answered must not keep the program.
    runtime.shutdown_background();
    code
}

/// What came of the console, as an exit code.
fn console(ended: Result<(), thumbctl_console::ConsoleError>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::report(error.to_string(), error.hint(), matches!(error, thumbctl_console::ConsoleError::Terminated))
        }
    }
}

/// Inside the sandbox this program goes by other names: it is the function, and the tools that a build calls.
fn act_as(called_as: &OsString, arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    match Path::new(called_as).file_name()?.to_str()? {
        "bootstrap" => Some(thumbnail_function::run()),
        name if shims::NAMES.contains(&name) => {
            // Without it a full disk would still be reported, only not a file over its limit.
            let _ = process_setup::report_file_size_limit_without_runtime();
            Some(shims::run(name, arguments))
        }
        _ => None,
    }
}
