//! A project as CodeBuild describes it.

use aws_sdk_codebuild::Client;
use aws_sdk_codebuild::types::{Project as SdkProject, ProjectEnvironment, ProjectSource};

use super::super::error::AwsError;
use super::super::operation::CodeBuildOperation;
use super::super::tags::{self, Tags};
use super::failed;

/// A project as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// A line for people.
    pub description: Option<String>,
    /// Where its source comes from.
    pub source: SourceDescription,
    /// The image that builds run in.
    pub image: Option<String>,
    /// The machine that they run on, as CodeBuild names it.
    pub compute_type: Option<String>,
    /// What kind of container it is: `LINUX_CONTAINER`, `ARM_CONTAINER`, ….
    pub environment_type: Option<String>,
    /// Whether docker may run in them.
    pub privileged: Option<bool>,
    /// The builds' environment variables, in the project's order.
    pub environment: Vec<Variable>,
    /// The service role's ARN.
    pub role_arn: Option<String>,
    /// How long a build may take.
    pub timeout_minutes: Option<u32>,
    /// How long a build may wait for a machine.
    pub queued_timeout_minutes: Option<u32>,
    /// The log group that builds write to, if it is not CodeBuild's own choice.
    pub log_group: Option<String>,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: Option<i64>,
    /// When it was changed last, in milliseconds since 1970.
    pub modified_ms: Option<i64>,
    /// Its tags.
    pub tags: Tags,
}

/// Where a project's source comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceDescription {
    /// `S3`, `GITHUB`, ….
    pub kind: Option<String>,
    /// `<bucket>/<key>`, or a URL.
    pub location: Option<String>,
    /// A buildspec in place of the source's own: its path in the source, or its text.
    pub buildspec: Option<String>,
}

/// One of the builds' environment variables.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, or where that is kept; see [`Self::kept_in`].
    pub value: String,
    /// `PARAMETER_STORE` or `SECRETS_MANAGER`, if that is where the value is kept.
    pub kept_in: Option<String>,
}

// Not derived: a value may be a secret.
impl std::fmt::Debug for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Variable").field("name", &self.name).field("kept_in", &self.kept_in).finish_non_exhaustive()
    }
}

/// A project by its name; `None` if it is not there.
pub async fn project(client: &Client, name: &str) -> Result<Option<Project>, AwsError> {
    Ok(projects(client, &[name.to_owned()]).await?.pop())
}

/// Those of up to 100 projects that are there.
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
            kept_in: variable.r#type.map(|kind| kind.as_str().to_owned()).filter(|kind| kind != "PLAINTEXT"),
        })
        .collect()
}
