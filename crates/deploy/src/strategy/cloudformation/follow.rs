//! Follows a stack's events until the operation ends: each becomes a line of the stack log, and resource
//! states become the events of all strategies.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::DateTime;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::event::{Failure, LogSource};
use thumbctl_core::names::Names;
use thumbctl_core::resource::{ResourceKind, ResourceState};

use crate::aws::ErrorKind;
use crate::aws::cloudformation::{self, StackEvent};
use crate::call::{call, failed};
use crate::resource::Stack;
use crate::run_context::RunContext;

/// The first and the longest delay between polls; the longest while requests are throttled,
/// too.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
const LONGEST_THROTTLED: Duration = Duration::from_secs(15);

/// How long CloudFormation may be unreachable: it continues meanwhile.
const OUTAGE: Duration = Duration::from_secs(15);

/// How long a stack may have no events until its status is read.
const SILENCE: Duration = Duration::from_secs(15);

/// How long a stack may take. CloudFormation itself gives up on a function after half an hour.
const DEADLINE: Duration = Duration::from_secs(45 * 60);

/// The events of a stack that are reported.
#[derive(Clone, Debug)]
pub(super) enum Since {
    /// All: its creation.
    Beginning,
    /// Those after this one, or all if there is none.
    Event(Option<String>),
    /// Those from its last deletion on, which another process started.
    Deletion,
}

/// The result of an operation on a stack.
#[derive(Clone, Debug, Default)]
pub(super) struct End {
    /// The stack's final status; none if it did not exist any more.
    pub(super) status: Option<String>,
    /// Its duration by CloudFormation's clock, in seconds.
    pub(super) seconds: Option<f64>,
    /// The last reported state of each of its resources.
    pub(super) reported: BTreeMap<ResourceKind, ResourceState>,
    /// The first cause of a failure.
    cause: Option<StackEvent>,
    /// CloudFormation's reason for the stack's status.
    reason: Option<String>,
}

impl End {
    pub(super) fn is_complete(&self) -> bool {
        self.status.as_deref() == Some("CREATE_COMPLETE")
    }

    /// Returns whether the stack is deleted.
    pub(super) fn is_deleted(&self) -> bool {
        matches!(self.status.as_deref(), None | Some("DELETE_COMPLETE"))
    }

    /// The failure of an operation without the expected result.
    pub(super) fn failure(&self, stack: &str) -> Failure {
        let status = self.status.as_deref().unwrap_or("unknown");
        let failure = if let Some(cause) = &self.cause {
            let verb = if cause.status.starts_with("DELETE") { "deleted" } else { "created" };
            let reason = cause.reason.as_deref().unwrap_or("no reason given");
            let words = format!(
                "{} ({}) could not be {verb}: {reason}; the stack {stack} is in {status}",
                cause.logical_id, cause.resource_type
            );
            Failure { hint: cause.error().hint(), ..Failure::new(words) }
        } else {
            let reason = self.reason.as_deref().unwrap_or("no reason given");
            Failure::new(format!("the stack {stack} is in {status}: {reason}"))
        };
        match failure.hint {
            Some(_) => failure,
            None => failure.with_hint(
                "`thumbctl deploy` deletes the rest of the stack and recreates it; `thumbctl destroy` deletes everything",
            ),
        }
    }
}

impl RunContext {
    /// Follows a stack until CloudFormation's operation ends. Cancelling stops the following, not the operation.
    pub(super) async fn follow(
        &self,
        stack: Stack,
        names: &Names,
        id: &str,
        since: Since,
        scope: &StepScope,
    ) -> Result<End, StepError> {
        let client = &self.target.clients.cloudformation;
        let mut last = match &since {
            Since::Event(last) => last.clone(),
            Since::Beginning | Since::Deletion => None,
        };
        let mut reducer =
            StackReducer { context: self, stack, names, scope, started_at: BTreeMap::new(), reported: BTreeMap::new() };
        let mut end = End::default();
        let (mut delay, mut longest) = (FIRST, LONGEST);
        let (began, mut unreachable_since): (Instant, Option<Instant>) = (Instant::now(), None);
        let (mut had_events, mut last_event) = (false, Instant::now());
        let mut attempt = 0;
        loop {
            attempt += 1;
            if scope.cancel().is_cancelled() {
                let words = format!(
                    "CloudFormation continues with the stack {}: `thumbctl deploy` attaches to it, `thumbctl destroy` deletes it",
                    names.of(stack.kind())
                );
                scope.progress(words, None, None).await?;
                return Err(StepError::Cancelled);
            }
            pause(delay, scope).await;
            delay = delay.mul_f64(1.5).min(longest);
            let mut events = match cloudformation::events_since(client, id, last.as_deref()).await {
                Ok(events) => events,
                Err(error) if error.kind == ErrorKind::Throttled => {
                    longest = LONGEST_THROTTLED;
                    delay = (delay * 2).min(longest);
                    scope.retried(attempt, "throttled by CloudFormation", delay).await?;
                    continue;
                }
                // A stack deleted long ago, or one that never got beyond its name.
                Err(error) if cloudformation::is_missing(&error) => {
                    return Ok(End { reported: reducer.reported, ..end });
                }
                Err(error)
                    if matches!(error.kind, ErrorKind::Network | ErrorKind::Server | ErrorKind::Timeout)
                        && unreachable_since.get_or_insert_with(Instant::now).elapsed() < OUTAGE =>
                {
                    scope.retried(attempt, error.to_string(), delay).await?;
                    continue;
                }
                Err(error) => return Err(failed(error)),
            };
            unreachable_since = None;
            if !had_events && matches!(since, Since::Deletion) {
                let begins = |event: &StackEvent| event.is_of_stack() && event.status == "DELETE_IN_PROGRESS";
                let from = events.iter().rposition(begins).unwrap_or(events.len());
                events.drain(..from);
            }
            had_events |= !events.is_empty();
            if !events.is_empty() {
                last_event = Instant::now();
            } else if last_event.elapsed() > SILENCE {
                // The event may have come before the polling started.
                last_event = Instant::now();
                let now = call(scope, &[], || cloudformation::stack(client, id)).await?;
                let now = now.filter(|now| !now.status.is_deleted());
                if now.as_ref().is_none_or(|now| !now.status.is_in_progress() && !now.status.is_in_review()) {
                    end.status = now.map(|now| now.status.as_str().to_owned());
                    reducer.close(end.status.as_deref().or(Some("DELETE_COMPLETE"))).await?;
                    end.reported = reducer.reported;
                    return Ok(end);
                }
            }
            last = events.last().map(|event| event.id.clone()).or(last);
            for event in events {
                reducer.apply(&event).await?;
                if event.is_cause_of_failure() {
                    if end.cause.is_none() {
                        let words = event.reason.clone().unwrap_or_else(|| event.status.clone());
                        scope.progress(format!("{} failed: {words}", event.logical_id), None, None).await?;
                    }
                    end.cause.get_or_insert(event);
                } else if event.is_of_stack() && !event.status.ends_with("_IN_PROGRESS") {
                    end.seconds = reducer.seconds_since_start(&event);
                    end.status = Some(event.status);
                    end.reason = event.reason;
                    reducer.close(end.status.as_deref()).await?;
                    end.reported = reducer.reported;
                    return Ok(end);
                } else if event.is_of_stack() && event.status == "DELETE_IN_PROGRESS" {
                    // An earlier failure is why it is deleted, not the deletion's result.
                    end.cause = None;
                }
            }
            if began.elapsed() > DEADLINE {
                let minutes = DEADLINE.as_secs() / 60;
                return Err(StepError::Failed(
                    Failure::new(format!(
                        "CloudFormation has not finished {} after {minutes} minutes",
                        names.of(stack.kind())
                    ))
                    .with_hint("see CloudFormation's console; `thumbctl deploy` attaches to it again"),
                ));
            }
        }
    }
}

async fn pause(delay: Duration, scope: &StepScope) {
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = scope.cancel().cancelled() => {}
    }
}

/// The reducer of a stack's events.
struct StackReducer<'a> {
    context: &'a RunContext,
    stack: Stack,
    names: &'a Names,
    scope: &'a StepScope,
    /// When each operation began (by logical id, the stack by its own name), in milliseconds since 1970.
    started_at: BTreeMap<String, i64>,
    /// The last reported state of each kind.
    reported: BTreeMap<ResourceKind, ResourceState>,
}

impl StackReducer<'_> {
    async fn apply(&mut self, event: &StackEvent) -> Result<(), StepError> {
        let whose = if event.is_of_stack() { "(the stack)" } else { &event.logical_id };
        let mut line = format!("{:<5} {whose:<17} {}", self.stack.word(), event.status);
        for more in [&event.detailed_status, &event.reason].into_iter().flatten() {
            line.push_str("  ");
            line.push_str(more);
        }
        let timestamp = DateTime::from_timestamp_millis(event.at_ms);
        self.scope.log_line(LogSource::Stack, line, timestamp).await?;
        let seconds = self.seconds_since_start(event);
        // In review, a stack waits for its change set's execution.
        if event.status.ends_with("_IN_PROGRESS") && event.status != "REVIEW_IN_PROGRESS" {
            let repeated = self.started_at.contains_key(&event.logical_id) && !self.is_deletion_after_creation(event);
            if !repeated {
                self.started_at.insert(event.logical_id.clone(), event.at_ms);
            }
        }
        if event.is_of_stack() {
            return Ok(());
        }
        let configured = event.detailed_status.as_deref() == Some("CONFIGURATION_COMPLETE");
        let state = match event.status.as_str() {
            "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" => ResourceState::Creating,
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => ResourceState::Ready,
            "DELETE_IN_PROGRESS" => ResourceState::Deleting,
            "DELETE_COMPLETE" => ResourceState::Deleted,
            status if status.ends_with("_FAILED") => ResourceState::Failed,
            // DELETE_SKIPPED and others: the resource is unchanged.
            _ => return Ok(()),
        };
        for kind in self.stack.kinds_of(&event.logical_id) {
            if self.reported.get(&kind) == Some(&state) && !configured {
                continue;
            }
            self.reported.insert(kind, state);
            let is_over = !matches!(state, ResourceState::Creating | ResourceState::Deleting);
            let note = match (state, kind) {
                (ResourceState::Creating, _) if configured => Some("configured, not yet visible everywhere".to_owned()),
                (ResourceState::Failed, _) => event.reason.clone(),
                // Its id is CloudFormation's choice; the kind's name describes it.
                (ResourceState::Ready, ResourceKind::InvokePermission) => event.physical_id.clone(),
                _ => None,
            };
            let seconds = seconds.filter(|_| is_over || configured);
            self.context.report_kind(self.scope, self.names, (kind, state), seconds, note).await?;
        }
        Ok(())
    }

    /// Returns whether a deletion follows a creation.
    fn is_deletion_after_creation(&self, event: &StackEvent) -> bool {
        event.status == "DELETE_IN_PROGRESS"
            && !event.is_of_stack()
            && self
                .stack
                .kinds_of(&event.logical_id)
                .all(|kind| self.reported.get(&kind) != Some(&ResourceState::Deleting))
    }

    fn seconds_since_start(&self, event: &StackEvent) -> Option<f64> {
        let started_at = self.started_at.get(&event.logical_id)?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of minutes")]
        let seconds = (event.at_ms - started_at) as f64 / 1000.0;
        Some(seconds.max(0.0))
    }

    /// Reports rolled-back resources as deleted where CloudFormation has no event: they never got an id.
    async fn close(&mut self, status: Option<&str>) -> Result<(), StepError> {
        if !matches!(status, Some("ROLLBACK_COMPLETE" | "DELETE_COMPLETE")) {
            return Ok(());
        }
        let left: Vec<ResourceKind> =
            self.reported.iter().filter(|(_, state)| state.may_exist()).map(|(kind, _)| *kind).collect();
        for kind in left {
            // A retained resource was never reported as being deleted.
            if self.reported[&kind] == ResourceState::Ready {
                continue;
            }
            self.reported.insert(kind, ResourceState::Deleted);
            self.context.report_kind(self.scope, self.names, (kind, ResourceState::Deleted), None, None).await?;
        }
        Ok(())
    }
}
