//! CodeBuild: creating a project, its builds and their states; reading a project is in
//! `codebuild/project.rs`.

mod project;

pub use aws_sdk_codebuild::Client;
use aws_sdk_codebuild::types::{
    ArtifactsType, CloudWatchLogsConfig, ComputeType, EnvironmentType, EnvironmentVariable, ImagePullCredentialsType,
    LogsConfig, LogsConfigStatusType, ProjectArtifacts, ProjectEnvironment, ProjectSource, SourceType, Tag,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::error::operation::BuildError;

use super::Architecture;
use super::error::{self, AwsError, Deleted, ErrorKind};
use super::pages::Pages;
use super::tags::{Tagged, Tags};
use crate::aws::operation::CodeBuildOperation;

pub use project::{Project, SourceDescription, Variable, project};

const SERVICE: &str = "CodeBuild";

/// The build image: maintained, cached on CodeBuild's machines (others take minutes to download),
/// and with Rust and docker with buildx.
pub const BUILD_IMAGE: &str = "aws/codebuild/standard:8.0";
/// The same for Arm.
pub const BUILD_IMAGE_ARM: &str = "aws/codebuild/amazonlinux-aarch64-standard:4.0";

/// The default build image of an architecture.
pub const fn build_image(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => BUILD_IMAGE,
        Architecture::Arm64 => BUILD_IMAGE_ARM,
    }
}

fn failed<E>(operation: CodeBuildOperation) -> impl FnOnce(SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    AwsError::from_sdk(operation)
}

fn unbuildable(error: BuildError) -> AwsError {
    AwsError::new(SERVICE, "CreateProject", ErrorKind::Invalid, error.to_string())
}

/// The source of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A zip without a root folder, in a bucket that the service role can read.
    S3 {
        /// The bucket.
        bucket: String,
        /// The zip's key.
        key: String,
    },
    /// A repository on GitHub; a public one needs no connection.
    GitHub {
        /// Its URL.
        url: String,
    },
}

/// The parameters of a project.
#[derive(Debug, Clone)]
pub struct ProjectSpec<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its description.
    pub description: &'a str,
    /// The service role's ARN.
    pub role_arn: &'a str,
    /// Its source.
    pub source: &'a Source,
    /// A buildspec to use instead of the source's own `buildspec.yml`: its path in the source, or its text.
    pub buildspec: Option<&'a str>,
    /// The build image; see [`build_image`].
    pub image: &'a str,
    /// The compute type: `BUILD_GENERAL1_SMALL`, …
    pub compute_type: &'a str,
    /// The architecture of image and machine.
    pub architecture: Architecture,
    /// The builds' environment variables; see [`build_environment`].
    pub environment: &'a [(String, String)],
    /// The builds' log group.
    pub log_group: &'a str,
    /// The timeout of a build, from 5 minutes to 36 hours.
    pub timeout_minutes: u32,
    /// The queue timeout of a build, from 5 minutes to 8 hours.
    pub queued_timeout_minutes: u32,
    /// Its tags.
    pub tags: &'a Tags,
}

/// The environment variables that the buildspec uses.
pub fn build_environment(region: &str, account: &str, repository: &str, image_tag: &str) -> Vec<(String, String)> {
    [
        ("AWS_DEFAULT_REGION", region),
        ("AWS_ACCOUNT_ID", account),
        ("IMAGE_REPO_NAME", repository),
        ("IMAGE_TAG", image_tag),
        // Rule: Lambda rejects an image index, which attestations would create; for sources that do not disable them.
        // https://repost.aws/questions/QUIZjd2sL_TtCuoqtg5Q30LA/does-lambda-not-support-multi-architecture-container-images-manifests
        ("BUILDX_NO_DEFAULT_ATTESTATIONS", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Creates a project and returns its ARN.
///
/// # Errors
/// [`ErrorKind::RoleNotReady`] if the role is too new to be assumed: to be retried. [`ErrorKind::AlreadyExists`] for a
/// name in use.
pub async fn create_project(client: &Client, spec: &ProjectSpec<'_>) -> Result<String, AwsError> {
    const OPERATION: CodeBuildOperation = CodeBuildOperation::CreateProject;
    let logs = CloudWatchLogsConfig::builder()
        .status(LogsConfigStatusType::Enabled)
        .group_name(spec.log_group)
        .build()
        .map_err(unbuildable)?;
    let artifacts = ProjectArtifacts::builder().r#type(ArtifactsType::NoArtifacts).build().map_err(unbuildable)?;
    let tags = spec.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    client
        .create_project()
        .name(spec.name)
        .description(spec.description)
        .service_role(spec.role_arn)
        .source(sdk_source(spec)?)
        .artifacts(artifacts)
        .environment(sdk_environment(spec)?)
        .logs_config(LogsConfig::builder().cloud_watch_logs(logs).build())
        .timeout_in_minutes(i32::try_from(spec.timeout_minutes).unwrap_or(i32::MAX))
        .queued_timeout_in_minutes(i32::try_from(spec.queued_timeout_minutes).unwrap_or(i32::MAX))
        .set_tags(Some(tags))
        .send()
        .await
        .map_err(failed(OPERATION))?
        .project
        .and_then(|project| project.arn)
        .ok_or_else(|| AwsError::missing_field(SERVICE, OPERATION.name(), "the project's ARN"))
}

fn sdk_source(spec: &ProjectSpec<'_>) -> Result<ProjectSource, AwsError> {
    let source = match spec.source {
        Source::S3 { bucket, key } => {
            ProjectSource::builder().r#type(SourceType::S3).location(format!("{bucket}/{key}"))
        }
        Source::GitHub { url } => ProjectSource::builder().r#type(SourceType::Github).location(url).git_clone_depth(1),
    };
    source.set_buildspec(spec.buildspec.map(str::to_owned)).build().map_err(unbuildable)
}

fn sdk_environment(spec: &ProjectSpec<'_>) -> Result<ProjectEnvironment, AwsError> {
    let variables = spec
        .environment
        .iter()
        .map(|(name, value)| EnvironmentVariable::builder().name(name).value(value).build().map_err(unbuildable))
        .collect::<Result<Vec<_>, _>>()?;
    ProjectEnvironment::builder()
        .r#type(match spec.architecture {
            Architecture::X86_64 => EnvironmentType::LinuxContainer,
            Architecture::Arm64 => EnvironmentType::ArmContainer,
        })
        .image(spec.image)
        .image_pull_credentials_type(ImagePullCredentialsType::Codebuild)
        .compute_type(ComputeType::from(spec.compute_type))
        // Rule: docker inside a build needs privileged mode.
        // https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ProjectEnvironment.html
        .privileged_mode(true)
        .set_environment_variables(Some(variables))
        .build()
        .map_err(unbuildable)
}

/// The state of a build.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildState {
    /// `<project>:<uuid>`.
    pub id: String,
    /// The status.
    pub status: BuildStatus,
    /// Whether it has ended: the only condition to wait for, since a build has several final statuses.
    pub complete: bool,
    /// Its phases so far, in order.
    pub phases: Vec<Phase>,
    /// The log group; absent until the build has a machine.
    pub log_group: Option<String>,
    /// The log stream; absent until the build has a machine. See [`log_stream`].
    pub log_stream: Option<String>,
}

/// A build's, or a phase's, status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildStatus {
    /// In progress.
    InProgress,
    /// Succeeded.
    Succeeded,
    /// A command, the source or the role failed.
    Failed,
    /// CodeBuild failed.
    Fault,
    /// It timed out.
    TimedOut,
    /// It was stopped.
    Stopped,
    /// Another status, unknown to this program.
    Unknown,
}

impl BuildStatus {
    fn from_api(name: &str) -> Self {
        match name {
            "IN_PROGRESS" => Self::InProgress,
            "SUCCEEDED" => Self::Succeeded,
            "FAILED" | "CLIENT_ERROR" => Self::Failed,
            "FAULT" => Self::Fault,
            "TIMED_OUT" => Self::TimedOut,
            "STOPPED" => Self::Stopped,
            _ => Self::Unknown,
        }
    }

    /// Returns CodeBuild's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Fault => "FAULT",
            Self::TimedOut => "TIMED_OUT",
            Self::Stopped => "STOPPED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// A phase of a build.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// `SUBMITTED`, `QUEUED`, `PROVISIONING`, `DOWNLOAD_SOURCE`, `INSTALL`, `PRE_BUILD`, `BUILD`, `POST_BUILD`,
    /// `UPLOAD_ARTIFACTS`, `FINALIZING`, `COMPLETED`.
    pub kind: String,
    /// Its status; `None` while it is in progress.
    pub status: Option<BuildStatus>,
    /// Its duration, after its end.
    pub seconds: Option<f64>,
    /// The reasons of a failure: `COMMAND_EXECUTION_ERROR: …`.
    pub contexts: Vec<String>,
}

/// Starts a build of a project and returns its id.
///
/// # Errors
/// [`ErrorKind::NotFound`] without the project; [`ErrorKind::LimitExceeded`] for an account that may not build.
// Rule: for five minutes the same token means the same build. Without one, a repeated call (the SDK's retry after a
// lost response) starts a second build.
// https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html
pub async fn start_build(client: &Client, project: &str, token: &str) -> Result<String, AwsError> {
    const OPERATION: CodeBuildOperation = CodeBuildOperation::StartBuild;
    client
        .start_build()
        .project_name(project)
        .idempotency_token(token)
        .send()
        .await
        .map_err(failed(OPERATION))?
        .build_value
        .and_then(|build| build.id)
        .ok_or_else(|| AwsError::missing_field(SERVICE, OPERATION.name(), "the build's id"))
}

/// Returns the state of a build; `None` if it does not exist.
///
/// # Errors
/// When the call is denied; a missing build is no error.
pub async fn build(client: &Client, id: &str) -> Result<Option<BuildState>, AwsError> {
    let answer = client.batch_get_builds().ids(id).send().await.map_err(failed(CodeBuildOperation::BatchGetBuilds))?;
    Ok(answer.builds.unwrap_or_default().into_iter().next().map(|build| from_sdk(id, build)))
}

fn from_sdk(id: &str, build: aws_sdk_codebuild::types::Build) -> BuildState {
    let (log_group, log_stream) = build.logs.map(|logs| (logs.group_name, logs.stream_name)).unwrap_or_default();
    BuildState {
        id: build.id.unwrap_or_else(|| id.to_owned()),
        status: build.build_status.map_or(BuildStatus::InProgress, |status| BuildStatus::from_api(status.as_str())),
        complete: build.build_complete,
        phases: build.phases.unwrap_or_default().into_iter().filter_map(phase).collect(),
        log_group,
        log_stream,
    }
}

fn phase(phase: aws_sdk_codebuild::types::BuildPhase) -> Option<Phase> {
    // The service rounds to seconds; the two times are more precise.
    let seconds = match (phase.start_time, phase.end_time) {
        (Some(start), Some(end)) => Some((end.as_secs_f64() - start.as_secs_f64()).max(0.0)),
        _ => phase.duration_in_seconds.map(|seconds| seconds as f64),
    };
    Some(Phase {
        kind: phase.phase_type?.as_str().to_owned(),
        status: phase.phase_status.map(|status| BuildStatus::from_api(status.as_str())),
        seconds,
        contexts: phase.contexts.unwrap_or_default().into_iter().filter_map(context).collect(),
    })
}

// Successful phases have an empty context.
fn context(context: aws_sdk_codebuild::types::PhaseContext) -> Option<String> {
    let code = context.status_code.filter(|code| !code.is_empty());
    let message = context.message.filter(|message| !message.is_empty());
    match (code, message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (one, other) => one.or(other),
    }
}

/// Returns the log stream of a build.
// Rule: it is the part of the build's id after the colon.
// https://docs.aws.amazon.com/AWSJavaScriptSDK/latest/AWS/CodeBuild.html#batchGetBuilds-property
pub fn log_stream(build_id: &str) -> &str {
    build_id.split_once(':').map_or(build_id, |(_, uuid)| uuid)
}

/// Stops a build. One that has ended is not changed.
///
/// # Errors
/// [`ErrorKind::NotFound`] for a missing build.
pub async fn stop_build(client: &Client, id: &str) -> Result<(), AwsError> {
    client.stop_build().id(id).send().await.map_err(failed(CodeBuildOperation::StopBuild))?;
    Ok(())
}

/// Returns the id of a project's running build. Only the newest is looked at: a deployment has one build at a time.
///
/// # Errors
/// When a call is denied or fails; a missing project is no error.
pub async fn running_build(client: &Client, project: &str) -> Result<Option<String>, AwsError> {
    let Some(id) = builds_of(client, project).await?.unwrap_or_default().into_iter().next() else { return Ok(None) };
    let state = build(client, &id).await?;
    Ok(state.filter(|state| !state.complete).map(|_| id))
}

/// Returns the ids of a project's builds, newest first; `None` if the project does not exist.
///
/// # Errors
/// When a page is denied, or the listing has no end ([`ErrorKind::Oversized`]); a missing project is no error.
pub async fn builds_of(client: &Client, project: &str) -> Result<Option<Vec<String>>, AwsError> {
    let mut ids = Vec::new();
    let mut pages = Pages::new(SERVICE, "ListBuildsForProject");
    loop {
        let answer = client
            .list_builds_for_project()
            .project_name(project)
            .set_next_token(pages.token())
            .send()
            .await
            .map_err(failed(CodeBuildOperation::ListBuildsForProject));
        let Some(page) = error::optional(answer)? else {
            return Ok(None);
        };
        ids.extend(page.ids.unwrap_or_default());
        if !pages.continue_with(page.next_token)? {
            return Ok(Some(ids));
        }
    }
}

/// Deletes a project and its builds.
///
/// # Errors
/// [`ErrorKind::Conflict`] while a build is running: stop it, or wait for its end.
// Rule: deleting a project leaves its builds, which cannot be listed any more: they are deleted first, 100 at a time.
// DeleteProject succeeds for a missing project; listing its builds does not.
// https://docs.aws.amazon.com/codebuild/latest/APIReference/API_DeleteProject.html
pub async fn delete_project(client: &Client, name: &str) -> Result<Deleted, AwsError> {
    if builds_of(client, name).await?.is_none() {
        return Ok(Deleted::AlreadyGone);
    }
    delete_builds(client, name).await?;
    error::deleted(client.delete_project().name(name).send().await.map_err(failed(CodeBuildOperation::DeleteProject)))
}

/// Deletes a project's builds.
///
/// # Errors
/// [`ErrorKind::Conflict`] while a build is running: stop it, or wait for its end.
pub async fn delete_builds(client: &Client, project: &str) -> Result<Deleted, AwsError> {
    let builds = builds_of(client, project).await?.unwrap_or_default();
    for ids in builds.chunks(100) {
        let answer = client
            .batch_delete_builds()
            .set_ids(Some(ids.to_vec()))
            .send()
            .await
            .map_err(failed(CodeBuildOperation::BatchDeleteBuilds))?;
        // Rule: a running build is not deleted, without an error. Without its project it could not be found again.
        // AWS does not list the codes of
        // https://docs.aws.amazon.com/codebuild/latest/APIReference/API_BuildNotDeleted.html
        let kept = answer.builds_not_deleted.unwrap_or_default();
        let code = |build: &aws_sdk_codebuild::types::BuildNotDeleted| build.status_code.clone().unwrap_or_default();
        if let Some(build) = kept.iter().find(|build| !code(build).contains("NOT_FOUND")) {
            let (id, code) = (build.id.as_deref().unwrap_or("?"), code(build));
            let (kind, message) = if code.contains("IN_PROGRESS") {
                (ErrorKind::Conflict, format!("the build {id} is still running"))
            } else {
                (ErrorKind::Other, format!("the build {id} was not deleted: {code}"))
            };
            return Err(AwsError::new(SERVICE, "BatchDeleteBuilds", kind, message));
        }
    }
    Ok(if builds.is_empty() { Deleted::AlreadyGone } else { Deleted::Now })
}

/// Returns the projects with a name prefix, with their tags.
///
/// # Errors
/// When a page is denied, or the listing has no end ([`ErrorKind::Oversized`]).
pub async fn list_projects(client: &Client, prefix: &str) -> Result<Vec<Tagged>, AwsError> {
    let mut names = Vec::new();
    let mut pages = Pages::new(SERVICE, "ListProjects");
    loop {
        let page = client
            .list_projects()
            .set_next_token(pages.token())
            .send()
            .await
            .map_err(failed(CodeBuildOperation::ListProjects))?;
        names.extend(page.projects.unwrap_or_default().into_iter().filter(|name| name.starts_with(prefix)));
        if !pages.continue_with(page.next_token)? {
            break;
        }
    }
    let mut found = Vec::with_capacity(names.len());
    for names in names.chunks(100) {
        let projects = project::projects(client, names).await?.into_iter();
        found.extend(projects.map(|project| Tagged { name: project.name, arn: project.arn, tags: project.tags }));
    }
    Ok(found)
}
