//! The SDK strategy's plan. Pure.

use thumbctl_core::plan::{Plan, Step, StepId};
use thumbctl_core::resource::ResourceKind::{self, *};

use super::super::typed_plan::TypedPlan;
use crate::resource::{StepText, descriptor};
use crate::settings::BuildSource;

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SdkStep {
    /// Creates a resource.
    Create(ResourceKind),
    /// Uploads the function's source.
    UploadSource,
    /// Builds the image.
    BuildImage,
    /// Waits until the function is active.
    AwaitFunction,
}

use SdkStep::{AwaitFunction, BuildImage, Create, UploadSource};

impl SdkStep {
    fn id(self) -> StepId {
        match self {
            Create(kind) => kind.as_str(),
            UploadSource => "build_source",
            BuildImage => "build",
            AwaitFunction => "function_active",
        }
        .into()
    }
}

/// The plan of a deployment.
pub fn deploy(source: &BuildSource) -> Plan {
    steps(source).plan
}

/// The steps of a deployment. Names of roles, buckets and log groups are known before they exist, so policies can name
/// them and need not wait for them.
pub(super) fn steps(source: &BuildSource) -> TypedPlan<SdkStep> {
    let is_bundled = *source == BuildSource::Bundle;
    let mut project_needs = vec![Create(Repository), Create(BuildLogGroup), Create(BuildRole)];
    let mut steps = vec![create(Repository, &[])];
    if is_bundled {
        steps.extend([create(BuildSourceBucket, &[]), upload_source()]);
        project_needs.push(UploadSource);
    }
    steps.extend([
        create(BuildLogGroup, &[]),
        create(BuildPolicy, &[]),
        create(BuildRole, &[Create(BuildPolicy)]),
        create(BuildProject, &project_needs),
        about(BuildImage, Image, &[Create(BuildProject)]),
        create(SourceBucket, &[]),
        create(DestinationBucket, &[]),
        create(FunctionLogGroup, &[]),
        create(FunctionPolicy, &[]),
        create(FunctionRole, &[Create(FunctionPolicy)]),
        create(Function, &[BuildImage, Create(FunctionRole), Create(FunctionLogGroup)]),
        await_function(),
        create(InvokePermission, &[Create(Function)]),
        create(
            Notification,
            &[Create(InvokePermission), AwaitFunction, Create(SourceBucket), Create(DestinationBucket)],
        ),
    ]);
    TypedPlan::new(steps)
}

/// The step that creates a resource.
fn create(kind: ResourceKind, needs: &[SdkStep]) -> (SdkStep, Step) {
    about(Create(kind), kind, needs)
}

/// The step that creates a resource in its own way.
fn about(work: SdkStep, kind: ResourceKind, needs: &[SdkStep]) -> (SdkStep, Step) {
    let StepText { title, reason, calls } =
        descriptor(kind).creation.as_ref().expect("every kind of the architecture has a creation step");
    (work, Step::new(work.id(), *title, *reason).needs(needs.iter().map(|step| step.id())).about(kind).calls(calls))
}

fn upload_source() -> (SdkStep, Step) {
    let step = Step::new(
        UploadSource.id(),
        "Upload the function's source",
        "A zip without a root folder, as CodeBuild expects.",
    );
    (UploadSource, step.needs([Create(BuildSourceBucket).id()]).calls(&["s3:PutObject"]))
}

fn await_function() -> (SdkStep, Step) {
    let step = Step::new(
        AwaitFunction.id(),
        "Wait until the function is active",
        "Lambda prepares the image first; until then the function cannot be invoked.",
    );
    let step = step.needs([Create(Function).id()]).about(Function);
    (AwaitFunction, step.calls(&["lambda:GetFunctionConfiguration"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployment_creates_every_resource() {
        let plan = deploy(&BuildSource::Bundle);
        for kind in ResourceKind::ARCHITECTURE {
            assert!(plan.steps().iter().any(|step| step.resource == Some(kind)), "no step creates {kind}");
        }
    }

    #[test]
    fn github_source_needs_no_bucket() {
        let plan = deploy(&BuildSource::Github { url: "https://github.com/a/b".into() });
        assert!(plan.steps().iter().all(|step| step.resource != Some(BuildSourceBucket)));
    }

    #[test]
    fn permission_comes_before_notification() {
        let plan = deploy(&BuildSource::Bundle);
        let notification = plan.step(&Create(Notification).id()).expect("the plan has it");
        assert!(notification.needs.contains(&Create(InvokePermission).id()));
    }
}
