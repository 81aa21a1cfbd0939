//! The shims for `docker`, `aws`, `cargo` and `rustc` in builds: thumbctl itself, started under that name.
//!
//! Builds need no docker daemon, and do not spend minutes on compiling the function: `docker` writes OCI images and
//! pushes them by the registry protocol, `aws` gets ECR's password, and `cargo` copies the function embedded in
//! thumbctl, with a note in the log.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the output is a build's log, which is cleaned where it is displayed"
)]

mod aws;
mod cargo;
mod docker;
mod docker_build;
mod docker_pull;
mod docker_push;
mod dockerfile;
mod ignore;
mod image;
mod images;
mod inspect;
mod reference;
pub(crate) mod signed;
mod tarball;
#[cfg(test)]
mod tests;
mod unpacked;
mod words;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The names of the shims. A program started under one of them must call [`run`].
pub const NAMES: [&str; 5] = ["aws", "docker", "cargo", "rustc", "rustup"];

/// The shims that are left out when builds compile with the machine's toolchain.
pub(crate) const RUST: [&str; 3] = ["cargo", "rustc", "rustup"];

// Variables of a build's environment for the shims.
/// The path of the machine's AWS CLI.
pub(crate) const AWS_CLI: &str = "THUMBCTL_AWS_CLI";
/// The function's program, if it is not this executable.
pub(crate) const FUNCTION: &str = "THUMBCTL_FUNCTION_PROGRAM";
/// Set if builds should compile, but the machine has no toolchain.
pub(crate) const NO_TOOLCHAIN: &str = "THUMBCTL_NO_TOOLCHAIN";
/// The milliseconds of compiling the function on AWS.
pub(crate) const COMPILE_DURATION: &str = "THUMBCTL_COMPILE_MILLISECONDS";
/// The milliseconds of pushing an image on AWS.
pub(crate) const PUSH_DURATION: &str = "THUMBCTL_PUSH_MILLISECONDS";

/// A shim's error.
#[derive(Debug, thiserror::Error)]
enum ShimError {
    /// An invalid or unsupported command line.
    #[error("{0}")]
    Usage(String),
    #[error("{what}")]
    Io {
        what: String,
        #[source]
        cause: io::Error,
    },
    #[error("{what}")]
    Http {
        what: String,
        #[source]
        cause: Box<ureq::Error>,
    },
    /// An error response of the sandbox.
    #[error("{what}: {status} {response}")]
    ErrorResponse { what: String, status: u16, response: String },
}

impl ShimError {
    fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |cause| Self::Io { what, cause }
    }
}

/// Runs one of the shims with its arguments in a build's environment.
pub fn run(name: &str, args: impl Iterator<Item = OsString>) -> ExitCode {
    let outcome = args
        .map(|arg| arg.into_string().map_err(|arg| ShimError::usage(format!("'{}' is not UTF-8", arg.display()))))
        .collect::<Result<Vec<_>, _>>()
        .and_then(|args| {
            let args: Vec<_> = args.iter().map(String::as_str).collect();
            dispatch(name, &args)
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            let message: Vec<_> = causes.map(ToString::to_string).collect();
            eprintln!("{name}: {}", message.join(": "));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(name: &str, args: &[&str]) -> Result<(), ShimError> {
    let build = BuildEnvironment::of_process()?;
    match name {
        "aws" => aws::run(args, &build),
        "docker" => docker::run(args, &build),
        "cargo" => cargo::cargo(args, &build),
        "rustc" => cargo::rustc(args),
        "rustup" => cargo::rustup(args),
        other => Err(ShimError::usage(format!("no shim for '{other}'"))),
    }
}

/// The parts of a build's environment that several shims use.
struct BuildEnvironment {
    home: PathBuf,
    directory: PathBuf,
    /// The sandbox's address; empty if it is not set.
    endpoint: String,
}

impl BuildEnvironment {
    fn of_process() -> Result<Self, ShimError> {
        Ok(Self {
            home: variable("HOME")?.into(),
            directory: std::env::current_dir().map_err(ShimError::io("no current directory"))?,
            endpoint: variable("AWS_ENDPOINT_URL").unwrap_or_default(),
        })
    }

    /// The sandbox's address, or an error if it is not set.
    fn endpoint(&self) -> Result<&str, ShimError> {
        if self.endpoint.is_empty() {
            return Err(ShimError::usage("AWS_ENDPOINT_URL is not set: this shim works with the sandbox only"));
        }
        Ok(self.endpoint.trim_end_matches('/'))
    }

    /// Saves a registry's password in docker's configuration file.
    fn save_login(&self, host: &str, user: &str, password: &str) -> Result<(), ShimError> {
        let mut config = self.docker_config();
        let auth = STANDARD.encode(format!("{user}:{password}"));
        config["auths"][host] = serde_json::json!({ "auth": auth });
        let file = self.docker_config_file();
        let written = fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))
            .and_then(|()| fs::write(&file, format!("{config:#}")));
        written.map_err(ShimError::io(format!("cannot write {}", file.display())))
    }

    /// The saved login as a value of the `Authorization` header.
    fn login(&self, host: &str) -> Option<String> {
        let auth = self.docker_config()["auths"][host]["auth"].as_str()?.to_owned();
        Some(format!("Basic {auth}"))
    }

    fn docker_config_file(&self) -> PathBuf {
        self.home.join(".docker").join("config.json")
    }

    fn docker_config(&self) -> Value {
        fs::read(self.docker_config_file())
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .filter(Value::is_object)
            .unwrap_or_else(|| serde_json::json!({}))
    }
}

fn variable(name: &str) -> Result<String, ShimError> {
    std::env::var(name).map_err(|_| ShimError::usage(format!("{name} is not set")))
}

/// Sleeps for the milliseconds in a variable, if it is set.
fn apply_latency(name: &str) {
    if let Some(milliseconds) = variable(name).ok().and_then(|text| text.parse().ok()) {
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
    }
}

/// The response, if its status is a success.
fn expect_success(
    what: impl Into<String>,
    response: Result<http::Response<ureq::Body>, ureq::Error>,
) -> Result<http::Response<ureq::Body>, ShimError> {
    let what = what.into();
    match response {
        Ok(response) if response.status().is_success() => Ok(response),
        Ok(mut response) => Err(ShimError::ErrorResponse {
            what,
            status: response.status().as_u16(),
            response: response.body_mut().read_to_string().unwrap_or_default(),
        }),
        Err(cause) => Err(ShimError::Http { what, cause: Box::new(cause) }),
    }
}
