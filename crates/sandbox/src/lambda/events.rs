//! Asynchronous events: accepted, worked on, tried again, and in the end given up.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;

use super::concurrency::Admission;
use super::function::State;
use super::instance::Invocation;
use super::names::FunctionId;
use super::queue::Queued;
use super::registry::Lambda;
use super::report::Ending;
use crate::latency::LatencySpan;

/// What becomes of an event.
#[derive(Debug, PartialEq, Eq)]
enum FaultOutcome {
    /// It was worked on, or nobody is there to work on it, or it has grown too old.
    Over,
    /// The sandbox is going down: the next one works on it.
    LeftOver,
}

impl Lambda {
    /// Queues an event that arrives after `delay`, and returns at once. Accepted is kept: also over the end of the sandbox.
    pub(crate) fn accept(self: &Arc<Self>, function: FunctionId, payload: &[u8], delay: Duration) {
        let now = nanoseconds_now();
        let event = Queued {
            function,
            request_id: uuid::Uuid::new_v4().to_string(),
            accepted: now,
            due: now.saturating_add(nanoseconds(delay)),
            attempts: 0,
            payload: String::from_utf8_lossy(payload).into_owned(),
        };
        self.queue.keep(&event);
        self.start_event(event);
    }

    /// Works on an accepted event when it is due and the function is ready for it.
    pub(crate) fn start_event(self: &Arc<Self>, event: Queued) {
        let lambda = self.clone();
        tokio::spawn(async move {
            let request_id = event.request_id.clone();
            if lambda.work_off(event).await == FaultOutcome::Over {
                lambda.queue.done(&request_id);
            }
        });
    }

    async fn work_off(&self, mut event: Queued) -> FaultOutcome {
        // The same on each attempt: a function can tell by it that it has seen the event before.
        let invocation = Invocation {
            request_id: event.request_id.clone(),
            payload: Bytes::from(event.payload.clone().into_bytes()),
        };
        let id = event.function.clone();
        loop {
            let due = until(event.due);
            tokio::select! {
                () = tokio::time::sleep(due) => {}
                // Nobody is there to be told any more.
                () = self.gone_away(&id) => return FaultOutcome::Over,
            }
            // An event for a function that has never become ready is dropped, as Lambda does in the end.
            if self.settled(&id).await != Some(State::Active) {
                return FaultOutcome::Over;
            }
            let Some(_admission) = self.admission(&event).await else {
                return FaultOutcome::Over;
            };
            let finished = self.run(&id, &invocation).await;
            match finished.ending {
                Ending::Response(_) => return FaultOutcome::Over,
                Ending::Stopped if self.pool.is_closed() => return FaultOutcome::LeftOver,
                Ending::Stopped => return FaultOutcome::Over,
                _ => {}
            }
            event.attempts += 1;
            let Some(limits) = self.functions().get(&id).map(|function| function.event_limits()) else {
                return FaultOutcome::Over;
            };
            if event.attempts > limits.retries {
                return FaultOutcome::Over;
            }
            let pause = if event.attempts == 1 { LatencySpan::FirstRetry } else { LatencySpan::SecondRetry };
            let pause = self.house.latencies().of(pause);
            event.due = nanoseconds_now().saturating_add(nanoseconds(pause));
            self.queue.keep(&event);
        }
    }

    /// Waits until the function may work on one event more. `None` if it is gone, or the event too old.
    async fn admission(&self, event: &Queued) -> Option<Admission> {
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
            let age = self.house.latencies().scaled(limits.age);
            let expiry = until(event.accepted.saturating_add(nanoseconds(age)));
            if expiry.is_zero() {
                return None;
            }
            if let Some(admission) = self.concurrency.admit(&event.function, reserved) {
                return Some(admission);
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

/// How long it is until a moment; zero when that has passed.
fn until(moment: i64) -> Duration {
    Duration::from_nanos(u64::try_from(moment.saturating_sub(nanoseconds_now())).unwrap_or(0))
}
