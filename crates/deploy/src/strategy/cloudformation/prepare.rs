//! Change sets: the first half of a stack's creation, which creates nothing but its name.

use std::time::Duration;

use thumbctl_core::engine::{ResourceChange, StepDone, StepError, StepScope};
use thumbctl_core::event::{EventKind, Failure};
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::plan::StackStep;
use super::{CHANGE_SET, delete::BucketContents};
use crate::aws::cloudformation::{self, ChangeSetSpec, ChangeSetStatus, PlannedChange};
use crate::aws::wait::{self, Poll, Schedule};
use crate::aws::{Architecture, ErrorKind};
use crate::call::{awaited, call};
use crate::resource::{Stack, image_uri};
use crate::run_context::RunContext;
use crate::settings::BuildSource;

/// CloudFormation creates a change set in seconds; one with a macro calls its function, cold.
const CHANGE_SET_READY: Schedule =
    Schedule::new(Duration::from_millis(100), 1.5, Duration::from_secs(2), Duration::from_secs(300));

impl RunContext {
    /// Creates a change set for a missing stack, and reports its changes.
    pub(super) async fn prepare_stack(&self, stack: Stack, scope: &StepScope) -> Result<StepDone, StepError> {
        if let Some(found) = self.settled_stack(stack, &self.names, scope).await? {
            // It exists or is being created: the next step attaches to it.
            if !found.status.must_be_deleted() && !found.status.is_deleting() {
                return Ok(StepDone::AlreadyDone);
            }
            // Rule: a stack that failed to create, or is in review, can only be deleted.
            // https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
            let why = format!("the stack is in {}: it is deleted and recreated", found.status.as_str());
            scope.progress(why, None, None).await?;
            // A deployment has no consent to delete the contents of buckets.
            self.delete_stack(stack, &self.names, BucketContents::Keep, scope).await?;
        }
        let change = |state, note| ResourceChange {
            kind: stack.kind(),
            name: self.name(stack.kind()),
            arn: None,
            state,
            seconds: None,
            note,
        };
        let parameters = self.parameters(stack, scope).await?;
        scope.changed(change(ResourceState::Creating, Some("in review".to_owned()))).await?;
        let prepared = self.make_change_set(stack, &parameters, scope).await;
        match prepared {
            Ok(changes) => {
                self.report_changes(stack, changes, scope).await?;
                Ok(StepDone::Finished)
            }
            Err(StepError::Journal(error)) => Err(StepError::Journal(error)),
            Err(error) => {
                if !self.discard_stack(stack, &scope.without_cancellation()).await? {
                    scope.changed(change(ResourceState::Deleted, Some("never created".to_owned()))).await?;
                }
                Err(error)
            }
        }
    }

    async fn make_change_set(
        &self,
        stack: Stack,
        parameters: &[(String, String)],
        scope: &StepScope,
    ) -> Result<Vec<PlannedChange>, StepError> {
        let client = &self.target.clients.cloudformation;
        let (name, template, tags) = (self.name(stack.kind()), stack.template(&self.names), self.tags());
        let spec = ChangeSetSpec { stack: &name, name: CHANGE_SET, template: &template, parameters, tags: &tags };
        call(scope, &[wait::CONFLICT], || async {
            match cloudformation::create_change_set(client, &spec).await {
                // Created by a call whose response was lost.
                Err(error) if error.kind == ErrorKind::AlreadyExists => Ok(()),
                answer => answer.map(|_| ()),
            }
        })
        .await?;
        let name = &name;
        awaited(scope, |waits| async move {
            let mut on_wait = |waiting| drop(waits.send(waiting));
            let what = format!("CloudFormation's change set for {name}");
            wait::until(&what, &CHANGE_SET_READY, scope.cancel(), &mut on_wait, || async {
                let found = cloudformation::change_set(client, name, CHANGE_SET).await?;
                Ok(match found {
                    // Just created, and not visible everywhere yet.
                    None => Poll::Pending,
                    Some(set) => match set.status {
                        ChangeSetStatus::Pending => Poll::Pending,
                        ChangeSetStatus::Failed(reason) => Poll::Ready(Err(reason)),
                        ChangeSetStatus::Ready | ChangeSetStatus::Executed => Poll::Ready(Ok(set.changes)),
                    },
                })
            })
            .await
        })
        .await?
        .map_err(|reason| {
            let hint = match stack {
                Stack::App => "check the macro's function in its log group (`thumbctl logs function` does not show it)",
                Stack::Macro | Stack::Build => {
                    "the template is invalid for CloudFormation: this program may be outdated"
                }
            };
            StepError::Failed(Failure::new(format!("the change set failed: {reason}")).with_hint(hint))
        })
    }

    async fn report_changes(
        &self,
        stack: Stack,
        changes: Vec<PlannedChange>,
        scope: &StepScope,
    ) -> Result<(), StepError> {
        let count = changes.len();
        for change in changes {
            let event = EventKind::ChangePlanned {
                step: StackStep::Create(stack).id(),
                action: change.action.as_str().to_owned(),
                logical_id: change.logical_id,
                resource_type: change.resource_type,
            };
            scope.emit(event).await?;
        }
        scope
            .progress(
                format!("the change set creates {}", thumbctl_platform::text::count(count, "resource")),
                None,
                None,
            )
            .await?;
        Ok(())
    }

    /// Deletes a stack in review, which has no resources. Returns whether there is or was a stack.
    pub(super) async fn discard_stack(&self, stack: Stack, scope: &StepScope) -> Result<bool, StepError> {
        let client = &self.target.clients.cloudformation;
        let Some(found) = self.own_stack(stack, &self.names, scope).await? else { return Ok(false) };
        if !found.status.is_in_review() {
            return Ok(true);
        }
        call(scope, &[wait::CONFLICT], || cloudformation::delete_stack(client, &found.id)).await?;
        let note = Some("discarded: nothing was created".to_owned());
        self.report_kind(scope, &self.names, (stack.kind(), ResourceState::Deleted), None, note).await?;
        Ok(true)
    }

    /// The parameters of the stack's template.
    pub(super) async fn parameters(&self, stack: Stack, scope: &StepScope) -> Result<Vec<(String, String)>, StepError> {
        let settings = &self.target.settings;
        let architecture = self.architecture();
        let mut parameters = match stack {
            Stack::Macro => vec![("MacroName", self.name(ResourceKind::Macro))],
            Stack::Build => vec![
                ("Prefix", self.names.deployment().to_string()),
                ("Suffix", self.names.suffix().as_str().to_owned()),
                (
                    "SourceUrl",
                    match &settings.build.source {
                        BuildSource::Bundle => String::new(),
                        BuildSource::Github { url } => url.clone(),
                    },
                ),
                ("BuildImage", settings.build.image.clone()),
                (
                    "BuildEnvironmentType",
                    match architecture {
                        Architecture::X86_64 => "LINUX_CONTAINER",
                        Architecture::Arm64 => "ARM_CONTAINER",
                    }
                    .to_owned(),
                ),
                ("ComputeType", settings.build.compute_type.clone()),
                ("TimeoutMinutes", settings.build.timeout_minutes.to_string()),
                // Rule: a build may run for 36 hours, but wait for a machine only 8.
                // https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CreateProject.html
                ("QueuedTimeoutMinutes", settings.build.timeout_minutes.min(480).to_string()),
            ],
            Stack::App => vec![
                ("Prefix", self.names.deployment().to_string()),
                ("Suffix", self.names.suffix().as_str().to_owned()),
                ("ImageUri", image_uri(self, scope).await?),
                (
                    "Architecture",
                    match architecture {
                        Architecture::X86_64 => "x86_64",
                        Architecture::Arm64 => "arm64",
                    }
                    .to_owned(),
                ),
                ("MemorySize", settings.function.memory_mb.to_string()),
                ("Timeout", settings.function.timeout_seconds.to_string()),
                ("MaxSize", settings.function.max_size.to_string()),
            ],
        };
        parameters.push(("LogRetentionDays", settings.logs.retention_days.to_string()));
        Ok(parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}
