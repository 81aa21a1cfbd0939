//! The plans: what Terraform is run for, in which order. Pure.

use thumbctl_core::deployment::Deployment;
use thumbctl_core::plan::{Plan, Step};
use thumbctl_core::resource::ResourceKind::{self, *};

use super::address::PLACES;
use crate::settings::BuildSource;
use crate::strategy::Stride;
use crate::strategy::teardown::EMPTY;

pub(super) const INIT: &str = "init";
pub(super) const PLAN_START: &str = "plan_start";
pub(super) const PLAN: &str = "plan";
pub(super) const APPLY_START: &str = "apply_start";
pub(super) const APPLY: &str = "apply";
pub(super) const DESTROY_START: &str = "destroy_start";
pub(super) const DESTROY: &str = "destroy";
pub(super) const LEFTOVERS: &str = "leftovers";

/// How the ids begin of the steps that make the first half alone.
const FIRST_HALF: &str = "build_";

/// How much of the architecture is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// What the image is built by, and the image.
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

/// What a step's id says: which stage, and which of the steps above.
pub(super) fn stage_of(id: &str) -> (Stage, &str) {
    match id.strip_prefix(FIRST_HALF) {
        Some(rest) => (Stage::Build, rest),
        None => (Stage::All, id),
    }
}

/// The step that applies what another has planned.
pub(super) fn apply_start_of(stage: Stage) -> String {
    format!("{}{APPLY_START}", if stage == Stage::Build { FIRST_HALF } else { "" })
}

/// How a deployment can be gone through, of which this stands: the first half alone can only be made where nothing of the second
/// is there, since it would be destroyed.
pub fn possible(stride: Stride, before: &Deployment) -> Stride {
    let is_of_rest = |kind| PLACES.iter().any(|place| place.kind == kind && !place.is_of_build_half());
    if before.existing_resources().any(|resource| is_of_rest(resource.kind)) { Stride::Through } else { stride }
}

/// What a deployment does: all in one apply, as the original does it, or, step by step, in two halves, each planned before
/// it is applied.
pub fn deploy(source: &BuildSource, stride: Stride) -> Plan {
    let mut steps = vec![init()];
    let is_made = |kind: ResourceKind| *source == BuildSource::Bundle || kind != BuildSourceBucket;
    let kinds = |of_half: &dyn Fn(bool) -> bool| -> Vec<ResourceKind> {
        PLACES
            .iter()
            .filter(|place| of_half(place.is_of_build_half()) && is_made(place.kind))
            .map(|place| place.kind)
            .collect()
    };
    let all = match stride {
        Stride::Through => ("everything", kinds(&|_| true)),
        Stride::StepByStep => {
            let half = ("what builds the image, and the image", kinds(&|is_build| is_build));
            steps.extend(stage_steps(FIRST_HALF, INIT, half));
            ("the rest", kinds(&|is_build| !is_build))
        }
    };
    let after = if stride == Stride::Through { INIT.to_owned() } else { format!("{FIRST_HALF}{APPLY}") };
    steps.extend(stage_steps("", &after, all));
    Plan::new(steps).expect("the deployment's steps are written down in order, above")
}

fn init() -> Step {
    Step::new(
        INIT,
        "Initialise Terraform's folder",
        "Terraform fetches the AWS provider, unless it has it already, and writes down which one it was.",
    )
    .calls(&["terraform init"])
}

fn stage_steps(prefix: &str, after: &str, (what, kinds): (&str, Vec<ResourceKind>)) -> [Step; 4] {
    let id = |step: &str| format!("{prefix}{step}");
    [
        Step::new(
            &id(PLAN_START),
            "Start the provider, to plan",
            "A program of several hundred megabytes, which Terraform starts anew for each command; that time is its own.",
        )
        .needs(&[after])
        .calls(&["terraform plan"]),
        Step::new(
            &id(PLAN),
            format!("Plan {what}"),
            "Terraform compares the configuration with its state and with the cloud, and says what it would do; nothing is made.",
        )
        .continues(&id(PLAN_START)),
        Step::new(
            &id(APPLY_START),
            format!("Apply the plan: start the provider, to make {what}"),
            "What was planned is made as soon as the provider runs: the decision is here.",
        )
        .needs(&[&id(PLAN)])
        .calls(&["terraform apply"]),
        Step::new(
            &id(APPLY),
            format!("Make {what}"),
            "Terraform's graph says what waits for what; the image is built inside the apply, by what the configuration calls.",
        )
        .continues(&id(APPLY_START))
        .with(&kinds),
    ]
}

/// What takes down what stands: by Terraform what its state has, and whatever is found besides by its tags.
pub fn destroy(stands: &dyn Fn(ResourceKind) -> bool) -> Plan {
    let kinds: Vec<ResourceKind> = PLACES.iter().map(|place| place.kind).filter(|kind| stands(*kind)).collect();
    if kinds.is_empty() {
        return Plan::default();
    }
    let mut steps = vec![init()];
    let mut needs = vec![INIT.to_owned()];
    if stands(BuildProject) {
        let builds = format!("{}{BuildProject}", EMPTY);
        steps.push(
            Step::new(
                &builds,
                "Stop and delete the builds",
                "Builds outlive their project, and cannot be found without it; Terraform does not know of them.",
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
            "Start the provider, to destroy",
            "Terraform starts it, looks how everything is, and then begins.",
        )
        .needs(&needs)
        .calls(&["terraform destroy"]),
        Step::new(
            DESTROY,
            "Destroy what the state has",
            "In the reverse of the order in which it was made; buckets are emptied, and images go with their repository.",
        )
        .continues(DESTROY_START)
        .with(&kinds),
        Step::new(
            LEFTOVERS,
            "Look for what is left",
            "By tag and name: what an interrupted apply has not written down, and log groups that a late writer made again.",
        )
        .needs(&[DESTROY])
        .calls(&["s3:ListAllMyBuckets", "ecr:DescribeRepositories", "iam:ListRoles", "logs:DescribeLogGroups"]),
    ]);
    Plan::new(steps).expect("the teardown's steps are written down in order, above")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(plan: &Plan) -> Vec<&str> {
        plan.steps().iter().map(|step| step.id.as_str()).collect()
    }

    #[test]
    fn a_deployment_makes_everything_whichever_stride_it_takes() {
        for stride in [Stride::Through, Stride::StepByStep] {
            let plan = deploy(&BuildSource::Bundle, stride);
            for kind in ResourceKind::ARCHITECTURE {
                let made = plan.steps().iter().filter(|step| step.resources().any(|made| made == kind)).count();
                assert_eq!(made, 1, "{kind}");
            }
        }
    }

    #[test]
    fn step_by_step_the_halves_are_planned_and_applied_one_after_the_other() {
        assert_eq!(
            ids(&deploy(&BuildSource::Bundle, Stride::StepByStep)),
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
    fn what_nothing_may_hold_goes_on_with_the_step_before_it() {
        let plan = deploy(&BuildSource::Bundle, Stride::StepByStep);
        for pair in plan.steps().windows(2) {
            let starts = pair[0].id.as_str().ends_with("_start");
            assert_eq!(pair[1].continues_previous, starts, "{}", pair[1].id);
        }
    }

    #[test]
    fn nothing_that_stands_is_nothing_to_destroy() {
        assert!(destroy(&|_| false).steps().is_empty());
        assert_eq!(ids(&destroy(&|_| true)), ["init", "empty_build_project", "destroy_start", "destroy", "leftovers"]);
        assert_eq!(ids(&destroy(&|kind| kind == Repository)), ["init", "destroy_start", "destroy", "leftovers"]);
    }

    #[test]
    fn a_github_source_needs_no_bucket() {
        let plan = deploy(&BuildSource::Github { url: "https://github.com/a/b".into() }, Stride::Through);
        assert!(plan.steps().iter().all(|step| step.resources().all(|kind| kind != BuildSourceBucket)));
    }
}
