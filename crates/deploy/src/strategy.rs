//! The strategies: each has its plans and the runners of their steps. Code that the strategies share is beside them.

mod build;
mod cloudformation;
mod deletion;
pub mod leftovers;
pub mod sdk;
mod source;
mod teardown;
pub mod terraform;
mod typed_plan;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use thumbctl_core::deployment::Deployment;
use thumbctl_core::engine::StepRunner;
use thumbctl_core::event::{Failure, StrategyKind};
use thumbctl_core::names::{Names, Suffix};
use thumbctl_core::plan::{Plan, Step, StepId};
use thumbctl_core::resource::ResourceKind;
use tokio_util::sync::CancellationToken;

use self::deletion::{DeletionStep, Teardown};
use self::leftovers::Leftovers;
use self::terraform::{RefreshPlan, TerraformUnavailable};
use self::typed_plan::TypedPlan;
use crate::cloud::Cloud;
use crate::run_context::RunContext;
use crate::settings::Settings;

/// How the steps of a deployment are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// Without pauses, as fast as possible.
    Continuous,
    /// One step at a time, each confirmed by the user.
    StepByStep,
}

/// The resources that templates declare for steps, by logical id and type.
pub type TemplateResources = Vec<(StepId, Vec<(&'static str, &'static str)>)>;

/// What a strategy needs besides AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// Python 3, in the sandbox: it runs the macro's function.
    Python,
    /// The Terraform program, and its AWS provider.
    Terraform,
}

/// A way to deploy.
#[async_trait]
pub(crate) trait Strategy: std::fmt::Debug + Send + Sync {
    /// What it needs besides AWS.
    fn requirement(&self) -> Option<Requirement> {
        None
    }

    /// The plan of a deployment.
    fn deploy_plan(&self, settings: &Settings, before: &Deployment, mode: RunMode) -> Plan;

    /// The resources that its templates declare for steps; empty without templates. Calls no cloud.
    fn template_resources(&self, _settings: &Settings) -> TemplateResources {
        Vec::new()
    }

    /// Prepares the run that creates or completes a deployment.
    async fn prepare_deploy(
        &self,
        context: RunContext,
        mode: RunMode,
        tools: StrategyTools<'_>,
    ) -> Result<StrategyRun, StrategyUnavailable>;

    /// The plan that destroys a deployment: a step for everything that may exist, in reverse order of creation.
    fn destroy_plan(&self, names: &Names, before: &Deployment) -> Plan {
        destroy_steps(names, before).plan
    }

    /// Prepares the run that destroys a deployment.
    async fn prepare_destroy(
        &self,
        context: RunContext,
        _tools: StrategyTools<'_>,
    ) -> Result<StrategyRun, StrategyUnavailable> {
        let steps = destroy_steps(&context.names, &context.before);
        Ok(StrategyRun::teardown(context, steps))
    }

    /// Returns whether a program of its own plans and applies, with a folder and state of its own.
    fn has_tool(&self) -> bool {
        false
    }

    /// Prepares its tool, and returns the tool's parts by name and version; `None` if it has no tool.
    async fn prepare_tool(
        &self,
        _tools: StrategyTools<'_>,
        _cancel: &CancellationToken,
    ) -> Result<Option<Result<ToolParts, Failure>>, StrategyUnavailable> {
        Ok(None)
    }

    /// Compares settings, state and cloud by its tool, which changes nothing in the cloud; `None` if it has no such tool.
    async fn refresh_plan(
        &self,
        _context: &RunContext,
        _tools: StrategyTools<'_>,
        _cancel: &CancellationToken,
    ) -> Result<Option<Result<RefreshPlan, Failure>>, StrategyUnavailable> {
        Ok(None)
    }

    /// Returns whether a purge deletes what the journal records and no listing finds, so that its deletion is recorded.
    fn purges_recorded(&self) -> bool {
        false
    }
}

/// The parts of a strategy's tool, by name and version.
pub type ToolParts = Vec<(String, String)>;

/// What strategies use besides a run's context.
#[derive(Clone, Debug)]
pub(crate) struct StrategyTools<'a> {
    /// The cloud.
    pub(crate) cloud: &'a Cloud,
    /// The user's settings.
    pub(crate) settings: &'a Settings,
    /// The deployment's folder for the strategy's tool.
    pub(crate) dir: PathBuf,
}

/// A plan and the runner of its steps.
pub(crate) struct StrategyRun {
    /// The plan.
    pub(crate) plan: Plan,
    /// Runs its steps.
    pub(crate) runner: Arc<dyn StepRunner>,
    /// The resources that it creates or deletes, by name.
    pub(crate) resources: Vec<(ResourceKind, String)>,
}

impl StrategyRun {
    /// A run on the deployment of these names.
    fn new(plan: Plan, runner: Arc<dyn StepRunner>, names: &Names) -> Self {
        let resources = resources_of(&plan, |_| names);
        Self { plan, runner, resources }
    }

    /// A teardown by direct calls and by stacks.
    fn teardown(context: RunContext, steps: TypedPlan<DeletionStep>) -> Self {
        let resources =
            resources_of(&steps.plan, |step| steps.work.of(step).map_or(&context.names, |work| &work.names));
        Self { plan: steps.plan, runner: Arc::new(Teardown { context, work: steps.work }), resources }
    }

    /// The run that deletes what a search has found. Needs no tool.
    pub(crate) fn purge(context: RunContext, leftovers: &Leftovers) -> Self {
        let steps = leftovers.plan(context.names.deployment());
        Self::teardown(context, steps)
    }
}

/// The resources that a plan creates or deletes, by name, each once.
fn resources_of<'a>(plan: &Plan, names: impl Fn(&Step) -> &'a Names) -> Vec<(ResourceKind, String)> {
    let mut resources: Vec<(ResourceKind, String)> = Vec::new();
    for step in plan.steps() {
        for kind in step.resources() {
            let resource = (kind, names(step).of(kind));
            if !resources.contains(&resource) {
                resources.push(resource);
            }
        }
    }
    resources
}

/// Why a strategy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StrategyUnavailable {
    /// The macro is a Python function, which the sandbox runs with this machine's Python.
    #[error("the cloudformation strategy needs python3 for the sandbox's macro; python3 was not found")]
    NoPython,
    /// Terraform cannot be used.
    #[error(transparent)]
    Terraform(#[from] TerraformUnavailable),
}

impl StrategyUnavailable {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoPython => Some("install Python 3 with the system's package manager, or use --strategy sdk".into()),
            Self::Terraform(error) => error.hint(),
        }
    }
}

/// Returns a kind's strategy.
pub(crate) fn of(kind: StrategyKind) -> &'static dyn Strategy {
    match kind {
        StrategyKind::Sdk => &sdk::SdkStrategy,
        StrategyKind::Cloudformation => &cloudformation::CloudformationStrategy,
        StrategyKind::Terraform => &terraform::TerraformStrategy,
    }
}

/// What a strategy needs besides AWS.
pub fn requirement(kind: StrategyKind) -> Option<Requirement> {
    of(kind).requirement()
}

/// Returns whether a strategy has a program of its own that plans and applies.
pub fn has_tool(kind: StrategyKind) -> bool {
    of(kind).has_tool()
}

/// The plan of a deployment by a strategy.
pub fn deploy_plan(strategy: StrategyKind, settings: &Settings, before: &Deployment, mode: RunMode) -> Plan {
    of(strategy).deploy_plan(settings, before, mode)
}

/// The plan that destroys a deployment.
pub fn destroy_plan(deployment: &Deployment) -> Plan {
    match deployment.origin() {
        Some(origin) => of(origin.strategy).destroy_plan(&origin.names, deployment),
        // Without the start of a run, only the plan's shape is known.
        None => destroy_steps(&Names::new(deployment.name().clone(), Suffix::from_number(0)), deployment).plan,
    }
}

fn destroy_steps(names: &Names, before: &Deployment) -> TypedPlan<DeletionStep> {
    let steps: Vec<(DeletionStep, Step)> = teardown::steps(&may_exist(before), names, "");
    TypedPlan::new(steps)
}

/// Returns whether a kind's resource may exist, by the journal.
fn may_exist(deployment: &Deployment) -> impl Fn(ResourceKind) -> bool + '_ {
    |kind| deployment.resource(kind).is_some_and(|resource| resource.state.may_exist())
}
