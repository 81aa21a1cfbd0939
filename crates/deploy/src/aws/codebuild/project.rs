//! The description of a project.

use aws_sdk_codebuild::Client;
use aws_sdk_codebuild::types::{Project as SdkProject, ProjectEnvironment, ProjectSource};

use super::super::error::AwsError;
use super::super::operation::CodeBuildOperation;
use super::super::tags::{self, Tags};
use super::failed;

/// A project's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its description.
    pub description: Option<String>,
    /// Its source.
    pub source: SourceDescription,
    /// The build image.
    pub image: Option<String>,
    /// Its compute type.
    pub compute_type: Option<String>,
    /// The environment type: `LINUX_CONTAINER`, `ARM_CONTAINER`, ….
    pub environment_type: Option<String>,
    /// Whether builds can use docker.
    pub privileged: Option<bool>,
    /// The builds' environment variables, in the project's order.
    pub environment: Vec<Variable>,
    /// The service role's ARN.
    pub role_arn: Option<String>,
    /// The timeout of a build.
    pub timeout_minutes: Option<u32>,
    /// The queue timeout of a build.
    pub queued_timeout_minutes: Option<u32>,
    /// The builds' log group, if one is configured.
    pub log_group: Option<String>,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: Option<i64>,
    /// When it was last changed, in milliseconds since 1970.
    pub modified_ms: Option<i64>,
    /// Its tags.
    pub tags: Tags,
}

/// The source of a project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceDescription {
    /// `S3`, `GITHUB`, ….
    pub kind: Option<String>,
    /// `<bucket>/<key>`, or a URL.
    pub location: Option<String>,
    /// A buildspec to use instead of the source's own: its path in the source, or its text.
    pub buildspec: Option<String>,
}

/// An environment variable of the builds.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, or its location; see [`Self::store`].
    pub value: String,
    /// `PARAMETER_STORE` or `SECRETS_MANAGER`, if the value is kept there.
    pub store: Option<String>,
}

// Not derived: a value may be a secret.
impl std::fmt::Debug for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Variable").field("name", &self.name).field("store", &self.store).finish_non_exhaustive()
    }
}

/// Returns a project by its name; `None` if it does not exist.
///
/// # Errors
/// When the call is denied; a missing project is no error.
pub async fn project(client: &Client, name: &str) -> Result<Option<Project>, AwsError> {
    Ok(projects(client, &[name.to_owned()]).await?.pop())
}

/// Returns the existing ones of up to 100 projects.
pub(super) async fn projects(client: &Client, names: &[String]) -> Result<Vec<Project>, AwsError> {
    let answer = client
        .batch_get_projects()
        .set_names(Some(names.to_vec()))
        .send()
        .await
        .map_err(failed(CodeBuildOperation::BatchGetProjects))?;
    Ok(answer.projects.unwrap_or_default().into_iter().filter_map(from_sdk).collect())
}

fn from_sdk(project: SdkProject) -> Option<Project> {
    let minutes = |minutes: Option<i32>| minutes.and_then(|minutes| u32::try_from(minutes).ok());
    let tags = project.tags.unwrap_or_default().into_iter().filter_map(|tag| Some((tag.key?, tag.value?)));
    let environment = project.environment;
    Some(Project {
        name: project.name?,
        arn: project.arn?,
        description: project.description,
        source: project.source.map(source).unwrap_or_default(),
        image: environment.as_ref().map(|environment| environment.image.clone()),
        compute_type: environment.as_ref().map(|environment| environment.compute_type.as_str().to_owned()),
        environment_type: environment.as_ref().map(|environment| environment.r#type.as_str().to_owned()),
        privileged: environment.as_ref().and_then(|environment| environment.privileged_mode),
        environment: environment.map(variables).unwrap_or_default(),
        role_arn: project.service_role,
        timeout_minutes: minutes(project.timeout_in_minutes),
        queued_timeout_minutes: minutes(project.queued_timeout_in_minutes),
        log_group: project.logs_config.and_then(|logs| logs.cloud_watch_logs).and_then(|logs| logs.group_name),
        created_ms: project.created.and_then(|at| at.to_millis().ok()),
        modified_ms: project.last_modified.and_then(|at| at.to_millis().ok()),
        tags: tags::from_pairs(tags),
    })
}

fn source(source: ProjectSource) -> SourceDescription {
    SourceDescription {
        kind: Some(source.r#type.as_str().to_owned()),
        location: source.location.filter(|location| !location.is_empty()),
        buildspec: source.buildspec.filter(|buildspec| !buildspec.is_empty()),
    }
}

fn variables(environment: ProjectEnvironment) -> Vec<Variable> {
    let variables = environment.environment_variables.unwrap_or_default().into_iter();
    variables
        .map(|variable| Variable {
            name: variable.name,
            value: variable.value,
            store: variable.r#type.map(|kind| kind.as_str().to_owned()).filter(|kind| kind != "PLAINTEXT"),
        })
        .collect()
}
