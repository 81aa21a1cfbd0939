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
mod plan;
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
use thumbctl_core::deployment::Deployment;
use thumbctl_core::engine::{ResourceChange, StepDone, StepError, StepRunner, StepScope};
use thumbctl_core::event::{EventKind, Failure};
use thumbctl_core::names::Names;
use thumbctl_core::plan::{Plan, Step};
use thumbctl_core::resource::{ResourceKind, ResourceState};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use self::address::{AddressMapping, FUNCTION_MODULE};
pub use self::follow::stop_orphaned_run;
use self::follow::{TerraformRun, Until, failed};
use self::plan::{Stage, TerraformStep};
use self::process::{Process, ProcessSpec};
pub use self::program::{Program, TerraformError};
pub use self::refresh_plan::RefreshPlan;
use self::refresh_plan::refresh_plan;
pub use self::stream::{Change, Summary};
pub use self::workspace::{STATE_FILES, configuration};
use self::workspace::{StateError, Workspace};
use super::deletion::{DeletionStep, Extent};
use super::typed_plan::{StepWork, TypedPlan};
use super::{Requirement, RunMode, Strategy, StrategyRun, StrategyTools, StrategyUnavailable, ToolParts, may_exist};
use crate::aws::codebuild::{self, BuildStatus};
use crate::call::call;
use crate::cloud::{CloudAccess, CloudError};
use crate::resource;
use crate::run_context::RunContext;
use crate::settings::{BuildSource, Settings, TerraformSettings};

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
    async fn find(tools: StrategyTools<'_>) -> Result<Self, TerraformUnavailable> {
        let settings = &tools.settings.terraform;
        let workspace = Workspace::new(tools.dir);
        let known = workspace.initialized().map(|initialized| initialized.program);
        let program = Program::find(settings, known).await?;
        // Found now: a program replaced while it runs cannot find itself any more.
        let builder = std::env::current_exe().map_err(CloudError::Program)?;
        let access = tools.cloud.access();
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

/// The plan of a deployment: one apply, or, step by step, two halves.
pub fn deploy_plan(source: &BuildSource, mode: RunMode) -> Plan {
    plan::deploy(source, mode).plan
}

/// The strategy.
#[derive(Debug)]
pub(super) struct TerraformStrategy;

#[async_trait]
impl Strategy for TerraformStrategy {
    fn requirement(&self) -> Option<Requirement> {
        Some(Requirement::Terraform)
    }

    fn deploy_plan(&self, settings: &Settings, before: &Deployment, mode: RunMode) -> Plan {
        deploy_plan(&settings.build.source, plan::possible(mode, before))
    }

    async fn prepare_deploy(
        &self,
        context: RunContext,
        mode: RunMode,
        tools: StrategyTools<'_>,
    ) -> Result<StrategyRun, StrategyUnavailable> {
        let terraform = Terraform::find(tools).await?;
        let source = &context.target.settings.build.source;
        let steps = plan::deploy(source, plan::possible(mode, &context.before));
        Ok(TerraformRunner::prepare(context, terraform, steps))
    }

    fn destroy_plan(&self, _names: &Names, before: &Deployment) -> Plan {
        plan::destroy(&may_exist(before)).plan
    }

    async fn prepare_destroy(
        &self,
        context: RunContext,
        tools: StrategyTools<'_>,
    ) -> Result<StrategyRun, StrategyUnavailable> {
        let steps = plan::destroy(&may_exist(&context.before));
        if steps.plan.steps().is_empty() {
            return Ok(StrategyRun::teardown(context, TypedPlan::default()));
        }
        let terraform = Terraform::find(tools).await?;
        Ok(TerraformRunner::prepare(context, terraform, steps))
    }

    fn has_tool(&self) -> bool {
        true
    }

    async fn prepare_tool(
        &self,
        tools: StrategyTools<'_>,
        cancel: &CancellationToken,
    ) -> Result<Option<Result<ToolParts, Failure>>, StrategyUnavailable> {
        Ok(Some(Terraform::find(tools).await?.prepare_folder(cancel).await))
    }

    async fn refresh_plan(
        &self,
        context: &RunContext,
        tools: StrategyTools<'_>,
        cancel: &CancellationToken,
    ) -> Result<Option<Result<RefreshPlan, Failure>>, StrategyUnavailable> {
        let terraform = Terraform::find(tools).await?;
        let about = (&context.names, context.before.has_resources());
        Ok(Some(refresh_plan(&terraform, about, &context.target, cancel).await))
    }

    fn purges_recorded(&self) -> bool {
        true
    }
}

/// The runner of the Terraform strategy's plans.
#[derive(Debug)]
struct TerraformRunner {
    context: Arc<RunContext>,
    work: StepWork<TerraformStep>,
    terraform: Terraform,
    state: Mutex<SharedState>,
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

impl TerraformRunner {
    fn prepare(context: RunContext, terraform: Terraform, steps: TypedPlan<TerraformStep>) -> StrategyRun {
        let names = context.names.clone();
        let runner = Self { context: Arc::new(context), work: steps.work, terraform, state: Mutex::default() };
        StrategyRun::new(steps.plan, Arc::new(runner), &names)
    }
}

#[async_trait]
impl StepRunner for TerraformRunner {
    async fn run(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError> {
        match *self.work.of(step)? {
            TerraformStep::Init => {
                let done = self.init(scope).await;
                self.state.lock().await.init_failed = done.is_err();
                done
            }
            TerraformStep::StartPlan(stage) => self.start_plan(stage, scope).await,
            TerraformStep::Plan(stage) => self.plan(stage, scope).await,
            TerraformStep::StartApply(stage) => self.start_apply(stage, scope).await,
            TerraformStep::Apply(stage) => self.apply(stage, scope).await,
            TerraformStep::StartDestroy => self.start_destroy(scope).await,
            TerraformStep::Destroy => self.destroy(scope).await,
            TerraformStep::DeleteLeftovers => self.remove_leftovers(scope).await,
            // Without Terraform, its resources are kept.
            TerraformStep::DeleteBuilds if self.state.lock().await.init_failed => Err(StepError::Cancelled),
            TerraformStep::DeleteBuilds => {
                let (kind, names) = (ResourceKind::BuildProject, self.context.names.clone());
                self.context.delete_step(&DeletionStep { extent: Extent::Contents, kind, names }, scope).await
            }
        }
    }

    /// A step that is not run must not leave a Terraform process without a follower.
    async fn discard(&self, step: &Step, scope: &StepScope) -> Result<(), StepError> {
        if !step.continues_previous {
            return Ok(());
        }
        let mut state = self.state.lock().await;
        let Some(mut run) = state.run.take() else { return Ok(()) };
        self.end(&mut run, scope).await?;
        match *self.work.of(step)? {
            TerraformStep::Apply(stage) => self.report_uncreated(stage, &state, Some(&run), scope).await,
            // A plan creates nothing: its resources may exist unchanged.
            _ => Ok(()),
        }
    }
}

impl TerraformRunner {
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
            let mut work = self.state.lock().await;
            work.stage = has_function.then_some(Stage::All);
            work.planned.clear();
            work.removes_function = false;
        }
        let rebuilds = state.contains(BUILD_ADDRESS) && !self.has_image(scope).await?;
        let builds = rebuilds || !state.contains(BUILD_ADDRESS);
        let mut imports = Vec::new();
        if self.context.before.has_resources() {
            for mapping in
                AddressMapping::all().filter(|it| self.is_of(stage, it) && !state.contains(it.terraform.address))
            {
                let id = mapping.import_id(self.context.resources());
                let Some(id) = id else { continue };
                // A permission is deleted with its function.
                let goes = mapping.kind == ResourceKind::InvokePermission && self.state.lock().await.removes_function;
                if goes || !resource::exists(&self.context, scope, mapping.kind).await? {
                    continue;
                }
                // Rule: the provider cannot plan an imported function while its image is unknown ("inconsistent
                // final plan"). A function stores nothing, so it is recreated.
                // Observed.
                if mapping.kind == ResourceKind::Function && builds {
                    let words = format!("{id} exists, but neither it nor its build is in the state: it is recreated");
                    scope.warn(words).await?;
                    self.state.lock().await.removes_function = true;
                    continue;
                }
                let words = format!("{id} exists, but is not in the state: it is imported");
                scope.warn(words).await?;
                imports.push((mapping.terraform.address, id));
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
        if !resource::exists(&self.context, scope, kind).await? {
            return Ok(false);
        }
        if self.context.before.is_ready(kind) || self.state.lock().await.ready.contains(&kind) {
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
        self.state.lock().await.run = Some(run);
        Ok(StepDone::Finished)
    }

    async fn plan(&self, stage: Stage, scope: &StepScope) -> Result<StepDone, StepError> {
        let mut work = self.state.lock().await;
        let Some(mut run) = work.run.take() else { return Ok(StepDone::AlreadyDone) };
        self.follow(&mut run, Until::Ended, scope).await?;
        for change in run.planned.iter().filter(|change| !matches!(change.action.as_str(), "read" | "noop")) {
            let Change { address, resource_type, action, reason } = change;
            if let Some(lost) = lost_bucket(change) {
                return Err(StepError::Failed(
                    Failure::new(format!(
                        "Terraform would {action} the {} ({}): nothing was applied",
                        resource::descriptor(lost).title.to_lowercase(),
                        self.context.name(lost)
                    ))
                    .with_hint("its contents would be lost; `thumbctl destroy` deletes them intentionally"),
                ));
            }
            let action = reason.as_ref().map_or_else(|| action.clone(), |reason| format!("{action} ({reason})"));
            scope
                .emit(EventKind::ChangePlanned {
                    step: TerraformStep::StartApply(stage).id(),
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
    let mapping = AddressMapping::of(&change.address).filter(|mapping| mapping.terraform.address == change.address)?;
    let holds_images = matches!(mapping.kind, ResourceKind::SourceBucket | ResourceKind::DestinationBucket);
    let is_lost = matches!(change.action.as_str(), "delete" | "replace") && change.reason.as_deref() != Some("tainted");
    (holds_images && is_lost).then_some(mapping.kind)
}
