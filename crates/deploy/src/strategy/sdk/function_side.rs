//! The steps that create the function and its trigger.

use thumbctl_core::engine::ResourceChange;
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::{SdkStrategy, StepDone, StepError, StepScope};
use crate::aws::lambda::{self, FunctionSpec, FunctionState};
use crate::aws::{ErrorKind, s3, wait};
use crate::strategy::call::{awaited, call};

impl SdkStrategy {
    pub(super) async fn create_function(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let (kind, client) = (ResourceKind::Function, &self.context.target.clients.lambda);
        if self.context.before.is_ready(kind) && self.context.exists(scope, kind).await? {
            self.warn_of_changed_settings(scope).await?;
            return Ok(StepDone::AlreadyDone);
        }
        let name = self.context.name(kind);
        scope.changed(self.function_is(ResourceState::Creating, None, None)).await?;
        let began = std::time::Instant::now();
        let created = self.create_function_once(scope, client, &name).await;
        match created {
            // Ready only once it is active, which the next step awaits.
            Ok(arn) => scope.changed(self.function_is(ResourceState::Creating, Some(arn), None)).await?,
            Err(error) => {
                if matches!(error, StepError::Failed(_)) {
                    let seconds = Some(began.elapsed().as_secs_f64());
                    scope.changed(self.function_is(ResourceState::Failed, None, seconds)).await?;
                }
                return Err(error);
            }
        }
        Ok(StepDone::Finished)
    }

    /// Warns of changed settings, which do not update an existing function.
    async fn warn_of_changed_settings(&self, scope: &StepScope) -> Result<(), StepError> {
        let name = self.context.name(ResourceKind::Function);
        let configured = &self.context.target.settings.function;
        let found = call(scope, &[], || lambda::function(&self.context.target.clients.lambda, &name)).await?;
        if let Some(found) = found
            && (found.memory_mb, found.timeout_seconds) != (configured.memory_mb, configured.timeout_seconds)
        {
            let words = format!(
                "the function keeps its {} MB and {} s; destroy and deploy again to change them",
                found.memory_mb, found.timeout_seconds
            );
            scope.warn(words).await?;
        }
        Ok(())
    }

    #[allow(clippy::disallowed_types, reason = "the client is passed to aws/")]
    async fn create_function_once(
        &self,
        scope: &StepScope,
        client: &lambda::Client,
        name: &str,
    ) -> Result<String, StepError> {
        match call(scope, &[], || lambda::function(client, name)).await? {
            // Rule: a failed function cannot be repaired; it is recreated.
            // https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
            Some(found) if matches!(found.state, FunctionState::Failed(_)) => {
                scope.progress("deleting the failed function", None, None).await?;
                call(scope, &[wait::CONFLICT], || lambda::delete_function(client, name)).await?;
            }
            Some(found) => return Ok(found.arn),
            None => {}
        }
        let function = &self.context.target.settings.function;
        let image_uri = self.context.image_uri(scope).await?;
        let role_arn = self.context.role_arn(ResourceKind::FunctionRole);
        let environment = [
            ("DEST_BUCKET".to_owned(), self.context.name(ResourceKind::DestinationBucket)),
            ("MAX_SIZE".to_owned(), function.max_size.to_string()),
        ];
        let tags = self.context.tags();
        let spec = FunctionSpec {
            name,
            description: "Creates a thumbnail of every image in the source bucket",
            image_uri: &image_uri,
            role_arn: &role_arn,
            memory_mb: function.memory_mb,
            timeout_seconds: function.timeout_seconds,
            environment: &environment,
            architecture: self.context.architecture(),
            tags: &tags,
        };
        call(scope, &[wait::ROLE_PROPAGATION], || async {
            match lambda::create_function(client, &spec).await {
                // The response was lost: the name is this deployment's own.
                Err(error) if error.kind == ErrorKind::AlreadyExists => match lambda::function(client, name).await? {
                    Some(found) => Ok(found.arn),
                    None => Err(error),
                },
                other => other,
            }
        })
        .await
    }

    pub(super) async fn await_function(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let (kind, client) = (ResourceKind::Function, &self.context.target.clients.lambda);
        if self.context.before.is_ready(kind) && self.context.exists(scope, kind).await? {
            return Ok(StepDone::AlreadyDone);
        }
        let name = self.context.name(kind);
        let began = std::time::Instant::now();
        let active = awaited(scope, |waits| {
            let name = &name;
            async move {
                let mut on_wait = |waiting| drop(waits.send(waiting));
                lambda::wait_active(client, name, scope.cancel(), &mut on_wait).await
            }
        })
        .await;
        let seconds = Some(began.elapsed().as_secs_f64());
        match active {
            Ok(function) => scope.changed(self.function_is(ResourceState::Ready, Some(function.arn), seconds)).await?,
            Err(error) => {
                if matches!(error, StepError::Failed(_)) {
                    scope.changed(self.function_is(ResourceState::Failed, None, seconds)).await?;
                }
                return Err(error);
            }
        }
        Ok(StepDone::Finished)
    }

    fn function_is(&self, state: ResourceState, arn: Option<String>, seconds: Option<f64>) -> ResourceChange {
        let kind = ResourceKind::Function;
        ResourceChange { kind, name: self.context.name(kind), arn, state, seconds, note: None }
    }

    pub(super) async fn permit_invocation(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let kind = ResourceKind::InvokePermission;
        let client = &self.context.target.clients.lambda;
        let function = self.context.name(ResourceKind::Function);
        let (statement, bucket) = (self.context.name(kind), self.context.name(ResourceKind::SourceBucket));
        self.ensure(scope, kind, async {
            let account = &self.context.target.identity.account;
            call(scope, &[wait::CONFLICT], || async {
                match lambda::add_bucket_permission(client, &function, &statement, &bucket, account).await {
                    Err(error) if error.kind == ErrorKind::AlreadyExists => Ok(()),
                    other => other,
                }
            })
            .await?;
            Ok(None)
        })
        .await
    }

    pub(super) async fn notify_function(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let kind = ResourceKind::Notification;
        let client = &self.context.target.clients.s3;
        let bucket = self.context.name(ResourceKind::SourceBucket);
        let function = format!(
            "arn:aws:lambda:{}:{}:function:{}",
            self.context.target.region,
            self.context.target.identity.account,
            self.context.name(ResourceKind::Function)
        );
        self.ensure(scope, kind, async {
            let rules = [wait::DESTINATION_VALIDATION, wait::CONFLICT];
            call(scope, &rules, || s3::put_notification(client, &bucket, &function)).await?;
            Ok(None)
        })
        .await
    }
}
