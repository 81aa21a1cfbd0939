//! Change sets: a stack's first half, in which nothing is made but its name.

use std::time::Duration;

use thumbctl_core::engine::{ResourceChange, StepDone, StepError, StepScope};
use thumbctl_core::event::{EventKind, Failure};
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::super::call::{awaited, call};
use super::super::run_context::RunContext;
use super::stack::Stack;
use super::{CHANGE_SET, delete::Contents, plan};
use crate::aws::cloudformation::{self, ChangeSetSpec, ChangeSetStatus, PlannedChange};
use crate::aws::wait::{self, Poll, Schedule};
use crate::aws::{Architecture, ErrorKind};
use crate::settings::BuildSource;

/// CloudFormation works a change set out in seconds; one with a macro calls its function, cold.
const CHANGE_SET_READY: Schedule =
    Schedule::new(Duration::from_millis(100), 1.5, Duration::from_secs(2), Duration::from_secs(300));

impl RunContext {
    /// Has a change set made for a stack that is not there, and tells what it would do.
    pub(super) async fn prepare_stack(&self, stack: Stack, scope: &StepScope) -> Result<StepDone, StepError> {
        if let Some(found) = self.settled_stack(stack, &self.names, scope).await? {
            // It is there, or on its way: the next step takes it up.
            if !found.status.must_be_deleted() && !found.status.is_deleting() {
                return Ok(StepDone::AlreadyDone);
            }
            // Rule: what could not be created, or is only in review, can only be deleted.
            let why = format!("the stack is in {}: it is deleted and made anew", found.status.as_str());
            scope.progress(why, None, None).await?;
            // Whoever deploys has not agreed to lose what is in buckets.
            self.delete_stack(stack, &self.names, Contents::AreKept, scope).await?;
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
                self.tell_changes(stack, changes, scope).await?;
                Ok(StepDone::Finished)
            }
            Err(StepError::Journal(error)) => Err(StepError::Journal(error)),
            Err(error) => {
                if !self.withdraw_stack(stack, &scope.without_cancellation()).await? {
                    scope.changed(change(ResourceState::Deleted, Some("never made".to_owned()))).await?;
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
        let client = &self.site.clients.cloudformation;
        let (name, template, tags) = (self.name(stack.kind()), stack.template(&self.names), self.tags());
        let spec = ChangeSetSpec { stack: &name, name: CHANGE_SET, template: &template, parameters, tags: &tags };
        call(scope, &[wait::CONFLICT], || async {
            match cloudformation::create_change_set(client, &spec).await {
                // Made by a call whose answer was lost.
                Err(error) if error.kind == ErrorKind::AlreadyExists => Ok(()),
                answer => answer.map(|_| ()),
            }
        })
        .await?;
        let name = &name;
        awaited(scope, |told| async move {
            let mut on_wait = |waiting| drop(told.send(waiting));
            let what = format!("CloudFormation's change set for {name}");
            wait::until(&what, &CHANGE_SET_READY, scope.cancel(), &mut on_wait, || async {
                let found = cloudformation::change_set(client, name, CHANGE_SET).await?;
                Ok(match found {
                    // Just made, and not seen everywhere yet.
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
                Stack::App => {
                    "does the macro's function work? `thumbctl logs function` does not show it, its log group does"
                }
                Stack::Macro | Stack::Build => {
                    "CloudFormation refuses the template: is this program older than its rules?"
                }
            };
            StepError::Failed(Failure::new(format!("CloudFormation makes no change set: {reason}")).with_hint(hint))
        })
    }

    async fn tell_changes(
        &self,
        stack: Stack,
        changes: Vec<PlannedChange>,
        scope: &StepScope,
    ) -> Result<(), StepError> {
        let count = changes.len();
        for change in changes {
            let event = EventKind::ChangePlanned {
                step: plan::stack_step(stack).into(),
                action: change.action.as_str().to_owned(),
                logical_id: change.logical_id,
                resource_type: change.resource_type,
            };
            scope.emit(event).await?;
        }
        scope
            .progress(format!("the change set makes {}", thumbctl_platform::text::count(count, "resource")), None, None)
            .await?;
        Ok(())
    }

    /// Deletes a stack that is in review: nothing was made of it. Answers whether there is, or was, a stack.
    pub(super) async fn withdraw_stack(&self, stack: Stack, scope: &StepScope) -> Result<bool, StepError> {
        let client = &self.site.clients.cloudformation;
        let Some(found) = self.own_stack(stack, &self.names, scope).await? else { return Ok(false) };
        if !found.status.is_in_review() {
            return Ok(true);
        }
        call(scope, &[wait::CONFLICT], || cloudformation::delete_stack(client, &found.id)).await?;
        let note = Some("withdrawn: nothing was made".to_owned());
        self.tell_kind(scope, &self.names, (stack.kind(), ResourceState::Deleted), None, note).await?;
        Ok(true)
    }

    /// What the stack's template is given.
    pub(super) async fn parameters(&self, stack: Stack, scope: &StepScope) -> Result<Vec<(String, String)>, StepError> {
        let settings = &self.site.settings;
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
                ("QueuedTimeoutMinutes", settings.build.timeout_minutes.min(480).to_string()),
            ],
            Stack::App => vec![
                ("Prefix", self.names.deployment().to_string()),
                ("Suffix", self.names.suffix().as_str().to_owned()),
                ("ImageUri", self.image_uri(scope).await?),
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
