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
    // The one that the other commands look for.
    let usual = sandbox_options(&context.settings).map_err(SessionError::from)?.data_dir;
    let data_dir = match args.data_dir {
        _ if args.ephemeral => DataDir::Ephemeral,
        Some(dir) => DataDir::Persistent(std::path::absolute(&dir).unwrap_or(dir)),
        None => DataDir::Persistent(usual.clone()),
    };
    let keys = access_key(args.access_key, args.access_key_file.as_deref())?;
    let orderly = context.interrupt.orderly();
    let cancelled = orderly.token().clone();
    let options = ServeOptions {
        data_dir,
        port: Some(args.port).filter(|&port| port != 0),
        announce_in: Some(usual),
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
    // A signal is how a server ends: nothing was interrupted.
    print_error(if args.ephemeral {
        "\nThe sandbox has stopped; what was in it is gone.\n"
    } else {
        "\nThe sandbox has stopped; what was in it is kept.\n"
    });
    Ok(())
}

/// Serves the commands that have joined: the process that `join_or_start` starts. It needs no settings, and it must not
/// fail because somebody's are wrong.
pub(crate) async fn run_attached(args: SandboxArgs, interrupt: &Interrupt) -> Result<(), CliError> {
    let Some(dir) = args.data_dir else {
        return Err(CliError::usage("an attached sandbox needs a data directory", "pass --data-dir DIR"));
    };
    keep_files_private();
    let keys = access_key(args.access_key, args.access_key_file.as_deref())?;
    let orderly = interrupt.orderly();
    let cancelled = orderly.token().clone();
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

/// The access key that the user has chosen, if any.
fn access_key(argument: Option<AccessKey>, file: Option<&Path>) -> Result<Option<AccessKey>, CliError> {
    let variable = std::env::var_os(access_key::VARIABLE);
    if variable.is_some() {
        process_setup::hide_environment();
    }
    access_key::chosen(argument, file, variable)
}

/// From here on, no file that this process creates is for anybody but its user.
fn keep_files_private() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

fn faults(mut rules: Vec<FaultRule>, file: Option<PathBuf>) -> Result<Vec<FaultRule>, CliError> {
    let read = |file: PathBuf| sandbox::read_faults(&file);
    let more = file.map(read).transpose().map_err(|error| {
        let mut failure = Failure::from_error(&error);
        // What is wrong in the file is what its writer wants to know.
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
            // The name that boto3 and the AWS CLI before version 2 know.
            ("AWS_DEFAULT_REGION", region.as_str()),
        ];
        if json {
            let exports: serde_json::Map<_, _> =
                exports.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            // If nothing reads it, the sandbox serves all the same.
            let _ = json_line(&json!({ "endpoint": endpoint.url, "environment": exports })).map(print);
            return;
        }
        let words = format!("The sandbox answers at {}", endpoint.url);
        print_error(terminal_text!("{}\n\n", palette.paint(Role::Strong, &words)));
        let lines = exports.iter().map(|(name, value)| terminal_text!("export {}={}\n", name, value));
        // If nobody reads them, the sandbox serves all the same.
        let _ = print(TerminalText::join(lines, ""));
        print_error("\nCalls are shown as they come. Ctrl-C stops it.\n\n");
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
