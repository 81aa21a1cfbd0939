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

use std::sync::Arc;

pub use self::probe::{Presence, presence_or_why_not};
pub use self::run_context::RunContext;
pub use self::site::Site;
use crate::deployment::Deployment;
use crate::engine::StepRunner;
use crate::event::{Action, StrategyKind};
use crate::plan::{Plan, StepId};
use crate::settings::Settings;

/// What a deployment does by the way given.
pub fn deploy_plan(strategy: StrategyKind, settings: &Settings) -> Plan {
    match strategy {
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
        StrategyKind::Sdk => Vec::new(),
        StrategyKind::Cloudformation => cloudformation::plan::template_resources(&settings.build.source),
    }
}

/// What takes a standing deployment down.
pub fn destroy_plan(deployment: &Deployment) -> Plan {
    teardown::destroy(deployment)
}

/// Who does a plan's steps.
pub fn runner(context: RunContext, action: Action) -> Arc<dyn StepRunner> {
    match context.strategy {
        StrategyKind::Sdk => Arc::new(sdk::SdkStrategy::new(context, action)),
        StrategyKind::Cloudformation => Arc::new(cloudformation::CloudformationStrategy::new(context, action)),
    }
}
