//! CodeBuild: projects and builds, which run real commands.
//!
//! A build runs its buildspec's commands in its own shell, with the credentials of the project's service role and a
//! clean environment. `docker`, `aws` and `cargo` on its PATH are the shims in [`crate::shims`]. Its log is written to
//! CloudWatch Logs while it runs.

mod build;
mod buildspec;
mod environment;
mod leftovers;
mod log;
mod permissions;
mod phase;
mod project;
mod run;
mod shell;
mod source;
mod start;
#[cfg(test)]
mod tests;
mod toolchain;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use awsim_core::{AwsError, Protocol, cap_max_results, paginate};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use self::build::Build;
use self::permissions::{of_build, of_builds, of_new_build, of_project, of_projects, of_settings};
use crate::latency::CallLatency;
use crate::operation::Handler::{Async, Sync};
use crate::operation::{Operation, Service, boxed};
use crate::service_registry::ServiceRegistry;

/// The service's name, in signatures and in snapshots.
const SERVICE: &str = "codebuild";
/// The service principal that assumes service roles.
const PRINCIPAL: &str = "codebuild.amazonaws.com";

/// Kills the build processes left by a killed sandbox with this data directory.
pub(crate) fn end_leftovers(data_dir: &std::path::Path) {
    leftovers::kill_below(&builds_below(data_dir));
}

/// The directory of the builds' directories.
fn builds_below(data_dir: &std::path::Path) -> PathBuf {
    data_dir.join(SERVICE).join("builds")
}

/// An embedded file of the function's source: path and bytes.
pub type EmbeddedFile = (&'static str, &'static [u8]);

/// Returns the files of the function's source.
pub type FunctionFiles = fn() -> &'static [EmbeddedFile];

/// The program's parts that builds use.
pub(crate) struct BuildHost {
    /// The executable that the shims link to.
    pub(crate) program: PathBuf,
    /// The function's source, for projects with a GitHub source.
    pub(crate) function: FunctionFiles,
}

struct BuildStore {
    services: Arc<ServiceRegistry>,
    host: BuildHost,
    state: Mutex<CodeBuildState>,
    /// The running builds by id.
    running: Mutex<HashMap<String, RunningBuild>>,
    timeout: BuildTimeout,
}

/// When a build times out.
enum BuildTimeout {
    /// After the project's timeout.
    ByClock,
    /// On a test's signal.
    #[cfg(test)]
    OnSignal(Arc<tokio::sync::Notify>),
}

impl BuildTimeout {
    /// Waits until a build with a timeout of `minutes` has timed out.
    async fn expire(&self, minutes: u32) {
        match self {
            Self::ByClock => tokio::time::sleep(Duration::from_secs(60) * minutes).await,
            #[cfg(test)]
            Self::OnSignal(signal) => signal.notified().await,
        }
    }
}

/// A running build's stop signal and end notification.
struct RunningBuild {
    stop: watch::Sender<bool>,
    outcome: watch::Receiver<bool>,
}

/// The saved state.
#[derive(Default, Serialize, Deserialize)]
struct CodeBuildState {
    /// Projects by region and name, in the form of `BatchGetProjects`.
    projects: BTreeMap<String, BTreeMap<String, Map<String, Value>>>,
    /// Builds by id.
    builds: BTreeMap<String, Build>,
    /// The number of builds so far by project ARN.
    numbers: BTreeMap<String, u64>,
}

impl BuildStore {
    fn lock(&self) -> MutexGuard<'_, CodeBuildState> {
        crate::sync::lock(&self.state)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, RunningBuild>> {
        crate::sync::lock(&self.running)
    }

    /// Changes a build and saves the state.
    fn change(&self, id: &str, change: impl FnOnce(&mut Build)) {
        if let Some(build) = self.lock().builds.get_mut(id) {
            change(build);
        }
        self.services.save(SERVICE);
    }
}

/// CodeBuild's API.
pub(crate) struct CodeBuildService {
    store: Arc<BuildStore>,
}

impl CodeBuildService {
    /// Creates a service without projects and builds.
    pub(crate) fn new(services: Arc<ServiceRegistry>, host: BuildHost) -> Self {
        Self::with_timeout(services, host, BuildTimeout::ByClock)
    }

    fn with_timeout(services: Arc<ServiceRegistry>, host: BuildHost, timeout: BuildTimeout) -> Self {
        Self {
            store: Arc::new(BuildStore { services, host, state: Mutex::default(), running: Mutex::default(), timeout }),
        }
    }

    /// Ends the unfinished builds of an earlier sandbox.
    pub(crate) fn clear_leftovers(&self) {
        for build in self.store.lock().builds.values_mut().filter(|build| !build.is_complete()) {
            leftovers::kill(&build.id);
            build.abandon();
        }
        // Files that cannot be deleted only cost space.
        let _ = self.store.remove_directory(None);
    }

    /// Stops every build and waits until its processes have ended.
    pub(crate) async fn close(&self) {
        let ids: Vec<_> = self.store.running().keys().cloned().collect();
        for id in ids {
            self.store.stop_and_wait(&id).await;
        }
    }
}

type CodeBuildOperation = Operation<CodeBuildService>;

const CODEBUILD: CallLatency = CallLatency::CODEBUILD;
const START: CallLatency = CallLatency::CODEBUILD_START;

impl Service for CodeBuildService {
    const NAME: &'static str = SERVICE;
    const PROTOCOL: Protocol = Protocol::AwsJson1_1;
    const REFERENCE: &'static str = "https://docs.aws.amazon.com/codebuild/latest/APIReference/";
    const OPERATIONS: &'static [Operation<Self>] = &[
        CodeBuildOperation::write("CreateProject", START, of_settings, boxed!(store.create_project)),
        CodeBuildOperation::write("UpdateProject", CODEBUILD, of_settings, boxed!(store.update_project)),
        CodeBuildOperation::write(
            "DeleteProject",
            CODEBUILD,
            of_project,
            Sync(|it, call| it.store.delete_project(call)),
        ),
        CodeBuildOperation::read(
            "BatchGetProjects",
            CODEBUILD,
            of_projects,
            Sync(|it, call| it.store.get_projects(call)),
        ),
        CodeBuildOperation::read("ListProjects", CODEBUILD, of_project, Sync(|it, call| it.store.list_projects(call))),
        CodeBuildOperation::write("StartBuild", START, of_new_build, Sync(|it, call| it.store.start_build(call))),
        CodeBuildOperation::write("RetryBuild", CODEBUILD, of_build, Sync(|it, call| it.store.retry_build(call))),
        CodeBuildOperation::write("StopBuild", CODEBUILD, of_build, boxed!(store.stop_build)),
        CodeBuildOperation::read("BatchGetBuilds", CODEBUILD, of_builds, Sync(|it, call| it.store.get_builds(call))),
        CodeBuildOperation::read(
            "ListBuilds",
            CODEBUILD,
            of_project,
            Sync(|it, call| it.store.list_builds(call, None)),
        ),
        CodeBuildOperation::read(
            "ListBuildsForProject",
            CODEBUILD,
            of_project,
            Sync(|it, call| it.store.list_builds(call, Some(text(call.input, "projectName")?))),
        ),
        CodeBuildOperation::write(
            "BatchDeleteBuilds",
            CODEBUILD,
            of_builds,
            Sync(|it, call| it.store.delete_builds(call)),
        ),
    ];

    fn snapshot(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(&*self.store.lock()).ok()
    }

    fn restore(&self, data: &[u8]) -> Result<(), String> {
        *self.store.lock() = serde_json::from_slice(data).map_err(|error| error.to_string())?;
        Ok(())
    }
}

/// A required member of the request.
fn text<'a>(input: &'a Value, member: &str) -> Result<&'a str, AwsError> {
    input[member].as_str().ok_or_else(|| invalid(format!("Invalid input: {member} is required")))
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidInputException", message)
}

/// The time in seconds with a fraction, as in awsJson.
fn now() -> f64 {
    Utc::now().timestamp_millis() as f64 / 1000.0
}

/// The account in an ARN.
fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

/// One page of a listing of up to 100 items, each under its unique key.
fn listing(mut items: Vec<(String, Value)>, member: &str, input: &Value) -> Result<Value, AwsError> {
    items.sort_by(|one, other| one.0.cmp(&other.0));
    let size = cap_max_results(input["maxResults"].as_i64(), 100, 100);
    let page = paginate(items, size, input["nextToken"].as_str(), |(key, _)| key.clone())?;
    let values = page.items.into_iter().map(|(_, value)| value).collect();
    let mut answer = Map::from_iter([(member.to_owned(), Value::Array(values))]);
    if let Some(token) = page.next_token {
        answer.insert("nextToken".to_owned(), json!(token));
    }
    Ok(Value::Object(answer))
}
