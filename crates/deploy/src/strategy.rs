//! The strategies: each has its plans and a runner for their steps. Code that
//! the strategies share is beside them.

mod build;
mod call;
pub mod cloudformation;
pub mod deploy_target;
mod image;
pub mod inspect;
pub mod leftovers;
mod probe;
mod remove;
mod run_context;
pub mod sdk;
mod source;
pub mod teardown;
pub mod terraform;

use std::sync::Arc;

use thumbctl_core::deployment::Deployment;
use thumbctl_core::engine::StepRunner;
use thumbctl_core::event::{Action, StrategyKind};
use thumbctl_core::plan::{Plan, StepId};

pub use self::deploy_target::DeployTarget;
pub use self::probe::{Presence, presence_or_unknown};
pub use self::run_context::RunContext;
use self::terraform::{Terraform, TerraformStrategy};
use crate::settings::Settings;

/// How the steps of a deployment are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// Without pauses, as fast as possible.
    Continuous,
    /// One step at a time, each confirmed by the user.
    StepByStep,
}

/// The plan of a deployment by a strategy.
pub fn deploy_plan(strategy: StrategyKind, settings: &Settings, before: &Deployment, mode: RunMode) -> Plan {
    match strategy {
        StrategyKind::Terraform => {
            terraform::plan::deploy(&settings.build.source, terraform::plan::possible(mode, before))
        }
        StrategyKind::Sdk => sdk::plan::deploy(&settings.build.source),
        StrategyKind::Cloudformation => cloudformation::plan::deploy(&settings.build.source),
    }
}

/// The resources that a strategy's templates declare for steps, by name and type; empty without templates.
pub fn template_resources(
    strategy: StrategyKind,
    settings: &Settings,
) -> Vec<(StepId, Vec<(&'static str, &'static str)>)> {
    match strategy {
        StrategyKind::Sdk | StrategyKind::Terraform => Vec::new(),
        StrategyKind::Cloudformation => cloudformation::plan::template_resources(&settings.build.source),
    }
}

/// The plan that destroys a deployment.
pub fn destroy_plan(deployment: &Deployment) -> Plan {
    teardown::destroy(deployment)
}

/// Creates the runner of a plan's steps. Without Terraform, its strategy deletes by direct calls.
pub fn runner(context: RunContext, action: Action, terraform: Option<Terraform>) -> Arc<dyn StepRunner> {
    if let Some(terraform) = terraform {
        return Arc::new(TerraformStrategy::new(context, action, terraform));
    }
    match context.strategy {
        StrategyKind::Sdk | StrategyKind::Terraform => Arc::new(sdk::SdkStrategy::new(context, action)),
        StrategyKind::Cloudformation => Arc::new(cloudformation::CloudformationStrategy::new(context, action)),
    }
}
