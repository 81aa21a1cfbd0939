//! `thumbctl sandbox`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use thumbctl_core::event::Failure;
use thumbctl_deploy::cloud::sandbox_options;
use thumbctl_deploy::session::SessionError;
use thumbctl_platform::process_setup;
use thumbctl_platform::terminal::{TerminalText, json_line, print, print_error, terminal_text};
use thumbctl_platform::text;
use thumbctl_sandbox::{
    self as sandbox, DataDir, FaultRule, OnReady, OnRequest, RequestLog, SandboxError, ServeOptions,
};
use thumbctl_sandbox_protocol::Endpoint;

use super::access_key::{self, AccessKey};
use super::args::SandboxArgs;
use super::context::Context;
use super::error::CliError;
use super::interrupt::Interrupt;
use super::sandbox_state;
use super::style::Role;

/// Serves the sandbox in the foreground, for other programs.
pub(crate) async fn run(context: &Context, args: SandboxArgs) -> Result<(), CliError> {
    if let Some(command) = &args.command {
        return sandbox_state::run(context, command).await;
    }
    keep_files_private();
    // The directory that other commands use.
    let default_dir = sandbox_options(&context.settings).map_err(SessionError::from)?.data_dir;
    let data_dir = match args.data_dir {
        _ if args.ephemeral => DataDir::Ephemeral,
        Some(dir) => DataDir::Persistent(std::path::absolute(&dir).unwrap_or(dir)),
        None => DataDir::Persistent(default_dir.clone()),
    };
    let keys = access_key(args.access_key, args.access_key_file.as_deref())?;
    let graceful = context.interrupt.graceful();
    let cancelled = graceful.token().clone();
    let options = ServeOptions {
        data_dir,
        port: Some(args.port).filter(|&port| port != 0),
        announce_in: Some(default_dir),
        attached: false,
        on_ready: Some(greeting(context)),
        on_request: Some(call_log(context)),
        shutdown: Box::pin(async move { cancelled.cancelled().await }),
        function_files: thumbctl_deploy::assets::function_files,
        behaviour: args.behaviour.behaviour(),
        keys,
        faults: faults(args.fault, args.faults)?,
    };
    sandbox::serve(options).await.map_err(failed)?;
    // A signal is the normal end of a server.
    print_error(if args.ephemeral {
        "\nThe sandbox has stopped; its data is deleted.\n"
    } else {
        "\nThe sandbox has stopped; its data is kept.\n"
    });
    Ok(())
}

/// Serves attached commands, as the process started by `join_or_start`. It reads no settings, so that invalid ones cannot
/// make it fail.
pub(crate) async fn run_attached(args: SandboxArgs, interrupt: &Interrupt) -> Result<(), CliError> {
    let Some(dir) = args.data_dir else {
        return Err(CliError::usage("an attached sandbox needs a data directory", "use --data-dir DIR"));
    };
    keep_files_private();
    let keys = access_key(args.access_key, args.access_key_file.as_deref())?;
    let graceful = interrupt.graceful();
    let cancelled = graceful.token().clone();
    let options = ServeOptions {
        data_dir: DataDir::Persistent(dir),
        port: Some(args.port).filter(|&port| port != 0),
        announce_in: None,
        attached: true,
        on_ready: None,
        on_request: None,
        shutdown: Box::pin(async move { cancelled.cancelled().await }),
        function_files: thumbctl_deploy::assets::function_files,
        behaviour: args.behaviour.behaviour(),
        keys,
        faults: faults(args.fault, args.faults)?,
    };
    sandbox::serve(options).await.map_err(failed)
}

/// The user's access key, if any.
fn access_key(argument: Option<AccessKey>, file: Option<&Path>) -> Result<Option<AccessKey>, CliError> {
    let variable = std::env::var_os(access_key::VARIABLE);
    if variable.is_some() {
        process_setup::hide_environment();
    }
    access_key::configured(argument, file, variable)
}

/// Makes new files of this process private to its user.
fn keep_files_private() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

fn faults(mut rules: Vec<FaultRule>, file: Option<PathBuf>) -> Result<Vec<FaultRule>, CliError> {
    let read = |file: PathBuf| sandbox::read_faults(&file);
    let more = file.map(read).transpose().map_err(|error| {
        let mut failure = Failure::from_error(&error);
        // The causes describe the error in the file.
        failure.message = failure.to_string();
        failure.causes.clear();
        CliError::Usage(failure)
    })?;
    rules.extend(more.unwrap_or_default());
    Ok(rules)
}

fn failed(error: SandboxError) -> CliError {
    CliError::Failed(vec![Failure::from_error(&error)])
}

fn greeting(context: &Context) -> OnReady {
    let (json, palette) = (context.is_json(), context.screen.err);
    let region = context.settings.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
    Box::new(move |endpoint: &Endpoint| {
        let exports = [
            ("AWS_ENDPOINT_URL", endpoint.url.as_str()),
            ("AWS_ACCESS_KEY_ID", endpoint.access_key.as_str()),
            ("AWS_SECRET_ACCESS_KEY", endpoint.secret_key.as_str()),
            ("AWS_REGION", region.as_str()),
            // For boto3 and AWS CLI version 1.
            ("AWS_DEFAULT_REGION", region.as_str()),
        ];
        if json {
            let exports: serde_json::Map<_, _> =
                exports.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            // A closed pipe does not stop the sandbox.
            let _ = json_line(&json!({ "endpoint": endpoint.url, "environment": exports })).map(print);
            return;
        }
        let message = format!("The sandbox is ready at {}", endpoint.url);
        print_error(terminal_text!("{}\n\n", palette.paint(Role::Strong, &message)));
        let lines = exports.iter().map(|(name, value)| terminal_text!("export {}={}\n", name, value));
        // A closed pipe does not stop the sandbox.
        let _ = print(TerminalText::join(lines, ""));
        print_error("\nCalls are listed below. To stop the sandbox: Ctrl-C\n\n");
    })
}

fn call_log(context: &Context) -> OnRequest {
    let (json, palette) = (context.is_json(), context.screen.out);
    Arc::new(move |call: &RequestLog| {
        let milliseconds = call.took.as_secs_f64() * 1000.0;
        let line = if json {
            let call = json!({
                "service": call.service,
                "operation": call.operation,
                "status": call.status,
                "milliseconds": milliseconds,
            });
            json_line(&call).unwrap_or_default()
        } else {
            let role = if call.status < 400 { Role::Good } else { Role::Bad };
            terminal_text!(
                "{}  {} {} {:>9}\n",
                palette.paint(role, &call.status.to_string()),
                text::fit(&text::clean(&call.service), 10),
                text::fit(&text::clean(&call.operation), 40),
                format!("{milliseconds:.1} ms"),
            )
        };
        let _ = print(line);
    })
}
