//! The environment of a build's commands: CodeBuild's variables, none of the sandbox's own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::build::Build;
use super::buildspec::Buildspec;
use super::phase::PhaseContext;
use super::toolchain::Toolchain;
use crate::authz::sessions::TemporaryCredentials;
use crate::shims;

/// The system's search path, after the shims.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The directories of one build.
pub(super) struct BuildDirectories<'a> {
    pub(super) source: &'a Path,
    pub(super) home: &'a Path,
    pub(super) temporary: &'a Path,
    pub(super) shims: &'a Path,
}

/// The compiler of a build.
pub(super) enum Compiler {
    /// No compiler: the shim copies the function embedded in thumbctl.
    Shim,
    Machine(Toolchain),
    /// The machine should compile, but has no toolchain.
    Missing,
}

/// The machine's tools that the build may use, and the latencies of the shims.
pub(super) struct BuildTools {
    pub(super) compiler: Compiler,
    pub(super) aws_cli: Option<PathBuf>,
    pub(super) compile: Duration,
    pub(super) push: Duration,
}

impl BuildTools {
    /// The shims in the build's PATH.
    pub(super) fn shims(&self) -> impl Iterator<Item = &'static str> {
        let compiles = matches!(self.compiler, Compiler::Machine(_));
        shims::NAMES.into_iter().filter(move |name| !(compiles && shims::RUST.contains(name)))
    }

    /// The variables for the shims and the real tools.
    fn variables(&self) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        match &self.compiler {
            Compiler::Machine(toolchain) => variables.extend(toolchain.variables.iter().cloned()),
            Compiler::Missing => variables.push((shims::NO_TOOLCHAIN.to_owned(), "1".to_owned())),
            Compiler::Shim => {}
        }
        if let Some(cli) = &self.aws_cli {
            variables.push((shims::AWS_CLI.to_owned(), cli.display().to_string()));
        }
        #[cfg(debug_assertions)]
        if let Some(program) = thumbctl_platform::failpoint::function_program() {
            variables.push((shims::FUNCTION.to_owned(), program.display().to_string()));
        }
        for (name, takes) in [(shims::COMPILE_DURATION, self.compile), (shims::PUSH_DURATION, self.push)] {
            if !takes.is_zero() {
                variables.push((name.to_owned(), takes.as_millis().to_string()));
            }
        }
        variables
    }

    /// The search path after the shims.
    fn path(&self) -> String {
        match &self.compiler {
            Compiler::Machine(toolchain) => format!("{}:{SYSTEM_PATH}", toolchain.directory.display()),
            Compiler::Shim | Compiler::Missing => SYSTEM_PATH.to_owned(),
        }
    }
}

/// All variables; later ones replace earlier ones of the same name.
pub(super) fn variables(
    build: &Build,
    spec: &Buildspec,
    credentials: &TemporaryCredentials,
    endpoint: &str,
    directories: &BuildDirectories<'_>,
    tools: &BuildTools,
) -> Result<Vec<(String, String)>, PhaseContext> {
    let path = |path: &Path| path.display().to_string();
    let environment = build.setting("environment");
    let destination = build.log_destination();
    let mut all = vec![("CODEBUILD_CI".to_owned(), "true".to_owned())];
    // The project's variables, which include StartBuild's, override the buildspec's.
    all.extend(spec.variables.iter().cloned());
    let of_project = environment["environmentVariables"].as_array();
    for variable in of_project.into_iter().flatten() {
        all.push(project_variable(variable)?);
    }
    let own = [
        ("AWS_ACCESS_KEY_ID", credentials.access_key.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_key.clone()),
        ("AWS_SESSION_TOKEN", credentials.session_token.clone()),
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_REGION", build.region.clone()),
        ("CODEBUILD_BUILD_ARN", build.arn.clone()),
        ("CODEBUILD_BUILD_ID", build.id.clone()),
        ("CODEBUILD_BUILD_IMAGE", text(&environment["image"])),
        ("CODEBUILD_BUILD_NUMBER", build.number.to_string()),
        ("CODEBUILD_BUILD_SUCCEEDING", "1".to_owned()),
        ("CODEBUILD_INITIATOR", build.initiator.clone()),
        ("CODEBUILD_KMS_KEY_ID", text(build.setting("encryptionKey"))),
        ("CODEBUILD_LOG_PATH", destination.stream),
        ("CODEBUILD_RESOLVED_SOURCE_VERSION", text(build.setting("sourceVersion"))),
        ("CODEBUILD_SOURCE_REPO_URL", text(&build.setting("source")["location"])),
        ("CODEBUILD_SOURCE_VERSION", text(build.setting("sourceVersion"))),
        ("CODEBUILD_SRC_DIR", path(directories.source)),
        ("CODEBUILD_START_TIME", format!("{:.0}", build.start * 1000.0)),
        ("HOME", path(directories.home)),
        ("PATH", format!("{}:{}", path(directories.shims), tools.path())),
        ("PWD", path(directories.source)),
        ("TMPDIR", path(directories.temporary)),
        ("LANG", "C.UTF-8".to_owned()),
    ];
    all.extend(own.map(|(name, value)| (name.to_owned(), value)));
    all.extend(tools.variables());
    // CodeBuild sets this one too, but a project may override it.
    if !all.iter().any(|(name, _)| name == "AWS_DEFAULT_REGION") {
        all.push(("AWS_DEFAULT_REGION".to_owned(), build.region.clone()));
    }
    Ok(all)
}

fn project_variable(variable: &Value) -> Result<(String, String), PhaseContext> {
    let name = text(&variable["name"]);
    match variable["type"].as_str() {
        None | Some("PLAINTEXT") => Ok((name, text(&variable["value"]))),
        Some(other) => Err(PhaseContext::new(
            "CLIENT_ERROR",
            format!("The environment variable {name} has type {other}, which the sandbox does not support"),
        )),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
