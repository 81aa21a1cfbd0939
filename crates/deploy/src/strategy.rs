//! The strategies: each says how to deploy and how to destroy, as a plan and as somebody who does its steps. What is the
//! same whichever way is taken stands beside them.

mod build;
mod call;
pub mod cloudformation;
mod image;
pub mod inspect;
pub mod leftovers;
mod probe;
mod remove;
mod run_context;
pub mod sdk;
pub mod site;
mod source;
pub mod teardown;
pub mod terraform;

use std::sync::Arc;

use thumbctl_core::deployment::Deployment;
use thumbctl_core::engine::StepRunner;
use thumbctl_core::event::{Action, StrategyKind};
use thumbctl_core::plan::{Plan, StepId};

pub use self::probe::{Presence, presence_or_why_not};
pub use self::run_context::RunContext;
pub use self::site::Site;
use self::terraform::{Terraform, TerraformStrategy};
use crate::settings::Settings;

/// How a deployment is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stride {
    /// As quickly as it can be.
    Through,
    /// In steps that somebody decides about one by one.
    StepByStep,
}

/// What a deployment does by the way given.
pub fn deploy_plan(strategy: StrategyKind, settings: &Settings, before: &Deployment, stride: Stride) -> Plan {
    match strategy {
        StrategyKind::Terraform => {
            terraform::plan::deploy(&settings.build.source, terraform::plan::possible(stride, before))
        }
        StrategyKind::Sdk => sdk::plan::deploy(&settings.build.source),
        StrategyKind::Cloudformation => cloudformation::plan::deploy(&settings.build.source),
    }
}

/// What a strategy's templates say that steps make, by name and type; nothing where there are no templates.
pub fn template_resources(
    strategy: StrategyKind,
    settings: &Settings,
) -> Vec<(StepId, Vec<(&'static str, &'static str)>)> {
    match strategy {
        StrategyKind::Sdk | StrategyKind::Terraform => Vec::new(),
        StrategyKind::Cloudformation => cloudformation::plan::template_resources(&settings.build.source),
    }
}

/// What takes a standing deployment down.
pub fn destroy_plan(deployment: &Deployment) -> Plan {
    teardown::destroy(deployment)
}

/// Who does a plan's steps. Terraform does what it is given for; without it, everything is done by direct calls.
pub fn runner(context: RunContext, action: Action, terraform: Option<Terraform>) -> Arc<dyn StepRunner> {
    if let Some(terraform) = terraform {
        return Arc::new(TerraformStrategy::new(context, action, terraform));
    }
    match context.strategy {
        StrategyKind::Sdk | StrategyKind::Terraform => Arc::new(sdk::SdkStrategy::new(context, action)),
        StrategyKind::Cloudformation => Arc::new(cloudformation::CloudformationStrategy::new(context, action)),
    }
}
