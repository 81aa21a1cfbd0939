//! The plans that create and delete the three stacks. Pure.

use thumbctl_core::plan::{Plan, Step, StepId};
use thumbctl_core::resource::ResourceKind::{self, *};

use super::super::teardown::EMPTY;
use super::stack::Stack;
use crate::settings::BuildSource;

pub(super) const BUILD_SOURCE: &str = "build_source";
pub(super) const BUILD: &str = "build";

/// The step that creates a stack's change set.
pub(super) fn change_set_step(stack: Stack) -> &'static str {
    match stack {
        Stack::Macro => "macro_change_set",
        Stack::Build => "build_change_set",
        Stack::App => "app_change_set",
    }
}

/// The step that executes a stack's change set; in a teardown, the step that deletes the stack.
pub(super) fn stack_step(stack: Stack) -> &'static str {
    match stack {
        Stack::Macro => "macro_stack",
        Stack::Build => "build_stack",
        Stack::App => "app_stack",
    }
}

const CHANGE_SET_CALLS: [&str; 3] =
    ["cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet", "cloudformation:DescribeStacks"];

/// The plan of a deployment. Macro and build stacks are independent; the application's template needs
/// the macro, and its function needs the image.
pub fn deploy(source: &BuildSource) -> Plan {
    let bundled = *source == BuildSource::Bundle;
    let mut steps = Vec::new();
    for stack in [Stack::Macro, Stack::Build] {
        steps.extend(stack_steps(stack, &[], bundled));
    }
    let mut build_needs = vec![stack_step(Stack::Build)];
    if bundled {
        steps.push(
            Step::new(
                BUILD_SOURCE,
                "Upload the function's source",
                "A zip without a root folder, as CodeBuild expects; CloudFormation creates the bucket, but uploads nothing.",
            )
            .needs(&[stack_step(Stack::Build)])
            .calls(&["s3:PutObject"]),
        );
        build_needs.push(BUILD_SOURCE);
    }
    steps.push(
        Step::new(
            BUILD,
            "Build the function's image",
            "CodeBuild compiles the function and pushes its image to ECR; stacks cannot wait for a build.",
        )
        .needs(&build_needs)
        .about(Image)
        .calls(&[
            "codebuild:StartBuild",
            "codebuild:BatchGetBuilds",
            "logs:GetLogEvents",
            "ecr:DescribeImages",
        ]),
    );
    steps.extend(stack_steps(Stack::App, &[stack_step(Stack::Macro), BUILD], bundled));
    Plan::new(steps).expect("the steps above are in order")
}

/// The resources of each stack's step in the shipped templates: name and type. Calls no cloud.
pub fn template_resources(source: &BuildSource) -> Vec<(StepId, Vec<(&'static str, &'static str)>)> {
    let is_created = |(name, _): &(&str, &str)| *source == BuildSource::Bundle || *name != "BuildSourceBucket";
    let of =
        |stack: Stack| (stack_step(stack).into(), stack.template_resources().into_iter().filter(is_created).collect());
    Stack::ALL.map(of).into()
}

fn stack_steps(stack: Stack, needs: &[&str], bundled: bool) -> [Step; 2] {
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
    [
        Step::new(change_set_step(stack), prepare_title, prepare_reason).needs(needs).calls(&preparing),
        Step::new(stack_step(stack), create_title, create_reason)
            .needs(&[change_set_step(stack)])
            .about(stack.kind())
            .with(&kinds)
            .calls(&all_calls),
    ]
}

/// The steps that delete existing resources of the given kinds, with ids ending in `suffix`. Buckets and builds are
/// emptied before their stacks; log groups are checked again last, since a late writer recreates them.
pub(in crate::strategy) fn destroy(exists: &dyn Fn(ResourceKind) -> bool, suffix: &str) -> Plan {
    let stack_exists = |stack: Stack| exists(stack.kind()) || stack.kinds().into_iter().any(exists);
    let mut steps: Vec<Step> = Vec::new();
    let mut add = |id: &str, needs: &[&str], step: Step| {
        let needs: Vec<String> = needs.iter().map(|id| format!("{id}{suffix}")).collect();
        let known: Vec<&str> = needs
            .iter()
            .map(String::as_str)
            .filter(|id| steps.iter().any(|step: &Step| step.id.as_str() == *id))
            .collect();
        let step = step.needs(&known);
        steps.push(Step { id: format!("{id}{suffix}").as_str().into(), ..step });
    };
    if exists(Notification) {
        let step =
            Step::new("", "Remove the notification", "Uploads must not invoke the function during the teardown.");
        add("notification", &[], step.about(Notification).calls(&["s3:PutBucketNotification"]));
    }
    if exists(BuildProject) {
        let step = Step::new(
            "",
            "Stop and delete the builds",
            "Builds outlive their project, and cannot be found without it.",
        );
        let calls = &["codebuild:StopBuild", "codebuild:BatchDeleteBuilds"];
        add(&format!("{EMPTY}{BuildProject}"), &[], step.about(BuildProject).calls(calls));
    }
    for (kind, title) in [
        (SourceBucket, "Empty the source bucket"),
        (DestinationBucket, "Empty the destination bucket"),
        (BuildSourceBucket, "Empty the build source bucket"),
    ] {
        if exists(kind) {
            let step = Step::new("", title, "CloudFormation deletes only empty buckets, and does not empty them.");
            let needs = if kind == BuildSourceBucket { "empty_build_project" } else { "notification" };
            add(&format!("{EMPTY}{kind}"), &[needs], step.about(kind).calls(EMPTYING));
        }
    }
    for stack in [Stack::App, Stack::Build, Stack::Macro] {
        // After the function, which uses it, and before the repository, which would delete it unreported.
        if stack == Stack::Build && exists(Image) {
            let why = "No function uses it any longer; other images are deleted with the repository.";
            let step = Step::new("", "Delete the function's image", why).about(Image);
            add("image", &["app_stack", "empty_build_project"], step.calls(&["ecr:BatchDeleteImage"]));
        }
        if !stack_exists(stack) {
            continue;
        }
        let (title, why, needs): (_, _, &[&str]) = match stack {
            Stack::App => (
                "Delete the application's stack",
                "CloudFormation deletes the function, its role, the buckets and the rest.",
                &["notification", "empty_source_bucket", "empty_destination_bucket"],
            ),
            Stack::Build => (
                "Delete the build's stack",
                "The function is deleted first: its image is in this stack's repository.",
                &["app_stack", "empty_build_project", "image", "empty_build_source_bucket"],
            ),
            Stack::Macro => (
                "Delete the macro's stack",
                "After the application's stack, whose template calls the macro.",
                &["app_stack"],
            ),
        };
        let kinds: Vec<ResourceKind> = stack.kinds().into_iter().filter(|kind| exists(*kind)).collect();
        let step = Step::new("", title, why).about(stack.kind()).with(&kinds).calls(&[
            "cloudformation:DeleteStack",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStacks",
        ]);
        add(stack_step(stack), needs, step);
    }
    for (kind, title, needs) in [
        (FunctionLogGroup, "Check the function's log group", ["app_stack"]),
        (BuildLogGroup, "Check the build's log group", ["build_stack"]),
        (MacroLogGroup, "Check the macro's log group", ["macro_stack"]),
    ] {
        if exists(kind) {
            let step = Step::new("", title, "It was deleted with its stack; a late writer may have recreated it.");
            add(kind.as_str(), &needs, step.about(kind).calls(&["logs:DeleteLogGroup"]));
        }
    }
    Plan::new(steps).expect("the steps above are in order")
}

const EMPTYING: &[&str] =
    &["s3:ListObjectVersions", "s3:ListMultipartUploads", "s3:DeleteObjects", "s3:AbortMultipartUpload"];

#[cfg(test)]
mod tests {
    use super::*;

    fn github() -> BuildSource {
        BuildSource::Github { url: "https://github.com/a/b".into() }
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
        let app = plan.step(&change_set_step(Stack::App).into()).expect("the plan has it");
        assert_eq!(app.needs, [stack_step(Stack::Macro).into(), BUILD.into()]);
    }

    #[test]
    fn github_source_needs_no_bucket() {
        let plan = deploy(&github());
        assert!(plan.steps().iter().all(|step| step.resources().all(|kind| kind != BuildSourceBucket)));
        assert!(plan.step(&BUILD_SOURCE.into()).is_none());
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
