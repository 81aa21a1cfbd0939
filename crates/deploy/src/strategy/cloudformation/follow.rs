//! Following a stack's events until CloudFormation is done with it: each becomes a line of the log of stacks, and what it
//! says of a resource becomes the same event that the other strategies tell.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::DateTime;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::event::{Failure, LogSource};
use thumbctl_core::names::Names;
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::super::call::{call, failed};
use super::super::run_context::RunContext;
use super::stack::Stack;
use crate::aws::ErrorKind;
use crate::aws::cloudformation::{self, StackEvent};

/// How soon events are asked for at first, and how seldom at most; while CloudFormation asks for fewer requests, at most
/// so seldom.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
const LONGEST_THROTTLED: Duration = Duration::from_secs(15);

/// How long CloudFormation may fail to answer: it goes on meanwhile.
const OUTAGE: Duration = Duration::from_secs(15);

/// How long nothing may be heard of a stack until it is looked at itself.
const SILENCE: Duration = Duration::from_secs(15);

/// How long a stack may take. CloudFormation itself gives up on a function after half an hour.
const DEADLINE: Duration = Duration::from_secs(45 * 60);

/// Which of a stack's events are heard.
#[derive(Clone, Debug)]
pub(super) enum Since {
    /// All: its creation.
    Beginning,
    /// Those after this one, or all if there is none.
    Event(Option<String>),
    /// Those from the last deletion on, which somebody else began.
    Deletion,
}

/// How CloudFormation's work on a stack ended.
#[derive(Clone, Debug, Default)]
pub(super) struct End {
    /// The stack's status; none if the stack was gone before it could be asked.
    pub(super) status: Option<String>,
    /// How long it took by CloudFormation's clock, in seconds.
    pub(super) seconds: Option<f64>,
    /// What was told of each of its resources.
    pub(super) told: BTreeMap<ResourceKind, ResourceState>,
    /// The first cause, if something failed.
    cause: Option<StackEvent>,
    /// What CloudFormation says of the stack itself.
    reason: Option<String>,
}

impl End {
    pub(super) fn is_complete(&self) -> bool {
        self.status.as_deref() == Some("CREATE_COMPLETE")
    }

    /// Whether the stack is no more.
    pub(super) fn is_deleted(&self) -> bool {
        matches!(self.status.as_deref(), None | Some("DELETE_COMPLETE"))
    }

    /// Why it did not come to what was wanted.
    pub(super) fn failure(&self, stack: &str) -> Failure {
        let status = self.status.as_deref().unwrap_or("unknown");
        let failure = match &self.cause {
            Some(cause) => {
                let verb = if cause.status.starts_with("DELETE") { "deleted" } else { "created" };
                let reason = cause.reason.as_deref().unwrap_or("CloudFormation gives no reason");
                let words = format!(
                    "{} ({}) could not be {verb}: {reason}; the stack {stack} is in {status}",
                    cause.logical_id, cause.resource_type
                );
                Failure { hint: cause.error().hint(), ..Failure::new(words) }
            }
            None => {
                let reason = self.reason.as_deref().unwrap_or("CloudFormation gives no reason");
                Failure::new(format!("the stack {stack} is in {status}: {reason}"))
            }
        };
        match failure.hint {
            Some(_) => failure,
            None => failure.with_hint(
                "`thumbctl deploy` deletes what is left of the stack and makes it anew; `thumbctl destroy` takes all down",
            ),
        }
    }
}

impl RunContext {
    /// Follows a stack until CloudFormation has nothing more to do with it. Cancelling ends the following, not the work.
    pub(super) async fn follow(
        &self,
        stack: Stack,
        names: &Names,
        id: &str,
        since: Since,
        scope: &StepScope,
    ) -> Result<End, StepError> {
        let client = &self.site.clients.cloudformation;
        let mut last = match &since {
            Since::Event(last) => last.clone(),
            Since::Beginning | Since::Deletion => None,
        };
        let mut tale = Tale { context: self, stack, names, scope, begun: BTreeMap::new(), told: BTreeMap::new() };
        let mut end = End::default();
        let (mut delay, mut longest) = (FIRST, LONGEST);
        let (began, mut unanswered): (Instant, Option<Instant>) = (Instant::now(), None);
        let (mut heard_any, mut heard) = (false, Instant::now());
        for attempt in 1.. {
            if scope.cancel().is_cancelled() {
                let words = format!(
                    "CloudFormation goes on with the stack {}: `thumbctl deploy` takes it up again, `thumbctl destroy` removes it",
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
                    scope.retried(attempt, "CloudFormation asks for fewer requests", delay).await?;
                    continue;
                }
                // A stack that was deleted long ago, or whose name never came to be more.
                Err(error) if cloudformation::is_missing(&error) => return Ok(End { told: tale.told, ..end }),
                Err(error)
                    if matches!(error.kind, ErrorKind::Network | ErrorKind::Server | ErrorKind::Timeout)
                        && unanswered.get_or_insert_with(Instant::now).elapsed() < OUTAGE =>
                {
                    scope.retried(attempt, error.to_string(), delay).await?;
                    continue;
                }
                Err(error) => return Err(failed(error)),
            };
            unanswered = None;
            if !heard_any && matches!(since, Since::Deletion) {
                let begins = |event: &StackEvent| event.is_of_stack() && event.status == "DELETE_IN_PROGRESS";
                let from = events.iter().rposition(begins).unwrap_or(events.len());
                events.drain(..from);
            }
            heard_any |= !events.is_empty();
            if !events.is_empty() {
                heard = Instant::now();
            } else if heard.elapsed() > SILENCE {
                // The event that is waited for may have come before it was waited for.
                heard = Instant::now();
                let now = call(scope, &[], || cloudformation::stack(client, id)).await?;
                let now = now.filter(|now| !now.status.is_deleted());
                if now.as_ref().is_none_or(|now| !now.status.is_in_progress() && !now.status.is_in_review()) {
                    end.status = now.map(|now| now.status.as_str().to_owned());
                    tale.close(end.status.as_deref().or(Some("DELETE_COMPLETE"))).await?;
                    end.told = tale.told;
                    return Ok(end);
                }
            }
            last = events.last().map(|event| event.id.clone()).or(last);
            for event in events {
                tale.tell(&event).await?;
                if event.is_cause_of_failure() {
                    if end.cause.is_none() {
                        let words = event.reason.clone().unwrap_or_else(|| event.status.clone());
                        scope.progress(format!("{} failed: {words}", event.logical_id), None, None).await?;
                    }
                    end.cause.get_or_insert(event);
                } else if event.is_of_stack() && !event.status.ends_with("_IN_PROGRESS") {
                    end.seconds = tale.seconds_since_begin(&event);
                    end.status = Some(event.status);
                    end.reason = event.reason;
                    tale.close(end.status.as_deref()).await?;
                    end.told = tale.told;
                    return Ok(end);
                } else if event.is_of_stack() && event.status == "DELETE_IN_PROGRESS" {
                    // An earlier failure is why it is deleted, not how that goes.
                    end.cause = None;
                }
            }
            if began.elapsed() > DEADLINE {
                let minutes = DEADLINE.as_secs() / 60;
                return Err(StepError::Failed(
                    Failure::new(format!(
                        "CloudFormation is not done with {} after {minutes} minutes",
                        names.of(stack.kind())
                    ))
                    .with_hint("look at it in CloudFormation's console; `thumbctl deploy` takes it up again"),
                ));
            }
        }
        unreachable!("the attempts are not counted to their end")
    }
}

async fn pause(delay: Duration, scope: &StepScope) {
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = scope.cancel().cancelled() => {}
    }
}

/// What is told of a stack while it is followed.
struct Tale<'a> {
    context: &'a RunContext,
    stack: Stack,
    names: &'a Names,
    scope: &'a StepScope,
    /// When CloudFormation began with what (by logical id, the stack by its own name), in milliseconds since 1970.
    begun: BTreeMap<String, i64>,
    /// What was last told of each kind.
    told: BTreeMap<ResourceKind, ResourceState>,
}

impl Tale<'_> {
    async fn tell(&mut self, event: &StackEvent) -> Result<(), StepError> {
        let whose = if event.is_of_stack() { "(the stack)" } else { &event.logical_id };
        let mut line = format!("{:<5} {whose:<17} {}", self.stack.word(), event.status);
        for more in [&event.detailed_status, &event.reason].into_iter().flatten() {
            line.push_str("  ");
            line.push_str(more);
        }
        let timestamp = DateTime::from_timestamp_millis(event.at_ms);
        self.scope.log_line(LogSource::Stack, line, timestamp).await?;
        let seconds = self.seconds_since_begin(event);
        // In review, a stack only waits for us.
        if event.status.ends_with("_IN_PROGRESS") && event.status != "REVIEW_IN_PROGRESS" {
            let repeated = self.begun.contains_key(&event.logical_id) && !self.is_another_beginning(event);
            if !repeated {
                self.begun.insert(event.logical_id.clone(), event.at_ms);
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
            // DELETE_SKIPPED and whatever else: the resource is as it was.
            _ => return Ok(()),
        };
        for kind in self.stack.kinds_of(&event.logical_id) {
            if self.told.get(&kind) == Some(&state) && !configured {
                continue;
            }
            self.told.insert(kind, state);
            let is_over = !matches!(state, ResourceState::Creating | ResourceState::Deleting);
            let note = match (state, kind) {
                (ResourceState::Creating, _) if configured => Some("configured, not yet seen everywhere".to_owned()),
                (ResourceState::Failed, _) => event.reason.clone(),
                // Its id is CloudFormation's choice; its name says what it is for.
                (ResourceState::Ready, ResourceKind::InvokePermission) => event.physical_id.clone(),
                _ => None,
            };
            let seconds = seconds.filter(|_| is_over || configured);
            self.context.tell_kind(self.scope, self.names, (kind, state), seconds, note).await?;
        }
        Ok(())
    }

    /// Whether something else begins than what has begun: a deletion after a creation.
    fn is_another_beginning(&self, event: &StackEvent) -> bool {
        event.status == "DELETE_IN_PROGRESS"
            && !event.is_of_stack()
            && self.stack.kinds_of(&event.logical_id).all(|kind| self.told.get(&kind) != Some(&ResourceState::Deleting))
    }

    fn seconds_since_begin(&self, event: &StackEvent) -> Option<f64> {
        let begun = self.begun.get(&event.logical_id)?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of minutes")]
        let seconds = (event.at_ms - begun) as f64 / 1000.0;
        Some(seconds.max(0.0))
    }

    /// What was begun and rolled back is not there, also where CloudFormation says nothing of it: it never got an id.
    async fn close(&mut self, status: Option<&str>) -> Result<(), StepError> {
        if !matches!(status, Some("ROLLBACK_COMPLETE" | "DELETE_COMPLETE")) {
            return Ok(());
        }
        let left: Vec<ResourceKind> =
            self.told.iter().filter(|(_, state)| state.may_exist()).map(|(kind, _)| *kind).collect();
        for kind in left {
            // What stays on purpose was never told to be deleted.
            if self.told[&kind] == ResourceState::Ready {
                continue;
            }
            self.told.insert(kind, ResourceState::Deleted);
            self.context.tell_kind(self.scope, self.names, (kind, ResourceState::Deleted), None, None).await?;
        }
        Ok(())
    }
}
