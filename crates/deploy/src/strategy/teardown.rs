//! The plans that destroy a deployment: by resource, or by stack. Pure.

use thumbctl_core::names::Names;
use thumbctl_core::plan::Step;
use thumbctl_core::resource::ResourceKind::{self, *};

use super::cloudformation;
use super::deletion::{DeletionStep, Extent};
use crate::resource::{StepText, descriptor};

/// The kinds that are deleted individually, in a valid order of deletion.
pub(super) fn order() -> impl Iterator<Item = ResourceKind> {
    DESTROY_ORDER.into_iter().map(|(kind, _)| kind)
}

/// The steps that delete resources of the given kinds, with ids ending in `suffix`. Stacks delete their resources.
pub(super) fn steps(exists: &dyn Fn(ResourceKind) -> bool, names: &Names, suffix: &str) -> Vec<(DeletionStep, Step)> {
    if ResourceKind::ALL.into_iter().any(|kind| exists(kind) && !order().any(|other| other == kind)) {
        return cloudformation::plan::destroy(exists, names, suffix);
    }
    DESTROY_ORDER
        .iter()
        .filter(|(kind, _)| exists(*kind))
        .map(|(kind, after)| {
            let StepText { title, reason, calls } =
                descriptor(*kind).deletion.as_ref().expect("every kind in the order has a deletion step");
            let needs = after.iter().filter(|needed| exists(**needed)).map(|needed| format!("{needed}{suffix}"));
            let step = Step::new(format!("{kind}{suffix}"), *title, *reason).needs(needs).about(*kind).calls(calls);
            (DeletionStep { extent: Extent::Resource, kind: *kind, names: names.clone() }, step)
        })
        .collect()
}

/// Each resource with those deleted before it. A user of a resource is deleted before it; log groups come
/// last, since a late invocation would recreate them.
const DESTROY_ORDER: [(ResourceKind, &[ResourceKind]); 15] = [
    (Notification, &[]),
    (BuildProject, &[]),
    (InvokePermission, &[Notification]),
    (Function, &[Notification, InvokePermission]),
    (SourceBucket, &[Notification, Function]),
    (DestinationBucket, &[Function]),
    (BuildSourceBucket, &[BuildProject]),
    (Image, &[Function, BuildProject]),
    (Repository, &[Function, BuildProject, Image]),
    (FunctionRole, &[Function]),
    (FunctionPolicy, &[FunctionRole]),
    (BuildRole, &[BuildProject]),
    (BuildPolicy, &[BuildRole]),
    (FunctionLogGroup, &[Function, FunctionRole, SourceBucket, DestinationBucket]),
    (BuildLogGroup, &[BuildProject, BuildRole]),
];

#[cfg(test)]
mod tests {
    use thumbctl_core::names::DeploymentName;

    use super::super::typed_plan::TypedPlan;
    use super::*;

    #[test]
    fn teardown_has_a_step_for_each_kind_and_deletes_log_groups_last() {
        let names = Names::draw(DeploymentName::new("demo").expect("a legal name"));
        let plan = TypedPlan::new(steps(&|kind| ResourceKind::ARCHITECTURE.contains(&kind), &names, "")).plan;
        assert_eq!(plan.steps().len(), ResourceKind::ARCHITECTURE.len());
        let depths = plan.depths();
        assert!(depths[&"function_log_group".into()] > depths[&"function_role".into()]);
        assert!(depths[&"build_log_group".into()] > depths[&"build_role".into()]);
    }
}
