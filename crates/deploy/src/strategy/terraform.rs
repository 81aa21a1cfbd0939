//! The Terraform strategy: the user's own Terraform, on a configuration that stands alone.
//!
//! Terraform plans, makes and destroys; what it says becomes the events that all strategies tell. Every step can be done
//! again: the state says what is there, what it does not know is looked for by name and imported, and a Terraform that an
//! earlier process has left at work is waited for.

mod address;
mod apply;
pub mod build_runner;
mod destroy;
mod diagnosis;
mod follow;
mod look;
pub mod plan;
mod process;
mod program;
mod stream;
mod tale;
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

use self::address::{FUNCTION_MODULE, PLACES, Place};
pub use self::follow::stop_earlier;
use self::follow::{UnderWay, Until, failed};
pub use self::look::{Look, look};
use self::plan::Stage;
use self::process::{Process, Start};
pub use self::program::{Program, TerraformError};
pub use self::stream::{Change, Summary};
pub use self::workspace::{STATE_FILES, configuration};
use self::workspace::{StateError, Workspace};
use super::call::call;
use super::run_context::RunContext;
use crate::aws::codebuild::{self, BuildStatus};
use crate::cloud::{Cloud, CloudAccess, CloudError};
use crate::settings::{BuildSource, TerraformSettings};

/// The address of the build, and what has it made anew.
const BUILD_ADDRESS: &str = "terraform_data.build";
const REBUILD: &str = "-replace=terraform_data.build";

/// Terraform, ready to be run in a deployment's folder.
#[derive(Clone, Debug)]
pub struct Terraform {
    program: Program,
    settings: TerraformSettings,
    access: CloudAccess,
    workspace: Workspace,
    /// This program, as the configuration calls it.
    builder: PathBuf,
}

/// Why Terraform is not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// It cannot be used.
    #[error(transparent)]
    Terraform(#[from] TerraformError),
    /// It would not reach the cloud.
    #[error(transparent)]
    Cloud(#[from] CloudError),
}

impl Terraform {
    /// Finds Terraform. Nothing is run but for its version, nothing is written.
    ///
    /// # Errors
    /// When it is missing or too old, or there are no credentials to give it.
    pub async fn find(settings: &TerraformSettings, cloud: &Cloud, dir: PathBuf) -> Result<Self, NotReady> {
        let workspace = Workspace::new(dir);
        let known = workspace.initialised().map(|initialised| initialised.program);
        let program = Program::find(settings, known).await?;
        // Found now: a program that is replaced while it runs does not find itself any more.
        let builder = std::env::current_exe().map_err(CloudError::Program)?;
        let access = cloud.access();
        access.environment().await?;
        Ok(Self { program, settings: settings.clone(), access, workspace, builder })
    }

    async fn start(&self, arguments: &[&str]) -> Result<Process, Failure> {
        self.start_in(arguments, None).await
    }

    /// Starts Terraform in the deployment's folder; with its output in another folder, where it only looks.
    async fn start_in(&self, arguments: &[&str], output: Option<&Path>) -> Result<Process, Failure> {
        let environment = &self.access.environment().await.map_err(|error| NotReady::from(error).failure())?;
        let (program, dir, builder) = (self.program.path.as_path(), self.workspace.dir(), self.builder.as_path());
        let start = Start { program, dir, arguments, environment, builder };
        let started = match output {
            None => Process::start(start),
            Some(folder) => Process::start_beside(start, folder),
        };
        started.map_err(|error| self.workspace.failed("", error).failure())
    }

    /// What `init` is given.
    fn init_arguments(&self) -> Vec<String> {
        let mut arguments = ["init", "-input=false", "-no-color"].map(str::to_owned).to_vec();
        if let Some(dir) = &self.settings.plugin_dir {
            arguments.push(format!("-plugin-dir={}", dir.display()));
        }
        arguments
    }
}

/// Does the steps of the Terraform strategy's plans.
#[derive(Debug)]
pub struct TerraformStrategy {
    context: Arc<RunContext>,
    action: Action,
    terraform: Terraform,
    work: Mutex<Work>,
}

/// What one step leaves to the next.
#[derive(Debug, Default)]
struct Work {
    /// How much is made, where the state decides otherwise than the step.
    stage: Option<Stage>,
    /// What this run has told to be ready.
    ready: BTreeSet<ResourceKind>,
    /// A Terraform that the step has started and the next goes on with.
    under_way: Option<UnderWay>,
    /// What the plan does.
    planned: Vec<Change>,
    /// Whether the plan does anything.
    has_work: bool,
    /// What is gone.
    gone: Vec<ResourceKind>,
    /// Whether its folder is not ready, so that Terraform cannot be run.
    is_unready: bool,
    /// Whether Terraform could not begin to destroy.
    has_not_begun: bool,
    /// Whether Terraform may still be at work, or somebody else's is.
    is_unended: bool,
    /// Whether a function is in the way of the plan, and is removed before it is applied.
    removes_function: bool,
}

impl TerraformStrategy {
    /// A runner for one run.
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
                self.work.lock().await.is_unready = done.is_err();
                done
            }
            plan::PLAN_START => self.start_plan(stage, scope).await,
            plan::PLAN => self.plan(stage, scope).await,
            plan::APPLY_START => self.start_apply(stage, scope).await,
            plan::APPLY => self.apply(stage, scope).await,
            plan::DESTROY_START => self.start_destroy(scope).await,
            plan::DESTROY => self.destroy(scope).await,
            plan::LEFTOVERS => self.remove_leftovers(scope).await,
            // What Terraform cannot be run for stays whole.
            _ if self.work.lock().await.is_unready => Err(StepError::Cancelled),
            _ if self.action == Action::Destroy => self.context.remove_step(step, scope).await,
            other => unreachable!("the plan has no step '{other}'"),
        }
    }

    /// A step that is not run leaves no Terraform at work that nobody follows.
    async fn discard(&self, step: &Step, scope: &StepScope) -> Result<(), StepError> {
        if !step.continues_previous {
            return Ok(());
        }
        let mut work = self.work.lock().await;
        let Some(mut under_way) = work.under_way.take() else { return Ok(()) };
        self.end(&mut under_way, scope).await?;
        let (stage, id) = plan::stage_of(step.id.as_str());
        // A plan makes nothing: what it was to be about may stand for long.
        if id == plan::APPLY { self.tell_unmade(stage, &work, Some(&under_way), scope).await } else { Ok(()) }
    }
}

impl TerraformStrategy {
    /// Lays out the folder and initialises it, unless that would change nothing.
    async fn init(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let Terraform { program, settings, workspace, .. } = &self.terraform;
        self.await_earlier(scope).await?;
        workspace.lay_out(&self.context.names, &self.context.site).map_err(failed)?;
        workspace.remove_crash_log().map_err(failed)?;
        if workspace.take_errored_state().map_err(failed)? {
            let words = "an earlier Terraform could not write its state: what it wrote instead is the state now";
            scope.warn(words).await?;
        }
        let found = |tool: String, version: String| EventKind::ToolFound { tool, version };
        scope.emit(found(program.name().to_owned(), program.version.clone())).await?;
        if let Some(what) = program.untested(settings) {
            scope.warn(format!("thumbctl is not tested with {what}")).await?;
        }
        if workspace.is_initialised(program, settings) {
            // Not told as done already: a run is whole without it, and in a teardown that would mean gone.
            scope.progress("it was initialised before, and nothing has changed since", None, None).await?;
        } else {
            workspace.unlock_providers(program, settings).map_err(failed)?;
            let arguments = self.terraform.init_arguments();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let mut under_way =
                UnderWay::new("init", self.terraform.start(&arguments).await.map_err(StepError::Failed)?);
            if let Err(error) = self.follow(&mut under_way, Until::Ended, scope).await {
                workspace.lock_providers_again().map_err(failed)?;
                return Err(error);
            }
            workspace.set_initialised(program, settings).map_err(failed)?;
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
                scope.warn("the state is damaged: it is set aside, and what there is is imported").await?;
                workspace.set_state_aside("damaged").map_err(failed)?;
                workspace.state().unwrap_or_default()
            }
        };
        // What the second half has made would be destroyed by a plan for the first alone.
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
            for place in PLACES.iter().filter(|place| self.is_of(stage, place) && !state.contains(place.address)) {
                let id = place.import_id(&self.context.names, &self.context.site.identity.account);
                let Some(id) = id else { continue };
                // A permission goes with its function.
                let goes = place.kind == ResourceKind::InvokePermission && self.work.lock().await.removes_function;
                if goes || !self.context.is_there(scope, place.kind).await? {
                    continue;
                }
                // Rule: the provider cannot plan a function that it imports while the image is still unknown ("inconsistent
                // final plan"). It keeps nothing, so it is made anew.
                if place.kind == ResourceKind::Function && builds {
                    let words = format!("{id} is there, and the state knows neither it nor its build: it is made anew");
                    scope.warn(words).await?;
                    self.work.lock().await.removes_function = true;
                    continue;
                }
                let words = format!("{id} is there, and the state does not know it: it is imported");
                scope.warn(words).await?;
                imports.push((place.address, id));
            }
        }
        workspace.write_imports(&imports).map_err(failed)?;
        let (out, variable) = (format!("-out={}", workspace.plan_file()), format!("-var=stage={}", stage.as_str()));
        let mut arguments = vec!["plan", "-json", "-input=false", &out, &variable];
        if rebuilds {
            // Rule: a resource is in the state before its provisioner has run; a Terraform that is killed meanwhile marks nothing.
            scope.warn("the state has a build of which no image came: it is built anew").await?;
            arguments.push(REBUILD);
        }
        let process = self.terraform.start(&arguments).await.map_err(StepError::Failed)?;
        self.start(UnderWay::new("plan", process), scope).await
    }

    /// Whether the build that the state knows came to its end, and its image is there.
    async fn has_image(&self, scope: &StepScope) -> Result<bool, StepError> {
        let kind = ResourceKind::Image;
        if !self.context.is_there(scope, kind).await? {
            return Ok(false);
        }
        if self.context.before.is_ready(kind) || self.work.lock().await.ready.contains(&kind) {
            return Ok(true);
        }
        // Nobody saw its end: the image may be an earlier build's.
        let (client, project) = (&self.context.site.clients.codebuild, self.context.name(ResourceKind::BuildProject));
        let builds = call(scope, &[], || codebuild::builds_of(client, &project)).await?.unwrap_or_default();
        let Some(newest) = builds.first() else { return Ok(false) };
        let state = call(scope, &[], || codebuild::build(client, newest)).await?;
        Ok(state.is_some_and(|state| state.status == BuildStatus::Succeeded))
    }

    /// Follows a Terraform until its provider runs, and leaves the rest to the next step.
    async fn start(&self, mut under_way: UnderWay, scope: &StepScope) -> Result<StepDone, StepError> {
        self.follow(&mut under_way, Until::ProviderRuns, scope).await?;
        self.work.lock().await.under_way = Some(under_way);
        Ok(StepDone::Finished)
    }

    async fn plan(&self, stage: Stage, scope: &StepScope) -> Result<StepDone, StepError> {
        let mut work = self.work.lock().await;
        let Some(mut under_way) = work.under_way.take() else { return Ok(StepDone::AlreadyDone) };
        self.follow(&mut under_way, Until::Ended, scope).await?;
        for change in under_way.planned.iter().filter(|change| !matches!(change.action.as_str(), "read" | "noop")) {
            let Change { address, resource_type, action, reason } = change;
            if let Some(lost) = lost_bucket(change) {
                return Err(StepError::Failed(
                    Failure::new(format!(
                        "Terraform would {action} the {} ({}): nothing was applied",
                        lost.title().to_lowercase(),
                        self.context.name(lost)
                    ))
                    .with_hint("what is in it would be lost; `thumbctl destroy` does that where it is wanted"),
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
        work.has_work = under_way.summary.is_none_or(|summary| summary.total() > 0);
        work.planned = under_way.planned;
        if !work.has_work {
            scope.progress("nothing has to be made or changed", None, None).await?;
        }
        Ok(StepDone::Finished)
    }

    fn is_of(&self, stage: Stage, place: &Place) -> bool {
        let is_bundled = self.context.site.settings.build.source == BuildSource::Bundle;
        (stage == Stage::All || place.is_of_build_half())
            && (is_bundled || place.kind != ResourceKind::BuildSourceBucket)
    }

    async fn tell(
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

/// The bucket whose contents a change would throw away. One that was never finished has none.
fn lost_bucket(change: &Change) -> Option<ResourceKind> {
    let place = Place::of(&change.address).filter(|place| place.address == change.address)?;
    let holds_images = matches!(place.kind, ResourceKind::SourceBucket | ResourceKind::DestinationBucket);
    let is_lost = matches!(change.action.as_str(), "delete" | "replace") && change.reason.as_deref() != Some("tainted");
    (holds_images && is_lost).then_some(place.kind)
}
