//! The Terraform strategy: the user's own Terraform, on a self-contained configuration.
//!
//! Terraform plans, applies and destroys; its output becomes the events of all strategies. Every step can be
//! repeated: the state records what exists, unrecorded resources are found by name and imported, and an orphaned
//! Terraform process is awaited.

mod address;
mod apply;
pub mod build_runner;
mod destroy;
mod diagnosis;
mod follow;
pub mod plan;
mod process;
mod program;
mod progress_reducer;
mod refresh_plan;
mod stream;
mod workspace;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use thumbctl_core::engine::{ResourceChange, StepDone, StepError, StepRunner, StepScope};
use thumbctl_core::event::{Action, EventKind, Failure};
use thumbctl_core::plan::Step;
use thumbctl_core::resource::{ResourceKind, ResourceState};
use tokio::sync::Mutex;

use self::address::{ADDRESS_MAPPINGS, AddressMapping, FUNCTION_MODULE};
pub use self::follow::stop_orphaned_run;
use self::follow::{TerraformRun, Until, failed};
use self::plan::Stage;
use self::process::{Process, ProcessSpec};
pub use self::program::{Program, TerraformError};
pub use self::refresh_plan::{RefreshPlan, refresh_plan};
pub use self::stream::{Change, Summary};
pub use self::workspace::{STATE_FILES, configuration};
use self::workspace::{StateError, Workspace};
use super::call::call;
use super::run_context::RunContext;
use crate::aws::codebuild::{self, BuildStatus};
use crate::cloud::{Cloud, CloudAccess, CloudError};
use crate::settings::{BuildSource, TerraformSettings};

/// The address of the build, and the option that repeats it.
const BUILD_ADDRESS: &str = "terraform_data.build";
const REBUILD: &str = "-replace=terraform_data.build";

/// Terraform with its settings and a deployment's folder.
#[derive(Clone, Debug)]
pub struct Terraform {
    program: Program,
    settings: TerraformSettings,
    access: CloudAccess,
    workspace: Workspace,
    /// This program, which the configuration runs for builds.
    builder: PathBuf,
}

/// Why Terraform is unavailable.
#[derive(Debug, thiserror::Error)]
pub enum TerraformUnavailable {
    /// It cannot be used.
    #[error(transparent)]
    Terraform(#[from] TerraformError),
    /// It has no access to the cloud.
    #[error(transparent)]
    Cloud(#[from] CloudError),
}

impl Terraform {
    /// Finds Terraform. Runs it for its version at most, writes nothing.
    ///
    /// # Errors
    /// When it is missing or too old, or there are no credentials for it.
    pub async fn find(settings: &TerraformSettings, cloud: &Cloud, dir: PathBuf) -> Result<Self, TerraformUnavailable> {
        let workspace = Workspace::new(dir);
        let known = workspace.initialized().map(|initialized| initialized.program);
        let program = Program::find(settings, known).await?;
        // Found now: a program replaced while it runs cannot find itself any more.
        let builder = std::env::current_exe().map_err(CloudError::Program)?;
        let access = cloud.access();
        access.environment().await?;
        Ok(Self { program, settings: settings.clone(), access, workspace, builder })
    }

    async fn start(&self, arguments: &[&str]) -> Result<Process, Failure> {
        self.start_in(arguments, None).await
    }

    /// Starts Terraform in the deployment's folder; a read-only run has its output in another folder.
    async fn start_in(&self, arguments: &[&str], output: Option<&Path>) -> Result<Process, Failure> {
        let environment =
            &self.access.environment().await.map_err(|error| TerraformUnavailable::from(error).failure())?;
        let (program, dir, builder) = (self.program.path.as_path(), self.workspace.dir(), self.builder.as_path());
        let start = ProcessSpec { program, dir, arguments, environment, builder };
        let started = match output {
            None => Process::start(start),
            Some(folder) => Process::start_beside(start, folder),
        };
        started.map_err(|error| self.workspace.failed("", error).failure())
    }

    /// The arguments of `init`.
    fn init_arguments(&self) -> Vec<String> {
        let mut arguments = ["init", "-input=false", "-no-color"].map(str::to_owned).to_vec();
        if let Some(dir) = &self.settings.plugin_dir {
            arguments.push(format!("-plugin-dir={}", dir.display()));
        }
        arguments
    }
}

/// The runner of the Terraform strategy's plans.
#[derive(Debug)]
pub struct TerraformStrategy {
    context: Arc<RunContext>,
    action: Action,
    terraform: Terraform,
    work: Mutex<SharedState>,
}

/// The state that steps share.
#[derive(Debug, Default)]
struct SharedState {
    /// The stage, where the state overrides the step's.
    stage: Option<Stage>,
    /// The kinds that this run has reported as ready.
    ready: BTreeSet<ResourceKind>,
    /// The Terraform process that the next step continues.
    run: Option<TerraformRun>,
    /// The plan's changes.
    planned: Vec<Change>,
    /// Whether the plan has changes.
    has_work: bool,
    /// The deleted kinds.
    gone: Vec<ResourceKind>,
    /// Whether `init` failed, so that Terraform cannot run.
    init_failed: bool,
    /// Whether Terraform could not start to destroy.
    failed_to_start: bool,
    /// Whether a Terraform process may still be running, this one or another's.
    may_be_running: bool,
    /// Whether a function blocks the plan, and is deleted before the apply.
    removes_function: bool,
}

impl TerraformStrategy {
    /// Creates a runner for one run.
    pub fn new(context: RunContext, action: Action, terraform: Terraform) -> Self {
        Self { context: Arc::new(context), action, terraform, work: Mutex::default() }
    }
}

#[async_trait]
impl StepRunner for TerraformStrategy {
    async fn run(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError> {
        let (stage, id) = plan::stage_of(step.id.as_str());
        match id {
            plan::INIT => {
                let done = self.init(scope).await;
                self.work.lock().await.init_failed = done.is_err();
                done
            }
            plan::PLAN_START => self.start_plan(stage, scope).await,
            plan::PLAN => self.plan(stage, scope).await,
            plan::APPLY_START => self.start_apply(stage, scope).await,
            plan::APPLY => self.apply(stage, scope).await,
            plan::DESTROY_START => self.start_destroy(scope).await,
            plan::DESTROY => self.destroy(scope).await,
            plan::LEFTOVERS => self.remove_leftovers(scope).await,
            // Without Terraform, its resources are kept.
            _ if self.work.lock().await.init_failed => Err(StepError::Cancelled),
            _ if self.action == Action::Destroy => self.context.remove_step(step, scope).await,
            other => unreachable!("the plan has no step '{other}'"),
        }
    }

    /// A step that is not run must not leave a Terraform process without a follower.
    async fn discard(&self, step: &Step, scope: &StepScope) -> Result<(), StepError> {
        if !step.continues_previous {
            return Ok(());
        }
        let mut work = self.work.lock().await;
        let Some(mut run) = work.run.take() else { return Ok(()) };
        self.end(&mut run, scope).await?;
        let (stage, id) = plan::stage_of(step.id.as_str());
        // A plan creates nothing: its resources may exist unchanged.
        if id == plan::APPLY { self.report_uncreated(stage, &work, Some(&run), scope).await } else { Ok(()) }
    }
}

impl TerraformStrategy {
    /// Writes the folder and initializes it, unless nothing would change.
    async fn init(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let Terraform { program, settings, workspace, .. } = &self.terraform;
        self.await_orphaned_run(scope).await?;
        workspace.write_files(&self.context.names, &self.context.target).map_err(failed)?;
        workspace.remove_crash_log().map_err(failed)?;
        if workspace.take_errored_state().map_err(failed)? {
            let words = "recovered the state that an earlier Terraform saved to errored.tfstate";
            scope.warn(words).await?;
        }
        let found = |tool: String, version: String| EventKind::ToolFound { tool, version };
        scope.emit(found(program.name().to_owned(), program.version.clone())).await?;
        if let Some(what) = program.untested(settings) {
            scope.warn(format!("{what} is not tested with thumbctl")).await?;
        }
        if workspace.is_initialized(program, settings) {
            // Not reported as already done: in a teardown that would mean deleted.
            scope.progress("already initialized", None, None).await?;
        } else {
            workspace.unlock_providers(program, settings).map_err(failed)?;
            let arguments = self.terraform.init_arguments();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let mut run = TerraformRun::new("init", self.terraform.start(&arguments).await.map_err(StepError::Failed)?);
            if let Err(error) = self.follow(&mut run, Until::Ended, scope).await {
                workspace.lock_providers_again().map_err(failed)?;
                return Err(error);
            }
            workspace.set_initialized(program, settings).map_err(failed)?;
        }
        for (provider, version) in workspace.providers() {
            scope.emit(found(provider, version)).await?;
        }
        Ok(StepDone::Finished)
    }

    async fn start_plan(&self, stage: Stage, scope: &StepScope) -> Result<StepDone, StepError> {
        let workspace = &self.terraform.workspace;
        let state = match workspace.state() {
            Ok(state) => state,
            Err(StateError::Unreadable(error)) => return Err(failed(error)),
            Err(StateError::Damaged) => {
                scope.warn("the state is damaged: it is archived, and existing resources are imported").await?;
                workspace.archive_state("damaged").map_err(failed)?;
                workspace.state().unwrap_or_default()
            }
        };
        // A plan for the first half would destroy the resources of the second.
        let has_function = state.iter().any(|address| address.starts_with(FUNCTION_MODULE));
        let stage = if has_function { Stage::All } else { stage };
        {
            let mut work = self.work.lock().await;
            work.stage = has_function.then_some(Stage::All);
            work.planned.clear();
            work.removes_function = false;
        }
        let rebuilds = state.contains(BUILD_ADDRESS) && !self.has_image(scope).await?;
        let builds = rebuilds || !state.contains(BUILD_ADDRESS);
        let mut imports = Vec::new();
        if self.context.before.has_resources() {
            for mapping in
                ADDRESS_MAPPINGS.iter().filter(|mapping| self.is_of(stage, mapping) && !state.contains(mapping.address))
            {
                let id = mapping.import_id(&self.context.names, &self.context.target.identity.account);
                let Some(id) = id else { continue };
                // A permission is deleted with its function.
                let goes = mapping.kind == ResourceKind::InvokePermission && self.work.lock().await.removes_function;
                if goes || !self.context.exists(scope, mapping.kind).await? {
                    continue;
                }
                // Rule: the provider cannot plan an imported function while its image is unknown ("inconsistent
                // final plan"). A function stores nothing, so it is recreated.
                // Observed.
                if mapping.kind == ResourceKind::Function && builds {
                    let words = format!("{id} exists, but neither it nor its build is in the state: it is recreated");
                    scope.warn(words).await?;
                    self.work.lock().await.removes_function = true;
                    continue;
                }
                let words = format!("{id} exists, but is not in the state: it is imported");
                scope.warn(words).await?;
                imports.push((mapping.address, id));
            }
        }
        workspace.write_imports(&imports).map_err(failed)?;
        let (out, variable) = (format!("-out={}", workspace.plan_file()), format!("-var=stage={}", stage.as_str()));
        let mut arguments = vec!["plan", "-json", "-input=false", &out, &variable];
        if rebuilds {
            // Rule: a resource is in the state before its provisioner has run; a killed Terraform does not mark it.
            // Observed; only a provisioner that fails marks it:
            // https://developer.hashicorp.com/terraform/language/provisioners
            scope.warn("the state has a build without an image: it is repeated").await?;
            arguments.push(REBUILD);
        }
        let process = self.terraform.start(&arguments).await.map_err(StepError::Failed)?;
        self.start(TerraformRun::new("plan", process), scope).await
    }

    /// Returns whether the build in the state succeeded, and its image exists.
    async fn has_image(&self, scope: &StepScope) -> Result<bool, StepError> {
        let kind = ResourceKind::Image;
        if !self.context.exists(scope, kind).await? {
            return Ok(false);
        }
        if self.context.before.is_ready(kind) || self.work.lock().await.ready.contains(&kind) {
            return Ok(true);
        }
        // Its end was not observed: the image may be an earlier build's.
        let (client, project) = (&self.context.target.clients.codebuild, self.context.name(ResourceKind::BuildProject));
        let builds = call(scope, &[], || codebuild::builds_of(client, &project)).await?.unwrap_or_default();
        let Some(newest) = builds.first() else { return Ok(false) };
        let state = call(scope, &[], || codebuild::build(client, newest)).await?;
        Ok(state.is_some_and(|state| state.status == BuildStatus::Succeeded))
    }

    /// Follows Terraform until its provider runs, and leaves the rest to the next step.
    async fn start(&self, mut run: TerraformRun, scope: &StepScope) -> Result<StepDone, StepError> {
        self.follow(&mut run, Until::ProviderRuns, scope).await?;
        self.work.lock().await.run = Some(run);
        Ok(StepDone::Finished)
    }

    async fn plan(&self, stage: Stage, scope: &StepScope) -> Result<StepDone, StepError> {
        let mut work = self.work.lock().await;
        let Some(mut run) = work.run.take() else { return Ok(StepDone::AlreadyDone) };
        self.follow(&mut run, Until::Ended, scope).await?;
        for change in run.planned.iter().filter(|change| !matches!(change.action.as_str(), "read" | "noop")) {
            let Change { address, resource_type, action, reason } = change;
            if let Some(lost) = lost_bucket(change) {
                return Err(StepError::Failed(
                    Failure::new(format!(
                        "Terraform would {action} the {} ({}): nothing was applied",
                        lost.title().to_lowercase(),
                        self.context.name(lost)
                    ))
                    .with_hint("its contents would be lost; `thumbctl destroy` deletes them intentionally"),
                ));
            }
            let action = reason.as_ref().map_or_else(|| action.clone(), |reason| format!("{action} ({reason})"));
            scope
                .emit(EventKind::ChangePlanned {
                    step: plan::apply_start_of(stage).as_str().into(),
                    action,
                    logical_id: address.clone(),
                    resource_type: resource_type.clone(),
                })
                .await?;
        }
        work.has_work = run.summary.is_none_or(|summary| summary.total() > 0);
        work.planned = run.planned;
        if !work.has_work {
            scope.progress("no changes", None, None).await?;
        }
        Ok(StepDone::Finished)
    }

    fn is_of(&self, stage: Stage, mapping: &AddressMapping) -> bool {
        let is_bundled = self.context.target.settings.build.source == BuildSource::Bundle;
        (stage == Stage::All || mapping.is_of_build_half())
            && (is_bundled || mapping.kind != ResourceKind::BuildSourceBucket)
    }

    async fn report(
        &self,
        scope: &StepScope,
        kind: ResourceKind,
        state: ResourceState,
        seconds: Option<f64>,
        note: Option<String>,
    ) -> Result<(), StepError> {
        let names = &self.context.names;
        let arn = (state == ResourceState::Ready).then(|| self.context.arn_of(kind, names)).flatten();
        scope.changed(ResourceChange { kind, name: names.of(kind), arn, state, seconds, note }).await?;
        Ok(())
    }
}

/// The bucket whose contents a change would delete. One that was never completed is empty.
fn lost_bucket(change: &Change) -> Option<ResourceKind> {
    let mapping = AddressMapping::of(&change.address).filter(|mapping| mapping.address == change.address)?;
    let holds_images = matches!(mapping.kind, ResourceKind::SourceBucket | ResourceKind::DestinationBucket);
    let is_lost = matches!(change.action.as_str(), "delete" | "replace") && change.reason.as_deref() != Some("tainted");
    (holds_images && is_lost).then_some(mapping.kind)
}
