//! What builds in the sandbox find as `docker`, `aws`, `cargo` and `rustc`: thumbctl itself, started under that name.
//!
//! A build is real but for its tools: there is no docker daemon, and compiling the function would take minutes. `docker`
//! writes OCI images and pushes them over the registry protocol, `aws` asks ECR for its password, and `cargo` hands over
//! the function that thumbctl carries, saying so in the log.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what these tools print is a build's log, which is cleaned where it is shown"
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

/// The names that a build finds on its PATH: started under one of them, the program is to [`run`] as it.
pub const NAMES: [&str; 5] = ["aws", "docker", "cargo", "rustc", "rustup"];

/// Those of them that make way for the machine's toolchain, if builds are to compile.
pub(crate) const RUST: [&str; 3] = ["cargo", "rustc", "rustup"];

// What the sandbox tells its stand-ins, by variables in the build's environment.
/// Where the machine's own AWS CLI is.
pub(crate) const AWS_CLI: &str = "THUMBCTL_AWS_CLI";
/// The function's program, where it is not this one.
pub(crate) const FUNCTION: &str = "THUMBCTL_FUNCTION_PROGRAM";
/// Set if builds are to compile, and there is nothing to compile with.
pub(crate) const NO_TOOLCHAIN: &str = "THUMBCTL_NO_TOOLCHAIN";
/// How many milliseconds compiling the function takes on AWS.
pub(crate) const COMPILE_DURATION: &str = "THUMBCTL_COMPILE_MILLISECONDS";
/// How many milliseconds pushing an image takes on AWS.
pub(crate) const PUSH_DURATION: &str = "THUMBCTL_PUSH_MILLISECONDS";

/// Why a stand-in gave up.
#[derive(Debug, thiserror::Error)]
enum ShimError {
    /// What was asked for is not what it can do.
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
    /// The sandbox said no.
    #[error("{what}: {status} {answer}")]
    Refused { what: String, status: u16, answer: String },
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

/// Acts as one of the tools, with its arguments, in the environment of a build.
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
        other => Err(ShimError::usage(format!("there is no stand-in for '{other}'"))),
    }
}

/// What the build's environment says that more than one tool needs.
struct BuildEnvironment {
    home: PathBuf,
    directory: PathBuf,
    /// The sandbox.
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

    /// The sandbox's address, or why there is none to call.
    fn endpoint(&self) -> Result<&str, ShimError> {
        if self.endpoint.is_empty() {
            return Err(ShimError::usage("AWS_ENDPOINT_URL is not set: this stand-in knows the sandbox only"));
        }
        Ok(self.endpoint.trim_end_matches('/'))
    }

    /// Keeps a registry's password where docker keeps it.
    fn save_login(&self, host: &str, user: &str, password: &str) -> Result<(), ShimError> {
        let mut config = self.docker_config();
        let auth = STANDARD.encode(format!("{user}:{password}"));
        config["auths"][host] = serde_json::json!({ "auth": auth });
        let file = self.docker_config_file();
        let written = fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))
            .and_then(|()| fs::write(&file, format!("{config:#}")));
        written.map_err(ShimError::io(format!("cannot write {}", file.display())))
    }

    /// What a login has kept, ready for an `Authorization` header.
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

/// Takes as long as AWS, where the sandbox is told to.
fn apply_latency(name: &str) {
    if let Some(milliseconds) = variable(name).ok().and_then(|text| text.parse().ok()) {
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
    }
}

/// An answer's body, if the status is one of success.
fn expect_success(
    what: impl Into<String>,
    answer: Result<http::Response<ureq::Body>, ureq::Error>,
) -> Result<http::Response<ureq::Body>, ShimError> {
    let what = what.into();
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(answer),
        Ok(mut answer) => Err(ShimError::Refused {
            what,
            status: answer.status().as_u16(),
            answer: answer.body_mut().read_to_string().unwrap_or_default(),
        }),
        Err(cause) => Err(ShimError::Http { what, cause: Box::new(cause) }),
    }
}
