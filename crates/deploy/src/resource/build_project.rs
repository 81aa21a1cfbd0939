//! The CodeBuild project, and its builds.

use async_trait::async_trait;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::resource::ResourceKind;

use super::console_page::{ConsolePages, part};
use super::inspection::{InspectionBuilder, minutes, time, yes_or_no};
use super::listing::Listing;
use super::{
    ImportId, Presence, ResourceContext, ResourceDefinition, ResourceDescriptor, SOURCE_KEY, Stack, StepText,
    TemplateResource, TerraformResource, adopt, kept_setting,
};
use crate::aws::{AwsError, Deleted, ErrorKind, codebuild, wait};
use crate::call::{call, delete};
use crate::deploy_target::DeployTarget;
use crate::run_context::RunContext;
use crate::settings::BuildSource;

static DESCRIPTOR: ResourceDescriptor = ResourceDescriptor {
    kind: ResourceKind::BuildProject,
    title: "CodeBuild project",
    purpose: "Defines the build: source, build machine and service role.",
    creation: Some(StepText {
        title: "Create the CodeBuild project",
        reason: "It names the source, the build image and the role. A new role needs seconds to become usable: the call is \
                 retried on that error only.",
        calls: &["codebuild:CreateProject", "iam:PassRole"],
    }),
    deletion: Some(StepText {
        title: "Delete the CodeBuild project and its builds",
        reason: "A running build is stopped first.",
        calls: &["codebuild:StopBuild", "codebuild:BatchDeleteBuilds", "codebuild:DeleteProject"],
    }),
    listing: Some(Listing::BuildProjects),
    cloudformation: Some(TemplateResource {
        stack: Stack::Build,
        logical_id: "BuildProject",
        resource_type: "AWS::CodeBuild::Project",
    }),
    terraform: Some(TerraformResource {
        address: "aws_codebuild_project.function",
        parts: &[],
        import: ImportId::Name,
    }),
};

/// The project.
#[derive(Debug)]
pub(super) struct BuildProjectResource;

#[async_trait]
impl ResourceDefinition for BuildProjectResource {
    fn descriptor(&self) -> &ResourceDescriptor {
        &DESCRIPTOR
    }

    fn arn(&self, context: ResourceContext<'_>) -> Option<String> {
        Some(context.regional_arn("codebuild", &format!("project/{}", context.name(self.kind()))))
    }

    fn console_page(&self, pages: &ConsolePages<'_>) -> String {
        let ConsolePages { host, region, account, names } = pages;
        let project = part(&names.of(self.kind()));
        format!("{host}/codesuite/codebuild/{account}/projects/{project}/history?region={region}")
    }

    async fn presence(&self, context: ResourceContext<'_>) -> Result<Presence, AwsError> {
        Ok(codebuild::project(&context.target.clients.codebuild, &context.name(self.kind())).await?.into())
    }

    async fn inspect(&self, context: ResourceContext<'_>) -> Result<Option<InspectionBuilder>, AwsError> {
        let found = codebuild::project(&context.target.clients.codebuild, &context.name(self.kind())).await?;
        let Some(found) = found else { return Ok(None) };
        let mut builder = InspectionBuilder::new(Some(found.arn));
        builder.optional("description", found.description);
        let source = [found.source.kind, found.source.location].into_iter().flatten().collect::<Vec<_>>();
        builder.row("source", source.join(" "));
        builder.row(
            "buildspec",
            match found.source.buildspec {
                None => "from the source".to_owned(),
                Some(text) if text.contains('\n') => "inline".to_owned(),
                Some(path) => path,
            },
        );
        builder.optional("build image", found.image);
        builder.optional("compute type", found.compute_type);
        builder.optional("environment type", found.environment_type);
        builder.optional("privileged", found.privileged.map(yes_or_no));
        builder.optional("timeout", found.timeout_minutes.map(minutes));
        builder.optional("queue timeout", found.queued_timeout_minutes.map(minutes));
        builder.optional("service role", found.role_arn);
        builder.optional("log group", found.log_group);
        for variable in found.environment {
            let value = match variable.store {
                None => variable.value,
                Some(store) => format!("{} ({})", variable.value, store.to_lowercase().replace('_', " ")),
            };
            builder.variable(&variable.name, &value);
        }
        builder.optional("created", found.created_ms.map(time));
        builder.optional("changed", found.modified_ms.map(time));
        builder.tags(Ok(found.tags))?;
        Ok(Some(builder))
    }

    async fn create(&self, run: &RunContext, scope: &StepScope) -> Result<Option<String>, StepError> {
        let settings = &run.target.settings.build;
        let environment = codebuild::build_environment(
            &run.target.region,
            &run.target.identity.account,
            &run.name(ResourceKind::Repository),
            run.names.image_tag(),
        );
        let spec = codebuild::ProjectSpec {
            name: &run.name(self.kind()),
            description: "Builds the thumbnail function's image",
            role_arn: &run.role_arn(ResourceKind::BuildRole),
            source: &source(run),
            buildspec: None,
            image: &settings.image,
            compute_type: &settings.compute_type,
            architecture: run.architecture(),
            environment: &environment,
            log_group: &run.name(ResourceKind::BuildLogGroup),
            timeout_minutes: settings.timeout_minutes,
            // Rule: a build may run for 36 hours, but wait for a machine only 8.
            // https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CreateProject.html
            queued_timeout_minutes: settings.timeout_minutes.min(480),
            tags: &run.tags(),
        };
        Ok(Some(create_or_adopt(run, &spec, scope).await?))
    }

    async fn differences(&self, run: &RunContext, scope: &StepScope) -> Result<Vec<String>, StepError> {
        let (client, name) = (&run.target.clients.codebuild, &run.name(self.kind()));
        let Some(found) = call(scope, &[], || codebuild::project(client, name)).await? else { return Ok(Vec::new()) };
        let configured = &run.target.settings.build;
        let compared = [
            ("build image", found.image, configured.image.clone()),
            ("compute type", found.compute_type, configured.compute_type.clone()),
            ("timeout", found.timeout_minutes.map(minutes), minutes(configured.timeout_minutes)),
        ];
        let changed = compared.into_iter().filter_map(|(setting, kept, configured)| {
            kept.filter(|kept| *kept != configured).map(|kept| kept_setting(name, setting, &kept))
        });
        Ok(changed.collect())
    }

    async fn delete(&self, context: ResourceContext<'_>, scope: &StepScope) -> Result<Deleted, StepError> {
        let (client, name) = (&context.target.clients.codebuild, &context.name(self.kind()));
        stop_builds(context.target, name, scope).await?;
        delete(scope, || codebuild::delete_project(client, name)).await
    }
}

fn source(run: &RunContext) -> codebuild::Source {
    match &run.target.settings.build.source {
        BuildSource::Bundle => {
            codebuild::Source::S3 { bucket: run.name(ResourceKind::BuildSourceBucket), key: SOURCE_KEY.to_owned() }
        }
        BuildSource::Github { url } => codebuild::Source::GitHub { url: url.clone() },
    }
}

async fn create_or_adopt(
    run: &RunContext,
    spec: &codebuild::ProjectSpec<'_>,
    scope: &StepScope,
) -> Result<String, StepError> {
    let client = &run.target.clients.codebuild;
    call(scope, &[wait::ROLE_PROPAGATION], || async {
        match codebuild::create_project(client, spec).await {
            Err(error) if error.kind == ErrorKind::AlreadyExists => {
                let found = codebuild::project(client, spec.name).await?;
                adopt(run, found.map(|found| (found.arn, found.tags)), error)
            }
            result => result,
        }
    })
    .await
}

/// Stops a running build, and deletes all builds of a project.
///
/// # Errors
/// When a call fails.
pub(crate) async fn delete_builds(
    target: &DeployTarget,
    project: &str,
    scope: &StepScope,
) -> Result<Deleted, StepError> {
    stop_builds(target, project, scope).await?;
    delete(scope, || codebuild::delete_builds(&target.clients.codebuild, project)).await
}

/// Stops a project's running build.
///
/// # Errors
/// When a call fails.
pub(crate) async fn stop_builds(target: &DeployTarget, project: &str, scope: &StepScope) -> Result<(), StepError> {
    let client = &target.clients.codebuild;
    // Only the newest can be running: one deployment starts one build at a time.
    let builds = call(scope, &[], || codebuild::builds_of(client, project)).await?.unwrap_or_default();
    for id in builds.iter().take(3) {
        let state = call(scope, &[], || codebuild::build(client, id)).await?;
        if state.is_some_and(|state| !state.complete) {
            scope.progress(format!("stopping the build {id}"), None, None).await?;
            call(scope, &[], || codebuild::stop_build(client, id)).await?;
        }
    }
    Ok(())
}
