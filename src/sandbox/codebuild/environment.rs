//! The environment of a build's commands: what CodeBuild gives, and nothing of the sandbox's own.

use std::path::Path;

use serde_json::Value;

use super::build::Build;
use super::buildspec::Buildspec;
use super::phase::Context;
use crate::sandbox::services::TemporaryCredentials;

/// Where a system has its commands, behind the stand-ins.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The directories of one build.
pub(super) struct Directories<'a> {
    pub(super) source: &'a Path,
    pub(super) home: &'a Path,
    pub(super) temporary: &'a Path,
    pub(super) stand_ins: &'a Path,
}

/// All variables, the later ones in place of earlier ones of the same name.
pub(super) fn variables(
    build: &Build,
    spec: &Buildspec,
    credentials: &TemporaryCredentials,
    endpoint: &str,
    directories: &Directories<'_>,
) -> Result<Vec<(String, String)>, Context> {
    let path = |path: &Path| path.display().to_string();
    let environment = build.setting("environment");
    let place = build.log_place();
    let mut all = vec![("CODEBUILD_CI".to_owned(), "true".to_owned())];
    // The buildspec's variables give way to the project's, which StartBuild's have been put into.
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
        ("CODEBUILD_LOG_PATH", place.stream),
        ("CODEBUILD_RESOLVED_SOURCE_VERSION", text(build.setting("sourceVersion"))),
        ("CODEBUILD_SOURCE_REPO_URL", text(&build.setting("source")["location"])),
        ("CODEBUILD_SOURCE_VERSION", text(build.setting("sourceVersion"))),
        ("CODEBUILD_SRC_DIR", path(directories.source)),
        ("CODEBUILD_START_TIME", format!("{:.0}", build.start * 1000.0)),
        ("HOME", path(directories.home)),
        ("PATH", format!("{}:{SYSTEM_PATH}", path(directories.stand_ins))),
        ("PWD", path(directories.source)),
        ("TMPDIR", path(directories.temporary)),
        ("LANG", "C.UTF-8".to_owned()),
    ];
    all.extend(own.map(|(name, value)| (name.to_owned(), value)));
    // CodeBuild sets this one too, but a project may say otherwise.
    if !all.iter().any(|(name, _)| name == "AWS_DEFAULT_REGION") {
        all.push(("AWS_DEFAULT_REGION".to_owned(), build.region.clone()));
    }
    Ok(all)
}

fn project_variable(variable: &Value) -> Result<(String, String), Context> {
    let name = text(&variable["name"]);
    match variable["type"].as_str() {
        None | Some("PLAINTEXT") => Ok((name, text(&variable["value"]))),
        Some(other) => Err(Context::new(
            "CLIENT_ERROR",
            format!("The environment variable {name} is of type {other}, which the sandbox does not have"),
        )),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
