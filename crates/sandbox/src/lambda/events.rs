//! Asynchronous events: queued, run, retried, and dropped after the last attempt.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;

use super::concurrency::ConcurrencyPermit;
use super::execution_environment::Invocation;
use super::function::FunctionState;
use super::names::FunctionId;
use super::queue::QueuedEvent;
use super::registry::Lambda;
use super::report::InvocationResult;
use crate::latency::LatencySpan;

/// The outcome of a queued event.
#[derive(Debug, PartialEq, Eq)]
enum EventOutcome {
    /// It succeeded, expired, used its attempts, or its function is gone.
    Finished,
    /// The sandbox is shutting down; the next one runs it.
    Requeued,
}

impl Lambda {
    /// Queues an event that is due after `delay`, and returns at once. Queued events survive a restart.
    pub(crate) fn accept(self: &Arc<Self>, function: FunctionId, payload: &[u8], delay: Duration) {
        let now = nanoseconds_now();
        let event = QueuedEvent {
            function,
            request_id: uuid::Uuid::new_v4().to_string(),
            accepted: now,
            due: now.saturating_add(nanoseconds(delay)),
            attempts: 0,
            payload: String::from_utf8_lossy(payload).into_owned(),
        };
        self.queue.store(&event);
        self.start_event(event);
    }

    /// Runs a queued event when it is due and the function is ready.
    pub(crate) fn start_event(self: &Arc<Self>, event: QueuedEvent) {
        let lambda = self.clone();
        tokio::spawn(async move {
            let request_id = event.request_id.clone();
            if lambda.process_event(event).await == EventOutcome::Finished {
                lambda.queue.remove(&request_id);
            }
        });
    }

    async fn process_event(&self, mut event: QueuedEvent) -> EventOutcome {
        // Every attempt has the same request id, by which a function recognises a repeated event.
        let invocation = Invocation {
            request_id: event.request_id.clone(),
            payload: Bytes::from(event.payload.clone().into_bytes()),
        };
        let id = event.function.clone();
        loop {
            let due = until(event.due);
            tokio::select! {
                () = tokio::time::sleep(due) => {}
                // The function was deleted.
                () = self.wait_until_deleted(&id) => return EventOutcome::Finished,
            }
            // Like Lambda, drops events for a function that never became active.
            if self.wait_until_prepared(&id).await != Some(FunctionState::Active) {
                return EventOutcome::Finished;
            }
            let Some(_permit) = self.permit(&event).await else {
                return EventOutcome::Finished;
            };
            let outcome = self.run(&id, &invocation).await;
            match outcome.result {
                InvocationResult::Response(_) => return EventOutcome::Finished,
                InvocationResult::Stopped if self.pool.is_closed() => return EventOutcome::Requeued,
                InvocationResult::Stopped => return EventOutcome::Finished,
                _ => {}
            }
            event.attempts += 1;
            let Some(limits) = self.functions().get(&id).map(|function| function.event_limits()) else {
                return EventOutcome::Finished;
            };
            if event.attempts > limits.retries {
                return EventOutcome::Finished;
            }
            let pause = if event.attempts == 1 { LatencySpan::FirstRetry } else { LatencySpan::SecondRetry };
            let pause = self.internal.latencies().of(pause);
            event.due = nanoseconds_now().saturating_add(nanoseconds(pause));
            self.queue.store(&event);
        }
    }

    /// Waits for a concurrency permit. `None` if the function is deleted or the event has expired.
    async fn permit(&self, event: &QueuedEvent) -> Option<ConcurrencyPermit> {
        let mut changes = self.changes();
        loop {
            let freed = self.concurrency.freed();
            tokio::pin!(freed);
            freed.as_mut().enable();
            let (reserved, limits) = {
                let functions = self.functions();
                let function = functions.get(&event.function)?;
                (function.reserved_concurrency, function.event_limits())
            };
            let age = self.internal.latencies().scaled(limits.age);
            let expiry = until(event.accepted.saturating_add(nanoseconds(age)));
            if expiry.is_zero() {
                return None;
            }
            if let Some(permit) = self.concurrency.admit(&event.function, reserved) {
                return Some(permit);
            }
            tokio::select! {
                () = &mut freed => {}
                changed = changes.changed() => changed.ok()?,
                () = tokio::time::sleep(expiry) => return None,
            }
        }
    }
}

fn nanoseconds_now() -> i64 {
    Utc::now().timestamp_nanos_opt().unwrap_or_default()
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// The time until a moment; zero if it has passed.
fn until(moment: i64) -> Duration {
    Duration::from_nanos(u64::try_from(moment.saturating_sub(nanoseconds_now())).unwrap_or(0))
}
