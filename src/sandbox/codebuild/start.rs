//! Starting and stopping builds.

use std::path::PathBuf;
use std::sync::Arc;

use awsim_core::{AwsError, RequestContext};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::build::Build;
use super::phase::{Context, PhaseKind, Status};
use super::{Running, SERVICE, Store, invalid, now, project, run, text};

/// What of a project a build takes over.
const TAKEN_OVER: [&str; 9] = [
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

/// What `StartBuild` may say instead of the project: its member, and where that goes.
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

impl Store {
    /// Where running builds have their directories.
    pub(super) fn builds_dir(&self) -> PathBuf {
        self.services.data_dir().join(SERVICE).join("builds")
    }

    pub(super) fn start_build(self: &Arc<Self>, input: &Value, ctx: &RequestContext) -> Result<Value, AwsError> {
        let name = project::unqualified(text(input, "projectName")?);
        let build = {
            let mut state = self.lock();
            let token = input["idempotencyToken"].as_str();
            // On AWS a token is remembered for five minutes; here, for as long as its build is.
            if let Some(known) = token.and_then(|token| state.build_of_token(&ctx.region, name, token)) {
                return Ok(json!({ "build": known.describe() }));
            }
            let project = state.project(&ctx.region, name, &ctx.account_id)?;
            let mut settings: serde_json::Map<_, _> = TAKEN_OVER
                .iter()
                .filter_map(|member| Some(((*member).to_owned(), project.get(*member)?.clone())))
                .collect();
            settings.insert("encryptionKey".to_owned(), project["encryptionKey"].clone());
            let project_arn = project::arn(&ctx.region, &ctx.account_id, name);
            override_settings(&mut settings, input);
            project::check(&settings)?;

            let number = state.numbers.entry(project_arn).or_default();
            *number += 1;
            let id = format!("{name}:{}", uuid::Uuid::new_v4());
            let mut build = Build {
                arn: format!("arn:aws:codebuild:{}:{}:build/{id}", ctx.region, ctx.account_id),
                region: ctx.region.clone(),
                project: name.to_owned(),
                number: *number,
                initiator: ctx.access_key.clone().unwrap_or_else(|| "sandbox".to_owned()),
                start: now(),
                end: None,
                status: Status::InProgress,
                phases: Vec::new(),
                settings,
                stream: None,
                token: token.map(str::to_owned),
                exported: Vec::new(),
                id,
            };
            build.enter(PhaseKind::Submitted);
            build.leave(Status::Succeeded, Context::default());
            build.enter(PhaseKind::Queued);
            state.builds.insert(build.id.clone(), build.clone());
            build
        };
        let (stop, stopping) = watch::channel(false);
        let (end, ended) = watch::channel(false);
        let answer = json!({ "build": build.describe() });
        self.running().insert(build.id.clone(), Running { stop, ended });
        let store = Arc::clone(self);
        tokio::spawn(async move {
            let id = build.id.clone();
            run::run(&store, build, stopping).await;
            store.running().remove(&id);
            end.send_replace(true);
        });
        Ok(answer)
    }

    pub(super) async fn stop_build(&self, input: &Value, ctx: &RequestContext) -> Result<Value, AwsError> {
        let not_found =
            |id: &str| AwsError::bad_request("ResourceNotFoundException", format!("Build cannot be found: {id}"));
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

    /// Stops a build, if it is running, and comes back when it has ended.
    pub(super) async fn stop_and_wait(&self, id: &str) {
        let ended = self.running().get(id).map(|running| {
            running.stop.send_replace(true);
            running.ended.clone()
        });
        if let Some(mut ended) = ended {
            // An error means that the build's task is gone, which is an end, too.
            let _ = ended.wait_for(|ended| *ended).await;
        }
    }
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
