//! Build projects: validation and the operations that create, update, get and delete them.

use awsim_core::AwsError;
use serde_json::{Map, Value, json};

use super::{BuildStore, CodeBuildState, PRINCIPAL, invalid, listing, now, text};
use crate::account::ACCOUNT;
use crate::operation::{ApiCall, ApiResult};
use crate::unsupported_fields;

/// The members of a project besides its name.
const MEMBERS: [&str; 17] = [
    "description",
    "source",
    "secondarySources",
    "sourceVersion",
    "secondarySourceVersions",
    "artifacts",
    "secondaryArtifacts",
    "cache",
    "environment",
    "serviceRole",
    "timeoutInMinutes",
    "queuedTimeoutInMinutes",
    "encryptionKey",
    "tags",
    "logsConfig",
    "concurrentBuildLimit",
    "autoRetryLimit",
];

/// The environment types that the sandbox accepts.
const ENVIRONMENT_TYPES: [&str; 7] = [
    "LINUX_CONTAINER",
    "LINUX_GPU_CONTAINER",
    "LINUX_EC2",
    "LINUX_LAMBDA_CONTAINER",
    "ARM_CONTAINER",
    "ARM_EC2",
    "ARM_LAMBDA_CONTAINER",
];

/// The accepted compute types; the sandbox treats all the same.
const COMPUTE_TYPES: [&str; 12] = [
    "BUILD_GENERAL1_SMALL",
    "BUILD_GENERAL1_MEDIUM",
    "BUILD_GENERAL1_LARGE",
    "BUILD_GENERAL1_XLARGE",
    "BUILD_GENERAL1_2XLARGE",
    "BUILD_LAMBDA_1GB",
    "BUILD_LAMBDA_2GB",
    "BUILD_LAMBDA_4GB",
    "BUILD_LAMBDA_8GB",
    "BUILD_LAMBDA_10GB",
    "ATTRIBUTE_BASED_COMPUTE",
    "CUSTOM_INSTANCE_TYPE",
];

/// Features of projects that the sandbox does not have.
const UNSUPPORTED: [&str; 4] = ["vpcConfig", "fileSystemLocations", "buildBatchConfig", "badgeEnabled"];

impl CodeBuildState {
    /// A project of this region.
    pub(super) fn project(&self, region: &str, name: &str, account: &str) -> Result<&Map<String, Value>, AwsError> {
        self.projects.get(region).and_then(|projects| projects.get(name)).ok_or_else(|| {
            AwsError::bad_request(
                "ResourceNotFoundException",
                format!("Project cannot be found: {}", arn(region, account, name)),
            )
        })
    }
}

impl BuildStore {
    pub(super) async fn create_project(&self, ApiCall { input, context: ctx, .. }: ApiCall<'_>) -> ApiResult {
        check_shapes(input)?;
        let name = text(input, "name")?;
        if !valid_name(name) {
            return Err(invalid(format!(
                "Invalid project name '{name}': 2 to 150 letters, digits, '-' and '_', the first a letter or a digit"
            )));
        }
        for member in ["source", "artifacts", "environment", "serviceRole"] {
            if input[member].is_null() {
                return Err(invalid(format!("Invalid input: {member} is required")));
            }
        }
        let project_arn = arn(&ctx.region, &ctx.account_id, name);
        let already_exists = || {
            AwsError::bad_request("ResourceAlreadyExistsException", format!("Project already exists: {project_arn}"))
        };
        if self.lock().project(&ctx.region, name, &ctx.account_id).is_ok() {
            return Err(already_exists());
        }
        let mut project = Map::from_iter([
            ("name".to_owned(), json!(name)),
            ("arn".to_owned(), json!(project_arn)),
            ("created".to_owned(), json!(now())),
            ("badge".to_owned(), json!({ "badgeEnabled": false })),
            ("projectVisibility".to_owned(), json!("PRIVATE")),
            ("cache".to_owned(), json!({ "type": "NO_CACHE" })),
            ("timeoutInMinutes".to_owned(), json!(60)),
            ("queuedTimeoutInMinutes".to_owned(), json!(480)),
            ("tags".to_owned(), json!([])),
            ("encryptionKey".to_owned(), json!(format!("arn:aws:kms:{}:{}:alias/aws/s3", ctx.region, ctx.account_id))),
        ]);
        self.apply_request(&mut project, input).await?;
        let mut state = self.lock();
        let projects = state.projects.entry(ctx.region.clone()).or_default();
        // Another request may have created it during the role check.
        if projects.contains_key(name) {
            return Err(already_exists());
        }
        projects.insert(name.to_owned(), project.clone());
        Ok(json!({ "project": project }))
    }

    pub(super) async fn update_project(&self, ApiCall { input, context: ctx, .. }: ApiCall<'_>) -> ApiResult {
        check_shapes(input)?;
        let name = unqualified(text(input, "name")?);
        let mut project = self.lock().project(&ctx.region, name, &ctx.account_id)?.clone();
        self.apply_request(&mut project, input).await?;
        let mut state = self.lock();
        state.project(&ctx.region, name, &ctx.account_id)?;
        let projects = state.projects.entry(ctx.region.clone()).or_default();
        projects.insert(name.to_owned(), project.clone());
        Ok(json!({ "project": project }))
    }

    /// Copies the request's members into the project after validation.
    async fn apply_request(&self, project: &mut Map<String, Value>, input: &Value) -> Result<(), AwsError> {
        if let Some(member) = unsupported_fields::first_set(input, &UNSUPPORTED) {
            return Err(invalid(format!("Invalid input: the sandbox's projects do not have {member}")));
        }
        for member in MEMBERS {
            if !input[member].is_null() {
                project.insert(member.to_owned(), input[member].clone());
            }
        }
        project.insert("lastModified".to_owned(), json!(now()));
        if let Some(environment) = project.get_mut("environment") {
            let defaults = [
                ("environmentVariables", json!([])),
                ("privilegedMode", json!(false)),
                ("imagePullCredentialsType", json!("CODEBUILD")),
            ];
            for (member, default) in defaults {
                if environment[member].is_null() {
                    environment[member] = default;
                }
            }
        }
        check(project)?;
        if let Some(role) = input["serviceRole"].as_str() {
            // A new role may not be assumable yet; clients retry this error.
            self.services
                .assume_role(role, PRINCIPAL, "CreateProject")
                .await
                .map_err(|_| invalid(format!("CodeBuild is not authorized to perform: sts:AssumeRole on {role}")))?;
        }
        Ok(())
    }

    pub(super) fn delete_project(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let name = unqualified(text(input, "name")?);
        // As on AWS, a missing project is no error, and its builds stay.
        if let Some(projects) = self.lock().projects.get_mut(&ctx.region) {
            projects.remove(name);
        }
        Ok(json!({}))
    }

    pub(super) fn get_projects(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let names = input["names"]
            .as_array()
            .filter(|names| (1..=100).contains(&names.len()))
            .ok_or_else(|| invalid("Invalid input: names must have between 1 and 100 members"))?;
        let state = self.lock();
        let (mut projects, mut missing) = (Vec::new(), Vec::new());
        for given in names.iter().filter_map(Value::as_str) {
            match state.project(&ctx.region, unqualified(given), &ctx.account_id) {
                Ok(project) => projects.push(project),
                Err(_) => missing.push(given),
            }
        }
        Ok(json!({ "projects": projects, "projectsNotFound": missing }))
    }

    pub(super) fn list_projects(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let state = self.lock();
        let names = state.projects.get(&ctx.region);
        let items =
            names.into_iter().flat_map(|projects| projects.keys()).map(|name| (name.clone(), json!(name))).collect();
        listing(items, "projects", input)
    }
}

/// The name of a project given by name or ARN; Terraform deletes by ARN.
pub(super) fn unqualified(named: &str) -> &str {
    named.split_once(":project/").map_or(named, |(_, name)| name)
}

/// Checks that structures are objects or absent, which AWS checks when it parses the request.
pub(super) fn check_shapes(input: &Value) -> Result<(), AwsError> {
    const STRUCTURES: [&str; 6] = ["source", "artifacts", "environment", "logsConfig", "cache", "logsConfigOverride"];
    let wrong = |name: &&&str| !input[**name].is_null() && !input[**name].is_object();
    match STRUCTURES.iter().find(wrong) {
        Some(_) => {
            Err(AwsError::bad_request("SerializationException", "Start of structure or map found where not expected."))
        }
        None => Ok(()),
    }
}

/// Checks that the settings of a project or a build can be built.
pub(super) fn check(settings: &Map<String, Value>) -> Result<(), AwsError> {
    let member = |name: &str| settings.get(name).unwrap_or(&Value::Null);
    let source = member("source");
    let location = source["location"].as_str().unwrap_or_default();
    match source["type"].as_str() {
        Some("S3") if location.split_once('/').is_none_or(|(_, key)| key.is_empty()) => {
            return Err(invalid(
                "Invalid project source: location must be a valid S3 source for S3, as in bucket/path/source.zip",
            ));
        }
        Some("GITHUB") if !location.starts_with("https://github.com/") => {
            return Err(invalid("Invalid project source: location must be a valid GitHub https URL for GITHUB"));
        }
        Some("NO_SOURCE") if source["buildspec"].as_str().is_none_or(str::is_empty) => {
            return Err(invalid(
                "Invalid project source: for project with NO_SOURCE type, buildspec has to be provided",
            ));
        }
        Some("S3" | "GITHUB" | "NO_SOURCE") => {}
        Some(other) => {
            return Err(invalid(format!(
                "Invalid project source: the sandbox builds from S3, GITHUB and NO_SOURCE, not from {other}"
            )));
        }
        None => return Err(invalid("Invalid project source: type is required")),
    }
    if member("artifacts")["type"] != "NO_ARTIFACTS" {
        return Err(invalid("Invalid artifacts: the sandbox builds with NO_ARTIFACTS only"));
    }
    for required in ["type", "image", "computeType"] {
        if member("environment")[required].as_str().is_none_or(str::is_empty) {
            return Err(invalid(format!("Invalid environment: {required} is required")));
        }
    }
    let environment = |name: &str| member("environment")[name].as_str().unwrap_or_default();
    for (name, known) in [("type", &ENVIRONMENT_TYPES[..]), ("computeType", &COMPUTE_TYPES)] {
        let value = environment(name);
        if matches!(
            value,
            "WINDOWS_CONTAINER" | "WINDOWS_SERVER_2019_CONTAINER" | "WINDOWS_SERVER_2022_CONTAINER" | "MAC_ARM"
        ) {
            return Err(invalid(format!("Invalid environment type: the sandbox builds on Linux only, not on {value}")));
        }
        if !known.contains(&value) {
            return Err(invalid(format!(
                "1 validation error detected: Value '{value}' at 'environment.{name}' failed to satisfy constraint: Member must \
                 satisfy enum value set: [{}]",
                known.join(", ")
            )));
        }
    }
    check_role(member("serviceRole").as_str().unwrap_or_default())?;
    if let Some(description) = member("description").as_str().filter(|it| it.chars().count() > 255) {
        return Err(invalid(format!("Invalid description: {} characters, at most 255", description.chars().count())));
    }
    let limit = member("concurrentBuildLimit");
    if !limit.is_null() && limit.as_i64().is_none_or(|limit| limit < 1) {
        return Err(invalid("Invalid concurrentBuildLimit: must be at least 1"));
    }
    if let Some(variables) = member("environment")["environmentVariables"].as_array()
        && variables.iter().any(|variable| variable["name"].as_str().is_none_or(str::is_empty))
    {
        return Err(invalid("Invalid environment variable: name is required"));
    }
    for (timeout, range) in [("timeoutInMinutes", 5..=2160), ("queuedTimeoutInMinutes", 5..=480)] {
        let minutes = member(timeout);
        if !minutes.is_null() && !minutes.as_i64().is_some_and(|it| range.contains(&it)) {
            return Err(invalid(format!("Invalid {timeout}: must be between {} and {}", range.start(), range.end())));
        }
    }
    Ok(())
}

/// Checks that a text is the ARN of a role of this account.
fn check_role(role: &str) -> Result<(), AwsError> {
    let parts: Vec<_> = role.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, "iam", "", account, name] if partition.starts_with("aws") && name.starts_with("role/") => {
            if account == ACCOUNT {
                return Ok(());
            }
            Err(invalid("Invalid service role: Service role account ID does not match caller's account"))
        }
        _ => Err(invalid(format!("Invalid service role: '{role}' is not the ARN of a role"))),
    }
}

pub(super) fn arn(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:codebuild:{region}:{account}:project/{name}")
}

fn valid_name(name: &str) -> bool {
    (2..=150).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
