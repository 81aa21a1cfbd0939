//! The steps that create the build's resources: repository, buckets, log groups, policies, roles, project.

use thumbctl_core::resource::ResourceKind;

use super::{SdkStrategy, StepDone, StepError, StepScope};
use crate::aws::policy::Document;
use crate::aws::wait;
use crate::aws::{AwsError, ErrorKind, Tags, codebuild, ecr, iam, logs, s3};
use crate::settings::BuildSource;
use crate::strategy::call::{awaited, call};
use crate::strategy::deploy_target::DEPLOYMENT_TAG;
use crate::strategy::source::SOURCE_KEY;

impl SdkStrategy {
    pub(super) async fn create_repository(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let (kind, client) = (ResourceKind::Repository, &self.context.target.clients.ecr);
        let name = self.context.name(kind);
        self.ensure(scope, kind, async {
            let tags = self.context.tags();
            let created = call(scope, &[], || async {
                match ecr::create_repository(client, &name, &tags).await {
                    Err(error) if error.kind == ErrorKind::AlreadyExists => {
                        ecr::repository(client, &name).await?.ok_or(error)
                    }
                    other => other,
                }
            });
            Ok(Some(created.await?.arn))
        })
        .await
    }

    pub(super) async fn create_bucket(&self, scope: &StepScope, kind: ResourceKind) -> Result<StepDone, StepError> {
        let client = &self.context.target.clients.s3;
        let name = self.context.name(kind);
        self.ensure(scope, kind, async {
            call(scope, &[wait::CONFLICT], || async {
                match s3::create_bucket(client, &name, &self.context.target.region).await {
                    // Created by a process that ended before the response.
                    Err(error) if error.kind == ErrorKind::AlreadyOwned => Ok(()),
                    other => other,
                }
            })
            .await?;
            awaited(scope, |waits| {
                let name = &name;
                async move {
                    let mut on_wait = |waiting| drop(waits.send(waiting));
                    s3::wait_usable(client, name, scope.cancel(), &mut on_wait).await
                }
            })
            .await?;
            // A new bucket may not be visible to every call yet.
            let (rules, tags) = ([wait::CONFLICT, wait::NOT_YET_SEEN], self.context.tags());
            call(scope, &rules, || s3::put_bucket_tags(client, &name, &tags)).await?;
            call(scope, &rules, || s3::block_public_access(client, &name)).await?;
            call(scope, &rules, || s3::encrypt_bucket(client, &name)).await?;
            Ok(Some(format!("arn:aws:s3:::{name}")))
        })
        .await
    }

    pub(super) async fn create_log_group(&self, scope: &StepScope, kind: ResourceKind) -> Result<StepDone, StepError> {
        let client = &self.context.target.clients.logs;
        let name = self.context.name(kind);
        self.ensure(scope, kind, async {
            call(scope, &[wait::CONFLICT], || async {
                match logs::create_log_group(client, &name, &self.context.tags()).await {
                    Err(error) if error.kind == ErrorKind::AlreadyExists => Ok(()),
                    other => other,
                }
            })
            .await?;
            let days = self.context.target.settings.logs.retention_days;
            call(scope, &[wait::CONFLICT, wait::NOT_YET_SEEN], || logs::put_retention(client, &name, days)).await?;
            let (region, account) = (&self.context.target.region, &self.context.target.identity.account);
            Ok(Some(format!("arn:aws:logs:{region}:{account}:log-group:{name}")))
        })
        .await
    }

    pub(super) async fn create_policy(&self, scope: &StepScope, kind: ResourceKind) -> Result<StepDone, StepError> {
        let client = &self.context.target.clients.iam;
        let name = self.context.name(kind);
        let (document, description) = match kind {
            ResourceKind::BuildPolicy => (Document::BuildPolicy, "Permissions of the thumbnail function's build"),
            _ => (Document::FunctionPolicy, "Permissions of the thumbnail function"),
        };
        let arn = self.context.policy_arn(kind);
        self.ensure(scope, kind, async {
            let document = self.context.policy(document);
            let created = call(scope, &[wait::CONFLICT], || async {
                match iam::create_policy(client, &name, &document, description, &self.context.tags()).await {
                    Err(error) if error.kind == ErrorKind::AlreadyExists => {
                        self.adopt(iam::policy(client, &arn).await?.map(|found| (found.arn, found.tags)), error)
                    }
                    other => other,
                }
            });
            Ok(Some(created.await?))
        })
        .await
    }

    pub(super) async fn create_role(&self, scope: &StepScope, kind: ResourceKind) -> Result<StepDone, StepError> {
        let client = &self.context.target.clients.iam;
        let name = self.context.name(kind);
        let (trust, policy, description) = match kind {
            ResourceKind::BuildRole => (
                Document::BuildTrust,
                ResourceKind::BuildPolicy,
                "Assumed by CodeBuild to build the thumbnail function",
            ),
            _ => {
                (Document::FunctionTrust, ResourceKind::FunctionPolicy, "Assumed by Lambda for the thumbnail function")
            }
        };
        self.ensure(scope, kind, async {
            let trust = self.context.policy(trust);
            let arn = call(scope, &[wait::CONFLICT], || async {
                match iam::create_role(client, &name, &trust, description, &self.context.tags()).await {
                    Err(error) if error.kind == ErrorKind::AlreadyExists => {
                        self.adopt(iam::role(client, &name).await?.map(|found| (found.arn, found.tags)), error)
                    }
                    other => other,
                }
            })
            .await?;
            let policy = self.context.policy_arn(policy);
            // A new policy may not be visible yet.
            call(scope, &[wait::CONFLICT, wait::NOT_YET_SEEN], || iam::attach_role_policy(client, &name, &policy))
                .await?;
            Ok(Some(arn))
        })
        .await
    }

    pub(super) async fn create_project(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let (kind, client) = (ResourceKind::BuildProject, &self.context.target.clients.codebuild);
        let settings = &self.context.target.settings.build;
        let name = self.context.name(kind);
        self.ensure(scope, kind, async {
            let source = match &settings.source {
                BuildSource::Bundle => codebuild::Source::S3 {
                    bucket: self.context.name(ResourceKind::BuildSourceBucket),
                    key: SOURCE_KEY.to_owned(),
                },
                BuildSource::Github { url } => codebuild::Source::GitHub { url: url.clone() },
            };
            let environment = codebuild::build_environment(
                &self.context.target.region,
                &self.context.target.identity.account,
                &self.context.name(ResourceKind::Repository),
                self.context.names.image_tag(),
            );
            let (tags, log_group) = (self.context.tags(), self.context.name(ResourceKind::BuildLogGroup));
            let role_arn = self.context.role_arn(ResourceKind::BuildRole);
            let spec = codebuild::ProjectSpec {
                name: &name,
                description: "Builds the thumbnail function's image",
                role_arn: &role_arn,
                source: &source,
                buildspec: None,
                image: &settings.image,
                compute_type: &settings.compute_type,
                architecture: self.context.architecture(),
                environment: &environment,
                log_group: &log_group,
                timeout_minutes: settings.timeout_minutes,
                // Rule: a build may run for 36 hours, but wait for a machine only 8.
                // https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CreateProject.html
                queued_timeout_minutes: settings.timeout_minutes.min(480),
                tags: &tags,
            };
            let created = call(scope, &[wait::ROLE_PROPAGATION], || async {
                match codebuild::create_project(client, &spec).await {
                    Err(error) if error.kind == ErrorKind::AlreadyExists => {
                        let found = codebuild::project(client, &name).await?;
                        self.adopt(found.map(|found| (found.arn, found.tags)), error)
                    }
                    other => other,
                }
            });
            Ok(Some(created.await?))
        })
        .await
    }

    /// Adopts an existing resource with this deployment's tag: an interrupted process created it, or a
    /// call whose response was lost. Otherwise it has another owner.
    fn adopt(&self, found: Option<(String, Tags)>, error: AwsError) -> Result<String, AwsError> {
        match found {
            Some((arn, tags))
                if tags.get(DEPLOYMENT_TAG).map(String::as_str) == Some(self.context.names.deployment().as_str()) =>
            {
                Ok(arn)
            }
            _ => Err(error),
        }
    }
}
