//! Starts, retries and stops builds.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use awsim_core::AwsError;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::build::{AutoRetry, Build};
use super::phase::{BuildStatus, PhaseContext, PhaseKind};
use super::{BuildStore, CodeBuildState, RunningBuild, SERVICE, invalid, now, project, run, text};
use crate::operation::{ApiCall, ApiResult};
use crate::storage::tree;

/// The name of the builds' directory in CodeBuild's directory.
const BUILDS: &str = "builds";

/// The project's members that a build copies.
const COPIED_MEMBERS: [&str; 9] = [
    "source",
    "sourceVersion",
    "artifacts",
    "cache",
    "environment",
    "serviceRole",
    "timeoutInMinutes",
    "queuedTimeoutInMinutes",
    "logsConfig",
];

/// `StartBuild`'s overrides: its member, the setting, and a member of the setting.
const OVERRIDES: [(&str, &str, &str); 14] = [
    ("sourceVersion", "sourceVersion", ""),
    ("artifactsOverride", "artifacts", ""),
    ("cacheOverride", "cache", ""),
    ("serviceRoleOverride", "serviceRole", ""),
    ("timeoutInMinutesOverride", "timeoutInMinutes", ""),
    ("queuedTimeoutInMinutesOverride", "queuedTimeoutInMinutes", ""),
    ("logsConfigOverride", "logsConfig", ""),
    ("sourceTypeOverride", "source", "type"),
    ("sourceLocationOverride", "source", "location"),
    ("buildspecOverride", "source", "buildspec"),
    ("imageOverride", "environment", "image"),
    ("computeTypeOverride", "environment", "computeType"),
    ("environmentTypeOverride", "environment", "type"),
    ("privilegedModeOverride", "environment", "privilegedMode"),
];

impl BuildStore {
    /// The directory of the running builds' directories.
    pub(super) fn builds_dir(&self) -> PathBuf {
        super::builds_below(self.services.data_dir())
    }

    /// Deletes the directory of one build or of all.
    pub(super) fn remove_directory(&self, build: Option<&OsStr>) -> io::Result<()> {
        match build {
            Some(build) => tree::remove(&self.builds_dir(), build),
            None => tree::remove(&self.services.data_dir().join(SERVICE), BUILDS),
        }
    }

    pub(super) fn start_build(self: &Arc<Self>, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        project::check_shapes(input)?;
        let name = project::unqualified(text(input, "projectName")?);
        let build = {
            let mut state = self.lock();
            let token = input["idempotencyToken"].as_str();
            // AWS keeps a token for five minutes; here it is kept with its build.
            if let Some(known) = token.and_then(|token| state.build_of_token(&ctx.region, name, token)) {
                return Ok(json!({ "build": known.describe() }));
            }
            let project = state.project(&ctx.region, name, &ctx.account_id)?;
            let mut settings: serde_json::Map<_, _> = COPIED_MEMBERS
                .iter()
                .filter_map(|member| Some(((*member).to_owned(), project.get(*member)?.clone())))
                .collect();
            settings.insert("encryptionKey".to_owned(), project["encryptionKey"].clone());
            let limit = project.get("concurrentBuildLimit").and_then(Value::as_u64);
            let retries = input["autoRetryLimitOverride"].as_u64().or_else(|| project.get("autoRetryLimit")?.as_u64());
            override_settings(&mut settings, input);
            project::check(&settings)?;
            let running =
                state.builds.values().filter(|it| it.region == ctx.region && it.project == name && !it.is_complete());
            if let Some(limit) = limit.filter(|limit| running.count() as u64 >= *limit) {
                return Err(AwsError::bad_request(
                    "AccountLimitExceededException",
                    format!("Cannot have more than {limit} active builds for the project {name}"),
                ));
            }
            let build = Build {
                arn: String::new(),
                region: ctx.region.clone(),
                project: name.to_owned(),
                number: 0,
                initiator: ctx.access_key.clone().unwrap_or_else(|| "sandbox".to_owned()),
                start: now(),
                end: None,
                status: BuildStatus::InProgress,
                phases: Vec::new(),
                settings,
                stream: None,
                token: token.map(str::to_owned),
                retry: AutoRetry { limit: retries.unwrap_or(0), ..AutoRetry::default() },
                exported: Vec::new(),
                id: String::new(),
            };
            state.submit(build, &ctx.account_id)
        };
        Ok(self.launch(build))
    }

    /// Handles `RetryBuild`: starts another build with an ended build's settings.
    pub(super) fn retry_build(self: &Arc<Self>, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let name = text(input, "id")?;
        let build = {
            let mut state = self.lock();
            let known = state.find_build(&ctx.region, name).ok_or_else(|| not_found(name))?;
            if !known.is_complete() {
                return Err(invalid(format!("Build {} is still in progress, it cannot be retried", known.id)));
            }
            let token = input["idempotencyToken"].as_str();
            if let Some(known) = token.and_then(|token| state.build_of_token(&ctx.region, &known.project, token)) {
                return Ok(json!({ "build": known.describe() }));
            }
            let initiator = ctx.access_key.clone().unwrap_or_else(|| "sandbox".to_owned());
            let build =
                Build { initiator, token: token.map(str::to_owned), ..known.copy_for_retry(AutoRetry::default()) };
            state.submit(build, &ctx.account_id)
        };
        Ok(self.launch(build))
    }

    /// Retries a failed build if it or its failed phase has retries left.
    fn retry_automatically(self: &Arc<Self>, id: &str, retries: Option<u64>) {
        let next = {
            let mut state = self.lock();
            let Some(failed) = state.builds.get_mut(id) else { return };
            failed.retry.limit = retries.unwrap_or(failed.retry.limit);
            if failed.retry.number >= failed.retry.limit {
                return;
            }
            let (number, limit) = (failed.retry.number + 1, failed.retry.limit);
            let previous = Some(failed.arn.clone());
            let account = super::account_of(&failed.arn).to_owned();
            let next = failed.copy_for_retry(AutoRetry { number, limit, previous, next: None });
            let next = state.submit(next, &account);
            if let Some(failed) = state.builds.get_mut(id) {
                failed.retry.next = Some(next.arn.clone());
            }
            next
        };
        self.launch(next);
        self.services.save(SERVICE);
    }

    /// Starts a build, and returns `StartBuild`'s response.
    fn launch(self: &Arc<Self>, build: Build) -> Value {
        let (stop, stopping) = watch::channel(false);
        let (end, outcome) = watch::channel(false);
        let answer = json!({ "build": build.describe() });
        self.running().insert(build.id.clone(), RunningBuild { stop, outcome });
        let store = Arc::clone(self);
        tokio::spawn(async move {
            let id = build.id.clone();
            let how = run::run(&store, build, stopping).await;
            store.running().remove(&id);
            if how.status == BuildStatus::Failed {
                store.retry_automatically(&id, how.retries);
            }
            end.send_replace(true);
        });
        answer
    }

    pub(super) async fn stop_build(&self, ApiCall { input, context: ctx, .. }: ApiCall<'_>) -> ApiResult {
        let name = text(input, "id")?;
        let id =
            self.lock().find_build(&ctx.region, name).map(|build| build.id.clone()).ok_or_else(|| not_found(name))?;
        self.stop_and_wait(&id).await;
        let state = self.lock();
        let build = state.builds.get(&id).ok_or_else(|| not_found(name))?;
        if !build.is_complete() {
            return Err(invalid(format!("Build {id} cannot be stopped")));
        }
        Ok(json!({ "build": build.describe() }))
    }

    /// Stops a running build and waits for its end.
    pub(super) async fn stop_and_wait(&self, id: &str) {
        let outcome = self.running().get(id).map(|running| {
            running.stop.send_replace(true);
            running.outcome.clone()
        });
        if let Some(mut outcome) = outcome {
            // An error means that the build's task has ended.
            let _ = outcome.wait_for(|outcome| *outcome).await;
        }
    }
}

impl CodeBuildState {
    /// Sets a build's id and number, and queues it.
    fn submit(&mut self, build: Build, account: &str) -> Build {
        let number = self.numbers.entry(project::arn(&build.region, account, &build.project)).or_default();
        *number += 1;
        let id = format!("{}:{}", build.project, uuid::Uuid::new_v4());
        let arn = format!("arn:aws:codebuild:{}:{account}:build/{id}", build.region);
        let mut build = Build { arn, number: *number, id: id.clone(), ..build };
        build.enter(PhaseKind::Submitted);
        build.leave(BuildStatus::Succeeded, PhaseContext::default());
        build.enter(PhaseKind::Queued);
        self.builds.insert(id, build.clone());
        build
    }
}

fn not_found(id: &str) -> AwsError {
    AwsError::bad_request("ResourceNotFoundException", format!("Build cannot be found: {id}"))
}

fn override_settings(settings: &mut serde_json::Map<String, Value>, input: &Value) {
    for (given, member, inner) in OVERRIDES {
        let value = &input[given];
        if value.is_null() {
            continue;
        }
        let slot = settings.entry(member).or_insert(Value::Null);
        match inner {
            "" => *slot = value.clone(),
            inner => slot[inner] = value.clone(),
        }
    }
    let variables = input["environmentVariablesOverride"].as_array();
    let Some(kept) = settings.get_mut("environment").and_then(|it| it["environmentVariables"].as_array_mut()) else {
        return;
    };
    for variable in variables.into_iter().flatten() {
        kept.retain(|other| other["name"] != variable["name"]);
        kept.push(variable.clone());
    }
}
