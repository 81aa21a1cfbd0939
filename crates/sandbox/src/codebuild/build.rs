//! Builds: their record, its form in the API, and the operations that list, get and delete them.

use awsim_core::AwsError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::log::LogDestination;
use super::phase::{BuildStatus, Phase, PhaseContext, PhaseKind};
use super::{BuildStore, CodeBuildState, invalid, listing, now};
use crate::operation::{ApiCall, ApiResult};

/// One build.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Build {
    /// `<project>:<uuid>`.
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) region: String,
    pub(super) project: String,
    pub(super) number: u64,
    pub(super) initiator: String,
    pub(super) start: f64,
    pub(super) end: Option<f64>,
    pub(super) status: BuildStatus,
    pub(super) phases: Vec<Phase>,
    /// The project's settings at the start with `StartBuild`'s overrides, under their API names: `source`, `environment`,
    /// `serviceRole` and so on.
    pub(super) settings: Map<String, Value>,
    /// The log stream, once it exists.
    pub(super) stream: Option<String>,
    /// `StartBuild`'s idempotency token.
    #[serde(default)]
    pub(super) token: Option<String>,
    /// The build's place in a series of automatic retries.
    #[serde(default)]
    pub(super) retry: AutoRetry,
    /// `env.exported-variables` with their values.
    pub(super) exported: Vec<(String, String)>,
}

/// A build's place in a series of automatic retries.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct AutoRetry {
    pub(super) number: u64,
    pub(super) limit: u64,
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
}

impl AutoRetry {
    fn describe(&self) -> Value {
        let mut retry = json!({ "autoRetryLimit": self.limit, "autoRetryNumber": self.number });
        for (name, arn) in [("previousAutoRetry", &self.previous), ("nextAutoRetry", &self.next)] {
            if let Some(arn) = arn {
                retry[name] = json!(arn);
            }
        }
        retry
    }
}

impl Build {
    /// Copies the build for a retry: not started, and without an id until [`CodeBuildState::submit`].
    pub(super) fn copy_for_retry(&self, retry: AutoRetry) -> Self {
        Self {
            start: now(),
            end: None,
            status: BuildStatus::InProgress,
            phases: Vec::new(),
            stream: None,
            token: None,
            exported: Vec::new(),
            retry,
            ..self.clone()
        }
    }

    /// Whether the build has ended.
    pub(super) fn is_complete(&self) -> bool {
        self.end.is_some()
    }

    /// A setting of the build; null if it is not set.
    pub(super) fn setting(&self, name: &str) -> &Value {
        self.settings.get(name).unwrap_or(&Value::Null)
    }

    /// The destination of its log: `logsConfig` may name group and stream.
    pub(super) fn log_destination(&self) -> LogDestination {
        let config = &self.setting("logsConfig")["cloudWatchLogs"];
        let uuid = self.id.split_once(':').map_or(&*self.id, |(_, uuid)| uuid);
        let group =
            config["groupName"].as_str().map_or_else(|| format!("/aws/codebuild/{}", self.project), str::to_owned);
        let stream = config["streamName"].as_str().map_or_else(|| uuid.to_owned(), |prefix| format!("{prefix}/{uuid}"));
        LogDestination { region: self.region.clone(), group, stream }
    }

    /// Starts a phase.
    pub(super) fn enter(&mut self, kind: PhaseKind) {
        self.phases.push(Phase { kind, start: now(), end: None });
    }

    /// Ends the running phase, if any.
    pub(super) fn leave(&mut self, status: BuildStatus, context: PhaseContext) {
        if let Some(phase) = self.phases.last_mut().filter(|phase| phase.end.is_none()) {
            phase.end = Some((now(), status, context));
        }
    }

    /// Ends the build.
    pub(super) fn complete(&mut self, status: BuildStatus) {
        self.enter(PhaseKind::Completed);
        self.status = status;
        self.end = Some(now());
    }

    /// Ends a build as failed because its sandbox ended.
    pub(super) fn abandon(&mut self) {
        let context = PhaseContext::new("INTERNAL_SERVICE_ERROR", "The sandbox ended while this build was running");
        self.leave(BuildStatus::Fault, context);
        self.complete(BuildStatus::Fault);
    }

    /// The form of `BatchGetBuilds`.
    pub(super) fn describe(&self) -> Value {
        let current = self.phases.last().map_or("SUBMITTED", |it| it.kind.name());
        let phases: Vec<_> = self.phases.iter().map(Phase::describe).collect();
        let exported: Vec<_> =
            self.exported.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let mut build = json!({
            "id": self.id,
            "arn": self.arn,
            "buildNumber": self.number,
            "startTime": self.start,
            "currentPhase": current,
            "buildStatus": self.status.name(),
            "buildComplete": self.is_complete(),
            "projectName": self.project,
            "phases": phases,
            "initiator": self.initiator,
            "logs": self.describe_logs(),
            "exportedEnvironmentVariables": exported,
        });
        if self.retry.limit > 0 {
            build["autoRetryConfig"] = self.retry.describe();
        }
        if let Some(end) = self.end {
            build["endTime"] = json!(end);
        }
        if let Some(build) = build.as_object_mut() {
            for (name, value) in &self.settings {
                // A build has its log configuration in `logs`.
                if name != "logsConfig" {
                    build.insert(name.clone(), value.clone());
                }
            }
        }
        build
    }

    fn describe_logs(&self) -> Value {
        let destination = self.log_destination();
        let mut logs = json!({
            "cloudWatchLogs": { "status": "ENABLED" },
            "s3Logs": { "status": "DISABLED" },
        });
        if let Some(config) = self.setting("logsConfig").as_object() {
            for (name, value) in config {
                logs[name] = value.clone();
            }
        }
        // Absent until the stream exists, as on AWS.
        if let Some(stream) = &self.stream {
            let encoded = |text: &str| text.replace('/', "$252F");
            let region = &destination.region;
            logs["groupName"] = json!(destination.group);
            logs["streamName"] = json!(stream);
            logs["deepLink"] = json!(format!(
                "https://console.aws.amazon.com/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{}/log-events/{}",
                encoded(&destination.group),
                encoded(stream)
            ));
            logs["cloudWatchLogsArn"] = json!(format!(
                "arn:aws:logs:{region}:{}:log-group:{}:log-stream:{stream}",
                super::account_of(&self.arn),
                destination.group
            ));
        }
        logs
    }
}

impl CodeBuildState {
    /// A build of this region by id or ARN.
    pub(super) fn find_build(&self, region: &str, name: &str) -> Option<&Build> {
        let id = name.split_once(":build/").map_or(name, |(_, id)| id);
        self.builds.get(id).filter(|build| build.region == region)
    }

    /// The build started with this idempotency token.
    pub(super) fn build_of_token(&self, region: &str, project: &str, token: &str) -> Option<&Build> {
        let is_it = |build: &&Build| {
            build.region == region && build.project == project && build.token.as_deref() == Some(token)
        };
        self.builds.values().find(is_it)
    }
}

impl BuildStore {
    pub(super) fn get_builds(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let state = self.lock();
        let (mut builds, mut missing) = (Vec::new(), Vec::new());
        for id in ids(input)? {
            match state.find_build(&ctx.region, id) {
                Some(build) => builds.push(build.describe()),
                None => missing.push(id),
            }
        }
        Ok(json!({ "builds": builds, "buildsNotFound": missing }))
    }

    /// Handles `ListBuilds` and, with a project, `ListBuildsForProject`: newest first by default.
    pub(super) fn list_builds(
        &self,
        &ApiCall { input, context: ctx, .. }: &ApiCall<'_>,
        project: Option<&str>,
    ) -> ApiResult {
        let state = self.lock();
        if let Some(project) = project {
            state.project(&ctx.region, project, &ctx.account_id)?;
        }
        let ascending = input["sortOrder"] == "ASCENDING";
        let items = state
            .builds
            .values()
            .filter(|build| build.region == ctx.region)
            .filter(|build| project.is_none_or(|project| build.project == project))
            .map(|build| {
                // Within a project, ordered by number, since clocks may stop or go back.
                let age = if project.is_some() { build.number } else { (build.start * 1e6) as u64 };
                let rank = if ascending { age } else { u64::MAX - age };
                (format!("{rank:020} {}", build.id), json!(build.id))
            })
            .collect();
        listing(items, "ids", input)
    }

    pub(super) fn delete_builds(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let mut state = self.lock();
        let (mut deleted, mut kept) = (Vec::new(), Vec::new());
        for name in ids(input)? {
            let found = state
                .find_build(&ctx.region, name)
                .map(|build| (build.id.clone(), build.arn.clone(), build.is_complete()));
            match found {
                Some((id, arn, true)) => {
                    state.builds.remove(&id);
                    deleted.push(json!(arn));
                }
                Some((id, _, false)) => {
                    kept.push(json!({ "id": id, "statusCode": "BUILD_IN_PROGRESS" }));
                }
                None => kept.push(json!({ "id": name, "statusCode": "BUILD_NOT_FOUND" })),
            }
        }
        Ok(json!({ "buildsDeleted": deleted, "buildsNotDeleted": kept }))
    }
}

fn ids(input: &Value) -> Result<impl Iterator<Item = &str>, AwsError> {
    match input["ids"].as_array() {
        Some(ids) if (1..=100).contains(&ids.len()) => Ok(ids.iter().filter_map(Value::as_str)),
        _ => Err(invalid("Invalid input: ids must have between 1 and 100 members")),
    }
}
