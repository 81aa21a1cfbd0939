//! The plans of Terraform commands. Pure.

use thumbctl_core::deployment::Deployment;
use thumbctl_core::plan::{Step, StepId};
use thumbctl_core::resource::ResourceKind::{self, *};

use super::address::AddressMapping;
use crate::settings::BuildSource;
use crate::strategy::RunMode;
use crate::strategy::deletion::{DeletionStep, Extent};
use crate::strategy::typed_plan::TypedPlan;

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TerraformStep {
    /// Writes and initializes the folder.
    Init,
    /// Starts Terraform for a plan, until its provider runs.
    StartPlan(Stage),
    /// Plans.
    Plan(Stage),
    /// Starts Terraform for an apply, until its provider runs.
    StartApply(Stage),
    /// Applies.
    Apply(Stage),
    /// Stops and deletes the builds.
    DeleteBuilds,
    /// Starts Terraform for a destroy, until its provider runs.
    StartDestroy,
    /// Destroys.
    Destroy,
    /// Deletes what Terraform has left.
    DeleteLeftovers,
}

use TerraformStep::{Apply, DeleteBuilds, DeleteLeftovers, Destroy, Init, StartApply, StartDestroy, StartPlan};

impl TerraformStep {
    pub(super) fn id(self) -> StepId {
        let staged = |stage: Stage, id: &str| match stage {
            Stage::Build => format!("build_{id}"),
            Stage::All => id.to_owned(),
        };
        match self {
            Init => "init".to_owned(),
            StartPlan(stage) => staged(stage, "plan_start"),
            Self::Plan(stage) => staged(stage, "plan"),
            StartApply(stage) => staged(stage, "apply_start"),
            Apply(stage) => staged(stage, "apply"),
            DeleteBuilds => DeletionStep::id(Extent::Contents, BuildProject),
            StartDestroy => "destroy_start".to_owned(),
            Destroy => "destroy".to_owned(),
            DeleteLeftovers => "leftovers".to_owned(),
        }
        .into()
    }

    fn step(self, title: impl Into<String>, why: &str) -> Step {
        Step::new(self.id(), title, why)
    }
}

/// The part of the architecture that is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The build's resources and the image.
    Build,
    /// All of it.
    All,
}

impl Stage {
    /// The variable's value in the configuration.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::All => "all",
        }
    }
}

/// The run mode that an existing deployment allows: the first half alone is possible only without
/// resources of the second, which it would destroy.
pub(super) fn possible(mode: RunMode, before: &Deployment) -> RunMode {
    let is_of_rest = |kind| AddressMapping::all().any(|mapping| mapping.kind == kind && !mapping.is_of_build_half());
    if before.existing_resources().any(|resource| is_of_rest(resource.kind)) { RunMode::Continuous } else { mode }
}

/// The steps of a deployment: one apply, as in the original project, or, step by step, two halves, each planned before
/// it is applied.
pub(super) fn deploy(source: &BuildSource, mode: RunMode) -> TypedPlan<TerraformStep> {
    let mut steps = vec![init()];
    let is_created = |kind: ResourceKind| *source == BuildSource::Bundle || kind != BuildSourceBucket;
    let kinds = |of_half: &dyn Fn(bool) -> bool| -> Vec<ResourceKind> {
        AddressMapping::all()
            .filter(|mapping| of_half(mapping.is_of_build_half()) && is_created(mapping.kind))
            .map(|mapping| mapping.kind)
            .collect()
    };
    match mode {
        RunMode::Continuous => steps.extend(stage_steps(Stage::All, Init, "everything", &kinds(&|_| true))),
        RunMode::StepByStep => {
            let half = kinds(&|is_build| is_build);
            steps.extend(stage_steps(Stage::Build, Init, "the build's resources and the image", &half));
            let rest = kinds(&|is_build| !is_build);
            steps.extend(stage_steps(Stage::All, Apply(Stage::Build), "the rest", &rest));
        }
    }
    TypedPlan::new(steps)
}

fn init() -> (TerraformStep, Step) {
    let step = Init.step(
        "Initialize Terraform's folder",
        "Terraform downloads the AWS provider, unless it is cached, and locks its version.",
    );
    (Init, step.calls(&["terraform init"]))
}

fn stage_steps(stage: Stage, after: TerraformStep, what: &str, kinds: &[ResourceKind]) -> [(TerraformStep, Step); 4] {
    let [start_plan, plan] = [StartPlan(stage), TerraformStep::Plan(stage)];
    let [start_apply, apply] = [StartApply(stage), Apply(stage)];
    [
        (
            start_plan,
            start_plan
                .step(
                    "Start the provider for the plan",
                    "A program of several hundred megabytes, started for each command; its start is timed separately.",
                )
                .needs([after.id()])
                .calls(&["terraform plan"]),
        ),
        (
            plan,
            plan.step(
                format!("Plan {what}"),
                "Terraform compares configuration, state and cloud, and lists the changes; nothing is created.",
            )
            .continues(start_plan.id()),
        ),
        (
            start_apply,
            start_apply
                .step(
                    format!("Apply the plan: start the provider for {what}"),
                    "Confirm here: the planned changes begin as soon as the provider runs.",
                )
                .needs([plan.id()])
                .calls(&["terraform apply"]),
        ),
        (
            apply,
            apply
                .step(format!("Make {what}"), "Terraform's graph sets the order; the image is built within the apply.")
                .continues(start_apply.id())
                .with(kinds),
        ),
    ]
}

/// The steps that destroy a deployment: by Terraform what its state has, and by tag what else is found.
pub(super) fn destroy(exists: &dyn Fn(ResourceKind) -> bool) -> TypedPlan<TerraformStep> {
    let kinds: Vec<ResourceKind> =
        AddressMapping::all().map(|mapping| mapping.kind).filter(|kind| exists(*kind)).collect();
    if kinds.is_empty() {
        return TypedPlan::default();
    }
    let mut steps = vec![init()];
    let mut needs = vec![Init.id()];
    if exists(BuildProject) {
        let step = DeleteBuilds
            .step(
                "Stop and delete the builds",
                "Builds outlive their project, and cannot be found without it; Terraform does not manage them.",
            )
            .needs([Init.id()])
            .about(BuildProject)
            .calls(&["codebuild:StopBuild", "codebuild:BatchDeleteBuilds"]);
        steps.push((DeleteBuilds, step));
        needs.push(DeleteBuilds.id());
    }
    steps.extend([
        (
            StartDestroy,
            StartDestroy
                .step("Start the provider for the destroy", "Terraform refreshes the state, then begins to delete.")
                .needs(needs)
                .calls(&["terraform destroy"]),
        ),
        (
            Destroy,
            Destroy
                .step(
                    "Destroy the resources in the state",
                    "In reverse order of creation; buckets are emptied, and images are deleted with their repository.",
                )
                .continues(StartDestroy.id())
                .with(&kinds),
        ),
        (
            DeleteLeftovers,
            DeleteLeftovers
                .step(
                    "Search for leftovers",
                    "By tag and name: unrecorded resources of an interrupted apply, and log groups of late writers.",
                )
                .needs([Destroy.id()])
                .calls(&["s3:ListAllMyBuckets", "ecr:DescribeRepositories", "iam:ListRoles", "logs:DescribeLogGroups"]),
        ),
    ]);
    TypedPlan::new(steps)
}

#[cfg(test)]
mod tests {
    use thumbctl_core::plan::Plan;

    use super::*;

    fn ids(plan: &Plan) -> Vec<&str> {
        plan.steps().iter().map(|step| step.id.as_str()).collect()
    }

    #[test]
    fn deployment_creates_everything_in_either_run_mode() {
        for mode in [RunMode::Continuous, RunMode::StepByStep] {
            let plan = deploy(&BuildSource::Bundle, mode).plan;
            for kind in ResourceKind::ARCHITECTURE {
                let created =
                    plan.steps().iter().filter(|step| step.resources().any(|created| created == kind)).count();
                assert_eq!(created, 1, "{kind}");
            }
        }
    }

    #[test]
    fn step_by_step_deployment_plans_and_applies_two_halves() {
        assert_eq!(
            ids(&deploy(&BuildSource::Bundle, RunMode::StepByStep).plan),
            [
                "init",
                "build_plan_start",
                "build_plan",
                "build_apply_start",
                "build_apply",
                "plan_start",
                "plan",
                "apply_start",
                "apply"
            ]
        );
    }

    #[test]
    fn steps_without_a_gate_continue_the_previous_step() {
        let plan = deploy(&BuildSource::Bundle, RunMode::StepByStep).plan;
        for pair in plan.steps().windows(2) {
            let starts = pair[0].id.as_str().ends_with("_start");
            assert_eq!(pair[1].continues_previous, starts, "{}", pair[1].id);
        }
    }

    #[test]
    fn empty_deployment_has_an_empty_destroy_plan() {
        assert!(destroy(&|_| false).plan.steps().is_empty());
        assert_eq!(
            ids(&destroy(&|_| true).plan),
            ["init", "empty_build_project", "destroy_start", "destroy", "leftovers"]
        );
        assert_eq!(ids(&destroy(&|kind| kind == Repository).plan), ["init", "destroy_start", "destroy", "leftovers"]);
    }

    #[test]
    fn github_source_needs_no_bucket() {
        let plan = deploy(&BuildSource::Github { url: "https://github.com/a/b".into() }, RunMode::Continuous).plan;
        assert!(plan.steps().iter().all(|step| step.resources().all(|kind| kind != BuildSourceBucket)));
    }
}
