//! The plans of Terraform commands. Pure.

use thumbctl_core::deployment::Deployment;
use thumbctl_core::plan::{Plan, Step};
use thumbctl_core::resource::ResourceKind::{self, *};

use super::address::ADDRESS_MAPPINGS;
use crate::settings::BuildSource;
use crate::strategy::RunMode;
use crate::strategy::teardown::EMPTY;

pub(super) const INIT: &str = "init";
pub(super) const PLAN_START: &str = "plan_start";
pub(super) const PLAN: &str = "plan";
pub(super) const APPLY_START: &str = "apply_start";
pub(super) const APPLY: &str = "apply";
pub(super) const DESTROY_START: &str = "destroy_start";
pub(super) const DESTROY: &str = "destroy";
pub(super) const LEFTOVERS: &str = "leftovers";

/// The prefix of step ids for the first half alone.
const FIRST_HALF: &str = "build_";

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

/// The stage and the step in a step's id.
pub(super) fn stage_of(id: &str) -> (Stage, &str) {
    match id.strip_prefix(FIRST_HALF) {
        Some(rest) => (Stage::Build, rest),
        None => (Stage::All, id),
    }
}

/// The step that starts the apply of a plan.
pub(super) fn apply_start_of(stage: Stage) -> String {
    format!("{}{APPLY_START}", if stage == Stage::Build { FIRST_HALF } else { "" })
}

/// The run mode that an existing deployment allows: the first half alone is possible only without
/// resources of the second, which it would destroy.
pub fn possible(mode: RunMode, before: &Deployment) -> RunMode {
    let is_of_rest = |kind| ADDRESS_MAPPINGS.iter().any(|mapping| mapping.kind == kind && !mapping.is_of_build_half());
    if before.existing_resources().any(|resource| is_of_rest(resource.kind)) { RunMode::Continuous } else { mode }
}

/// The plan of a deployment: one apply, as in the original project, or, step by step, two halves, each planned before
/// it is applied.
pub fn deploy(source: &BuildSource, mode: RunMode) -> Plan {
    let mut steps = vec![init()];
    let is_created = |kind: ResourceKind| *source == BuildSource::Bundle || kind != BuildSourceBucket;
    let kinds = |of_half: &dyn Fn(bool) -> bool| -> Vec<ResourceKind> {
        ADDRESS_MAPPINGS
            .iter()
            .filter(|mapping| of_half(mapping.is_of_build_half()) && is_created(mapping.kind))
            .map(|mapping| mapping.kind)
            .collect()
    };
    let all = match mode {
        RunMode::Continuous => ("everything", kinds(&|_| true)),
        RunMode::StepByStep => {
            let half = ("the build's resources and the image", kinds(&|is_build| is_build));
            steps.extend(stage_steps(FIRST_HALF, INIT, half));
            ("the rest", kinds(&|is_build| !is_build))
        }
    };
    let after = if mode == RunMode::Continuous { INIT.to_owned() } else { format!("{FIRST_HALF}{APPLY}") };
    steps.extend(stage_steps("", &after, all));
    Plan::new(steps).expect("the steps above are in order")
}

fn init() -> Step {
    Step::new(
        INIT,
        "Initialize Terraform's folder",
        "Terraform downloads the AWS provider, unless it is cached, and locks its version.",
    )
    .calls(&["terraform init"])
}

fn stage_steps(prefix: &str, after: &str, (what, kinds): (&str, Vec<ResourceKind>)) -> [Step; 4] {
    let id = |step: &str| format!("{prefix}{step}");
    [
        Step::new(
            &id(PLAN_START),
            "Start the provider for the plan",
            "A program of several hundred megabytes, started for each command; its start is timed separately.",
        )
        .needs(&[after])
        .calls(&["terraform plan"]),
        Step::new(
            &id(PLAN),
            format!("Plan {what}"),
            "Terraform compares configuration, state and cloud, and lists the changes; nothing is created.",
        )
        .continues(&id(PLAN_START)),
        Step::new(
            &id(APPLY_START),
            format!("Apply the plan: start the provider for {what}"),
            "Confirm here: the planned changes begin as soon as the provider runs.",
        )
        .needs(&[&id(PLAN)])
        .calls(&["terraform apply"]),
        Step::new(
            &id(APPLY),
            format!("Make {what}"),
            "Terraform's graph sets the order; the image is built within the apply.",
        )
        .continues(&id(APPLY_START))
        .with(&kinds),
    ]
}

/// The plan that destroys a deployment: by Terraform what its state has, and by tag what else is found.
pub fn destroy(exists: &dyn Fn(ResourceKind) -> bool) -> Plan {
    let kinds: Vec<ResourceKind> =
        ADDRESS_MAPPINGS.iter().map(|mapping| mapping.kind).filter(|kind| exists(*kind)).collect();
    if kinds.is_empty() {
        return Plan::default();
    }
    let mut steps = vec![init()];
    let mut needs = vec![INIT.to_owned()];
    if exists(BuildProject) {
        let builds = format!("{EMPTY}{BuildProject}");
        steps.push(
            Step::new(
                &builds,
                "Stop and delete the builds",
                "Builds outlive their project, and cannot be found without it; Terraform does not manage them.",
            )
            .needs(&[INIT])
            .about(BuildProject)
            .calls(&["codebuild:StopBuild", "codebuild:BatchDeleteBuilds"]),
        );
        needs.push(builds);
    }
    let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
    steps.extend([
        Step::new(
            DESTROY_START,
            "Start the provider for the destroy",
            "Terraform refreshes the state, then begins to delete.",
        )
        .needs(&needs)
        .calls(&["terraform destroy"]),
        Step::new(
            DESTROY,
            "Destroy the resources in the state",
            "In reverse order of creation; buckets are emptied, and images are deleted with their repository.",
        )
        .continues(DESTROY_START)
        .with(&kinds),
        Step::new(
            LEFTOVERS,
            "Search for leftovers",
            "By tag and name: unrecorded resources of an interrupted apply, and log groups of late writers.",
        )
        .needs(&[DESTROY])
        .calls(&["s3:ListAllMyBuckets", "ecr:DescribeRepositories", "iam:ListRoles", "logs:DescribeLogGroups"]),
    ]);
    Plan::new(steps).expect("the steps above are in order")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(plan: &Plan) -> Vec<&str> {
        plan.steps().iter().map(|step| step.id.as_str()).collect()
    }

    #[test]
    fn deployment_creates_everything_in_either_run_mode() {
        for mode in [RunMode::Continuous, RunMode::StepByStep] {
            let plan = deploy(&BuildSource::Bundle, mode);
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
            ids(&deploy(&BuildSource::Bundle, RunMode::StepByStep)),
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
        assert_eq!(stage_of("build_apply"), (Stage::Build, APPLY));
        assert_eq!(stage_of("apply"), (Stage::All, APPLY));
    }

    #[test]
    fn steps_without_a_gate_continue_the_previous_step() {
        let plan = deploy(&BuildSource::Bundle, RunMode::StepByStep);
        for pair in plan.steps().windows(2) {
            let starts = pair[0].id.as_str().ends_with("_start");
            assert_eq!(pair[1].continues_previous, starts, "{}", pair[1].id);
        }
    }

    #[test]
    fn empty_deployment_has_an_empty_destroy_plan() {
        assert!(destroy(&|_| false).steps().is_empty());
        assert_eq!(ids(&destroy(&|_| true)), ["init", "empty_build_project", "destroy_start", "destroy", "leftovers"]);
        assert_eq!(ids(&destroy(&|kind| kind == Repository)), ["init", "destroy_start", "destroy", "leftovers"]);
    }

    #[test]
    fn github_source_needs_no_bucket() {
        let plan = deploy(&BuildSource::Github { url: "https://github.com/a/b".into() }, RunMode::Continuous);
        assert!(plan.steps().iter().all(|step| step.resources().all(|kind| kind != BuildSourceBucket)));
    }
}
