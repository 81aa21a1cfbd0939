//! The plans that create and delete the three stacks. Pure.

use thumbctl_core::names::Names;
use thumbctl_core::plan::{Step, StepId};
use thumbctl_core::resource::ResourceKind::{self, *};

use super::super::TemplateResources;
use super::super::deletion::{DeletionStep, Extent};
use super::super::typed_plan::TypedPlan;
use crate::resource::Stack;
use crate::settings::BuildSource;

/// What a step of a deployment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StackStep {
    /// Creates a stack's change set.
    Prepare(Stack),
    /// Executes a stack's change set.
    Create(Stack),
    /// Uploads the function's source.
    UploadSource,
    /// Builds the image.
    BuildImage,
}

use StackStep::{BuildImage, Create, Prepare, UploadSource};

impl StackStep {
    pub(super) fn id(self) -> StepId {
        match self {
            Prepare(stack) => format!("{}_change_set", stack.word()).into(),
            Create(stack) => stack.kind().as_str().into(),
            UploadSource => "build_source".into(),
            BuildImage => "build".into(),
        }
    }
}

const CHANGE_SET_CALLS: [&str; 3] =
    ["cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet", "cloudformation:DescribeStacks"];

/// The steps of a deployment. Macro and build stacks are independent; the application's template needs the macro, and its
/// function needs the image.
pub(super) fn steps(source: &BuildSource) -> TypedPlan<StackStep> {
    let bundled = *source == BuildSource::Bundle;
    let mut steps = Vec::new();
    for stack in [Stack::Macro, Stack::Build] {
        steps.extend(stack_steps(stack, &[], bundled));
    }
    let mut build_needs = vec![Create(Stack::Build).id()];
    if bundled {
        let step = Step::new(
            UploadSource.id(),
            "Upload the function's source",
            "A zip without a root folder, as CodeBuild expects; CloudFormation creates the bucket, but uploads nothing.",
        );
        steps.push((UploadSource, step.needs([Create(Stack::Build).id()]).calls(&["s3:PutObject"])));
        build_needs.push(UploadSource.id());
    }
    let step = Step::new(
        BuildImage.id(),
        "Build the function's image",
        "CodeBuild compiles the function and pushes its image to ECR; stacks cannot wait for a build.",
    );
    steps.push((
        BuildImage,
        step.needs(build_needs).about(Image).calls(&[
            "codebuild:StartBuild",
            "codebuild:BatchGetBuilds",
            "logs:GetLogEvents",
            "ecr:DescribeImages",
        ]),
    ));
    steps.extend(stack_steps(Stack::App, &[Create(Stack::Macro), BuildImage], bundled));
    TypedPlan::new(steps)
}

/// The resources of each stack's step in the shipped templates. Calls no cloud.
pub(super) fn template_resources(source: &BuildSource) -> TemplateResources {
    let is_created = |kind: ResourceKind| *source == BuildSource::Bundle || kind != BuildSourceBucket;
    let resources = |stack: Stack| {
        let mut resources: Vec<(&str, &str)> = Vec::new();
        for (_, resource) in stack.resources().filter(|(kind, _)| is_created(*kind)) {
            let resource = (resource.logical_id, resource.resource_type);
            // The notification is a property of its bucket.
            if !resources.contains(&resource) {
                resources.push(resource);
            }
        }
        resources
    };
    Stack::ALL.map(|stack| (Create(stack).id(), resources(stack))).into()
}

fn stack_steps(stack: Stack, needs: &[StackStep], bundled: bool) -> [(StackStep, Step); 2] {
    let (prepare_title, create_title, prepare_reason, create_reason, calls): (_, _, _, _, &[&str]) = match stack {
        Stack::Macro => (
            "Prepare the macro's stack",
            "Create the macro's stack",
            "The change set lists the stack's resources; until its execution only the stack's name exists.",
            "The macro generates bucket names: CloudFormation calls its function while processing the \
             template, so it has to be there before.",
            &["logs:CreateLogGroup", "iam:CreateRole", "iam:PutRolePolicy", "lambda:CreateFunction", "iam:PassRole"],
        ),
        Stack::Build => (
            "Prepare the build's stack",
            "Create the build's stack",
            "It is independent of the macro's stack; both are created in parallel.",
            "Repository, source bucket, log group, policy, role and project: they build and store the image.",
            &[
                "ecr:CreateRepository",
                "s3:CreateBucket",
                "logs:CreateLogGroup",
                "iam:CreatePolicy",
                "iam:CreateRole",
                "iam:AttachRolePolicy",
                "codebuild:CreateProject",
                "iam:PassRole",
            ],
        ),
        Stack::App => (
            "Prepare the application's stack",
            "Create the application's stack",
            "CloudFormation processes the template; the macro inserts the buckets' names.",
            "Buckets, log group, policy, role, function, permission and notification: they create thumbnails.",
            &[
                "s3:CreateBucket",
                "logs:CreateLogGroup",
                "iam:CreatePolicy",
                "iam:CreateRole",
                "iam:AttachRolePolicy",
                "lambda:CreateFunction",
                "iam:PassRole",
                "lambda:AddPermission",
                "s3:PutBucketNotification",
            ],
        ),
    };
    let mut kinds = stack.kinds();
    kinds.retain(|kind| bundled || *kind != BuildSourceBucket);
    let mut preparing = CHANGE_SET_CALLS.to_vec();
    if stack == Stack::App {
        preparing.push("lambda:InvokeFunction");
    }
    let mut all_calls = vec!["cloudformation:ExecuteChangeSet", "cloudformation:DescribeStackEvents"];
    all_calls.extend(calls);
    let (prepare, create) = (Prepare(stack), Create(stack));
    [
        (
            prepare,
            Step::new(prepare.id(), prepare_title, prepare_reason)
                .needs(needs.iter().map(|step| step.id()))
                .calls(&preparing),
        ),
        (
            create,
            Step::new(create.id(), create_title, create_reason)
                .needs([prepare.id()])
                .about(stack.kind())
                .with(&kinds)
                .calls(&all_calls),
        ),
    ]
}

/// The steps of a teardown, so far.
struct TeardownSteps<'a> {
    names: &'a Names,
    suffix: &'a str,
    steps: Vec<(DeletionStep, Step)>,
}

impl TeardownSteps<'_> {
    /// Adds a step that needs those of `needs` that exist.
    fn add(
        &mut self,
        (extent, kind): (Extent, ResourceKind),
        needs: &[(Extent, ResourceKind)],
        (title, why): (&str, &str),
        calls: &[&str],
        with: &[ResourceKind],
    ) {
        let id = |(extent, kind)| StepId::from(format!("{}{}", DeletionStep::id(extent, kind), self.suffix));
        let exists = |id: &StepId| self.steps.iter().any(|(_, step)| step.id == *id);
        let needs: Vec<StepId> = needs.iter().map(|step| id(*step)).filter(exists).collect();
        let step = Step::new(id((extent, kind)), title, why).needs(needs).about(kind).with(with).calls(calls);
        self.steps.push((DeletionStep { extent, kind, names: self.names.clone() }, step));
    }
}

/// The steps that delete existing resources of the given kinds, with ids ending in `suffix`. Buckets and builds are
/// emptied before their stacks; log groups are checked again last, since a late writer recreates them.
pub(in crate::strategy) fn destroy(
    exists: &dyn Fn(ResourceKind) -> bool,
    names: &Names,
    suffix: &str,
) -> Vec<(DeletionStep, Step)> {
    use Extent::{Contents, Resource};
    let stack_exists = |stack: Stack| exists(stack.kind()) || stack.kinds().into_iter().any(exists);
    let mut teardown = TeardownSteps { names, suffix, steps: Vec::new() };
    if exists(Notification) {
        let text = ("Remove the notification", "Uploads must not invoke the function during the teardown.");
        teardown.add((Resource, Notification), &[], text, &["s3:PutBucketNotification"], &[]);
    }
    if exists(BuildProject) {
        let text = ("Stop and delete the builds", "Builds outlive their project, and cannot be found without it.");
        let calls = ["codebuild:StopBuild", "codebuild:BatchDeleteBuilds"];
        teardown.add((Contents, BuildProject), &[], text, &calls, &[]);
    }
    for (kind, title, needs) in [
        (SourceBucket, "Empty the source bucket", (Resource, Notification)),
        (DestinationBucket, "Empty the destination bucket", (Resource, Notification)),
        (BuildSourceBucket, "Empty the build source bucket", (Contents, BuildProject)),
    ] {
        if exists(kind) {
            let why = "CloudFormation deletes only empty buckets, and does not empty them.";
            teardown.add((Contents, kind), &[needs], (title, why), EMPTYING, &[]);
        }
    }
    for stack in [Stack::App, Stack::Build, Stack::Macro] {
        // After the function, which uses it, and before the repository, which would delete it unreported.
        if stack == Stack::Build && exists(Image) {
            let why = "No function uses it any longer; other images are deleted with the repository.";
            let needs = [(Resource, AppStack), (Contents, BuildProject)];
            let text = ("Delete the function's image", why);
            teardown.add((Resource, Image), &needs, text, &["ecr:BatchDeleteImage"], &[]);
        }
        if !stack_exists(stack) {
            continue;
        }
        let (title, why, needs): (_, _, &[_]) = match stack {
            Stack::App => (
                "Delete the application's stack",
                "CloudFormation deletes the function, its role, the buckets and the rest.",
                &[(Resource, Notification), (Contents, SourceBucket), (Contents, DestinationBucket)],
            ),
            Stack::Build => (
                "Delete the build's stack",
                "The function is deleted first: its image is in this stack's repository.",
                &[(Resource, AppStack), (Contents, BuildProject), (Resource, Image), (Contents, BuildSourceBucket)],
            ),
            Stack::Macro => (
                "Delete the macro's stack",
                "After the application's stack, whose template calls the macro.",
                &[(Resource, AppStack)],
            ),
        };
        let kinds: Vec<ResourceKind> = stack.kinds().into_iter().filter(|kind| exists(*kind)).collect();
        let calls =
            ["cloudformation:DeleteStack", "cloudformation:DescribeStackEvents", "cloudformation:DescribeStacks"];
        teardown.add((Resource, stack.kind()), needs, (title, why), &calls, &kinds);
    }
    for (kind, title, stack) in [
        (FunctionLogGroup, "Check the function's log group", AppStack),
        (BuildLogGroup, "Check the build's log group", BuildStack),
        (MacroLogGroup, "Check the macro's log group", MacroStack),
    ] {
        if exists(kind) {
            let why = "It was deleted with its stack; a late writer may have recreated it.";
            teardown.add((Resource, kind), &[(Resource, stack)], (title, why), &["logs:DeleteLogGroup"], &[]);
        }
    }
    teardown.steps
}

const EMPTYING: &[&str] =
    &["s3:ListObjectVersions", "s3:ListMultipartUploads", "s3:DeleteObjects", "s3:AbortMultipartUpload"];

#[cfg(test)]
mod tests {
    use thumbctl_core::names::{DeploymentName, Suffix};
    use thumbctl_core::plan::Plan;

    use super::*;

    fn github() -> BuildSource {
        BuildSource::Github { url: "https://github.com/a/b".into() }
    }

    fn deploy(source: &BuildSource) -> Plan {
        steps(source).plan
    }

    fn destroy(exists: &dyn Fn(ResourceKind) -> bool, suffix: &str) -> Plan {
        let names = Names::new(DeploymentName::new("demo").expect("a legal name"), Suffix::from_number(0xff));
        TypedPlan::new(super::destroy(exists, &names, suffix)).plan
    }

    #[test]
    fn deployment_creates_every_resource() {
        let plan = deploy(&BuildSource::Bundle);
        for kind in ResourceKind::ALL {
            assert!(
                plan.steps().iter().any(|step| step.resources().any(|created| created == kind)),
                "no step creates {kind}"
            );
        }
    }

    #[test]
    fn macro_and_build_stacks_are_independent_and_application_needs_both() {
        let depths = deploy(&BuildSource::Bundle).depths();
        assert_eq!([depths[&"macro_change_set".into()], depths[&"build_change_set".into()]], [0, 0]);
        let plan = deploy(&BuildSource::Bundle);
        let app = plan.step(&Prepare(Stack::App).id()).expect("the plan has it");
        assert_eq!(app.needs, [Create(Stack::Macro).id(), BuildImage.id()]);
    }

    #[test]
    fn github_source_needs_no_bucket() {
        let plan = deploy(&github());
        assert!(plan.steps().iter().all(|step| step.resources().all(|kind| kind != BuildSourceBucket)));
        assert!(plan.step(&UploadSource.id()).is_none());
    }

    #[test]
    fn teardown_deletes_everything_application_before_macro_and_log_groups_last() {
        let plan = destroy(&|_| true, "");
        for kind in ResourceKind::ALL {
            assert!(
                plan.steps().iter().any(|step| step.resources().any(|deleted| deleted == kind)),
                "no step deletes {kind}"
            );
        }
        let depths = plan.depths();
        assert!(depths[&"macro_stack".into()] > depths[&"app_stack".into()]);
        assert!(depths[&"image".into()] > depths[&"app_stack".into()], "the function uses it");
        assert!(depths[&"macro_log_group".into()] > depths[&"macro_stack".into()]);
        assert!(depths[&"function_log_group".into()] > depths[&"app_stack".into()]);
    }

    #[test]
    fn stack_with_only_a_name_is_deleted() {
        let plan = destroy(&|kind| kind == AppStack, "-000000ff");
        let ids: Vec<&str> = plan.steps().iter().map(|step| step.id.as_str()).collect();
        assert_eq!(ids, ["app_stack-000000ff"]);
    }
}
