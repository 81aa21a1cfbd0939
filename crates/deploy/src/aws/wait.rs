//! Waiting for AWS: until a condition holds, or until a call succeeds. No fixed
//! sleeps: every wait has a condition, a growing delay and a deadline, and can be cancelled.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::error::{AwsError, ErrorKind};

/// The delays between polls, and the deadline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The first delay.
    pub first: Duration,
    /// The growth factor of the delays.
    pub factor: f64,
    /// The longest delay.
    pub cap: Duration,
    /// The deadline, from the start.
    pub deadline: Duration,
    /// Whether delays are randomized between half and the full value, so that many callers do not coincide.
    pub jitter: bool,
}

impl Schedule {
    /// Creates a schedule without jitter.
    pub const fn new(first: Duration, factor: f64, cap: Duration, deadline: Duration) -> Self {
        Self { first, factor, cap, deadline, jitter: false }
    }

    /// Returns the schedule with another deadline.
    pub const fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Returns the delay after an attempt (the first is 1).
    pub fn delay(&self, attempt: u32) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = (self.first.as_secs_f64() * self.factor.powi(exponent)).min(self.cap.as_secs_f64()).max(0.0);
        let seconds = if self.jitter { seconds * rand::random_range(0.5..=1.0) } else { seconds };
        Duration::from_secs_f64(seconds)
    }
}

/// A bucket just created: usually visible at once.
pub const BUCKET_USABLE: Schedule =
    Schedule::new(Duration::from_millis(100), 2.0, Duration::from_secs(2), Duration::from_secs(60));

/// A container-image function from `Pending` to `Active`: a few seconds on AWS; at most one poll a second, as
/// in the SDKs' own `function_active_v2` waiter.
pub const FUNCTION_ACTIVE: Schedule =
    Schedule::new(Duration::from_millis(100), 1.6, Duration::from_secs(1), Duration::from_secs(300));

/// A build: short delays at first (the sandbox is fast), two seconds later.
pub const BUILD: Schedule =
    Schedule::new(Duration::from_millis(100), 1.5, Duration::from_secs(2), Duration::from_secs(3600));

/// A rule for retries: which errors, and when.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Whether an error matches.
    pub when: fn(&AwsError) -> bool,
    /// The delays; the deadline counts from the first such error.
    pub schedule: Schedule,
}

/// Rule: a role is usable 7 to 12 s after its creation. Retried after 0.25, 0.5, 1 s, then every 2 s, for 48 s, on
/// the error of a role that cannot be assumed only.
/// The times are observed: eventual consistency,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>.
pub const ROLE_PROPAGATION: Rule = Rule {
    when: |error| error.kind == ErrorKind::RoleNotReady,
    schedule: Schedule::new(Duration::from_millis(250), 2.0, Duration::from_secs(2), Duration::from_secs(48)),
};

/// Rule: throttled calls get the SDK's standard retries first, then these.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>.
pub const THROTTLING: Rule = Rule {
    when: |error| error.kind == ErrorKind::Throttled,
    schedule: Schedule {
        first: Duration::from_secs(1),
        factor: 2.0,
        cap: Duration::from_secs(20),
        deadline: Duration::from_secs(120),
        jitter: true,
    },
};

/// Two calls that AWS does not allow at once (`OperationAborted`, `ConcurrentModification`, a function
/// still `Pending`): retried a little later.
pub const CONFLICT: Rule = Rule {
    when: |error| {
        error.kind == ErrorKind::Conflict
            && !error.has_code("BucketNotEmpty")
            && !error.has_code("RepositoryNotEmptyException")
    },
    schedule: Schedule {
        first: Duration::from_millis(250),
        factor: 2.0,
        cap: Duration::from_secs(5),
        deadline: Duration::from_secs(60),
        jitter: true,
    },
};

/// Rule: S3 validates the function's policy, where a new permission may not be visible
/// yet: "Unable to validate the following destination configurations". A missing permission has the same error, so
/// it is retried for a few seconds only.
/// <https://github.com/zappa/Zappa/pull/1441>.
pub const DESTINATION_VALIDATION: Rule = Rule {
    when: super::s3::destination_not_validated,
    schedule: Schedule::new(Duration::from_millis(250), 2.0, Duration::from_secs(2), Duration::from_secs(20)),
};

/// A resource just created, and not visible to every call yet; retried for a short while.
pub const NOT_YET_SEEN: Rule = Rule {
    when: |error| error.kind == ErrorKind::NotFound,
    schedule: Schedule::new(Duration::from_millis(250), 2.0, Duration::from_secs(2), Duration::from_secs(20)),
};

/// The result of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll<T> {
    /// The value.
    Ready(T),
    /// Not yet.
    Pending,
}

/// Reported before each delay of [`until`].
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// The awaited condition.
    pub what: String,
    /// The number of polls so far.
    pub attempt: u32,
    /// The time waited so far.
    pub elapsed: Duration,
    /// The delay until the next poll.
    pub delay: Duration,
}

/// Reported before each delay of [`retry`].
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// The number of failed attempts.
    pub attempt: u32,
    /// The reason of the last failure.
    pub reason: String,
    /// The delay until the next attempt.
    pub delay: Duration,
}

/// Why a wait has no result.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The deadline has passed.
    #[error("{what} did not happen within {} s", .after.as_secs())]
    TimedOut {
        /// The awaited condition.
        what: String,
        /// The time waited.
        after: Duration,
    },
    /// The caller cancelled the wait.
    #[error("cancelled")]
    Cancelled,
    /// A call failed with an error that no rule retries.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl WaitError {
    /// Returns the failed call's error, if there is one.
    pub fn aws(&self) -> Option<&AwsError> {
        match self {
            Self::Aws(error) => Some(error),
            Self::TimedOut { .. } | Self::Cancelled => None,
        }
    }

    /// Returns what to do about it, if there is something.
    pub fn hint(&self) -> Option<String> {
        self.aws().and_then(AwsError::hint)
    }
}

/// Polls until the result is [`Poll::Ready`]: at once, then after each delay of the schedule.
///
/// An error ends the wait, except throttling, which counts as pending. Cancelling ends the wait, never a
/// call in progress.
///
/// # Errors
/// [`WaitError::Aws`] for a failed poll other than a throttled one, [`WaitError::TimedOut`] after the deadline,
/// [`WaitError::Cancelled`].
pub async fn until<T, F, Fut>(
    what: &str,
    schedule: &Schedule,
    cancel: &CancellationToken,
    on_wait: &mut (dyn FnMut(Waiting) + Send),
    mut look: F,
) -> Result<T, WaitError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Poll<T>, AwsError>>,
{
    let started = Instant::now();
    let mut attempt = 0;
    loop {
        if cancel.is_cancelled() {
            return Err(WaitError::Cancelled);
        }
        match look().await {
            Ok(Poll::Ready(found)) => return Ok(found),
            Ok(Poll::Pending) => {}
            Err(error) if error.kind == ErrorKind::Throttled => {}
            Err(error) => return Err(error.into()),
        }
        attempt += 1;
        let elapsed = started.elapsed();
        if elapsed >= schedule.deadline {
            return Err(WaitError::TimedOut { what: what.to_owned(), after: elapsed });
        }
        // The last poll is at the deadline, not one delay before it.
        let delay = schedule.delay(attempt).min(schedule.deadline - elapsed);
        on_wait(Waiting { what: what.to_owned(), attempt, elapsed, delay });
        pause(delay, cancel).await?;
    }
}

/// Calls until the call succeeds, or fails with an error that no rule matches, or a rule's deadline has
/// passed: then the last error is the result.
///
/// Cancelling ends the wait between two calls, never a call in progress: its effect would be unknown.
///
/// # Errors
/// [`WaitError::Aws`] with the last failure, [`WaitError::Cancelled`] between two calls.
pub async fn retry<T, F, Fut>(
    rules: &[Rule],
    cancel: &CancellationToken,
    on_retry: &mut (dyn FnMut(Retry) + Send),
    mut call: F,
) -> Result<T, WaitError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, AwsError>>,
{
    // Each rule counts its own failures: throttling in between must not use up the role's time.
    let mut failures: Vec<(u32, Option<Instant>)> = vec![(0, None); rules.len()];
    let mut attempt = 0;
    loop {
        if cancel.is_cancelled() {
            return Err(WaitError::Cancelled);
        }
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        attempt += 1;
        let Some(index) = rules.iter().position(|rule| (rule.when)(&error)) else {
            return Err(error.into());
        };
        let schedule = &rules[index].schedule;
        let (count, since) = &mut failures[index];
        *count += 1;
        let elapsed = since.get_or_insert_with(Instant::now).elapsed();
        if elapsed >= schedule.deadline {
            return Err(error.into());
        }
        let delay = schedule.delay(*count).min(schedule.deadline - elapsed);
        on_retry(Retry { attempt, reason: reason(&error), delay });
        pause(delay, cancel).await?;
    }
}

fn reason(error: &AwsError) -> String {
    match error.kind {
        ErrorKind::RoleNotReady => {
            format!("{} cannot assume the new role yet", error.service)
        }
        ErrorKind::Throttled => format!("throttled by {}", error.service),
        _ => error.to_string(),
    }
}

async fn pause(delay: Duration, cancel: &CancellationToken) -> Result<(), WaitError> {
    tokio::select! {
        () = cancel.cancelled() => Err(WaitError::Cancelled),
        () = tokio::time::sleep(delay) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Short delays, and a deadline that no test reaches.
    const QUICK: Schedule =
        Schedule::new(Duration::from_millis(1), 2.0, Duration::from_millis(4), Duration::from_secs(3600));

    fn error(kind: ErrorKind) -> AwsError {
        AwsError::new("CodeBuild", "CreateProject", kind, "message")
    }

    const NOT_READY: Rule = Rule { when: |error| error.kind == ErrorKind::RoleNotReady, schedule: QUICK };

    #[test]
    fn role_schedule_is_a_quarter_a_half_one_and_then_every_two_seconds() {
        let seconds: Vec<_> = (1..=5).map(|attempt| ROLE_PROPAGATION.schedule.delay(attempt).as_secs_f64()).collect();
        assert_eq!(seconds, [0.25, 0.5, 1.0, 2.0, 2.0]);
        assert_eq!(ROLE_PROPAGATION.schedule.delay(10_000).as_secs_f64(), 2.0);
    }

    #[test]
    fn jitter_takes_at_most_half_of_a_delay() {
        for attempt in 1..50 {
            let full = Schedule { jitter: false, ..THROTTLING.schedule }.delay(attempt);
            let drawn = THROTTLING.schedule.delay(attempt);
            assert!(drawn <= full && drawn >= full / 2, "{drawn:?} of {full:?}");
        }
    }

    #[tokio::test]
    async fn wait_polls_until_ready() {
        let looks = Cell::new(0);
        let mut reported = Vec::new();
        let found =
            until("it", &QUICK, &CancellationToken::new(), &mut |waiting| reported.push(waiting.attempt), || async {
                looks.set(looks.get() + 1);
                Ok(match looks.get() {
                    3 => Poll::Ready("found"),
                    _ => Poll::Pending,
                })
            })
            .await;
        assert_eq!(found.unwrap(), "found");
        assert_eq!(reported, [1, 2]);
    }

    #[tokio::test]
    async fn wait_ends_at_its_deadline_and_names_the_condition() {
        let schedule = QUICK.within(Duration::from_millis(10));
        let cancel = CancellationToken::new();
        let answer: Result<(), _> =
            until("the moon", &schedule, &cancel, &mut |_| {}, || async { Ok(Poll::Pending) }).await;
        let error = answer.unwrap_err();
        assert!(matches!(&error, WaitError::TimedOut { what, .. } if what == "the moon"));
    }

    #[tokio::test]
    async fn wait_continues_when_throttled_and_ends_on_other_errors() {
        let looks = Cell::new(0);
        let cancel = CancellationToken::new();
        let answer: Result<(), _> = until("it", &QUICK, &cancel, &mut |_| {}, || async {
            looks.set(looks.get() + 1);
            Err(error(if looks.get() < 3 { ErrorKind::Throttled } else { ErrorKind::Denied }))
        })
        .await;
        assert_eq!(looks.get(), 3);
        assert_eq!(answer.unwrap_err().aws().unwrap().kind, ErrorKind::Denied);
    }

    #[tokio::test]
    async fn cancelling_ends_a_long_delay_at_once() {
        let hour = Duration::from_secs(3600);
        let schedule = Schedule::new(hour, 1.0, hour, hour);
        let cancel = CancellationToken::new();
        let canceller = cancel.clone();
        let answer: Result<(), _> =
            until("it", &schedule, &cancel, &mut |_| canceller.cancel(), || async { Ok(Poll::Pending) }).await;
        assert!(matches!(answer, Err(WaitError::Cancelled)));
    }

    #[tokio::test]
    async fn only_matching_errors_are_retried() {
        let calls = Cell::new(0);
        let mut reported = Vec::new();
        let cancel = CancellationToken::new();
        let answer =
            retry(&[NOT_READY], &cancel, &mut |retry| reported.push((retry.attempt, retry.reason)), || async {
                calls.set(calls.get() + 1);
                match calls.get() {
                    1 => Err(error(ErrorKind::RoleNotReady)),
                    _ => Ok("created"),
                }
            })
            .await;
        assert_eq!(answer.unwrap(), "created");
        assert_eq!(reported, [(1, "CodeBuild cannot assume the new role yet".to_owned())]);

        let answer: Result<(), _> = retry(&[NOT_READY], &cancel, &mut |_| {}, || async {
            calls.set(calls.get() + 1);
            Err(error(ErrorKind::Invalid))
        })
        .await;
        assert_eq!(calls.get(), 3);
        assert_eq!(answer.unwrap_err().aws().unwrap().kind, ErrorKind::Invalid);
    }

    #[tokio::test]
    async fn retries_end_with_the_last_failure() {
        let rule = Rule { schedule: QUICK.within(Duration::from_millis(10)), ..NOT_READY };
        let cancel = CancellationToken::new();
        let answer: Result<(), _> =
            retry(&[rule], &cancel, &mut |_| {}, || async { Err(error(ErrorKind::RoleNotReady)) }).await;
        assert_eq!(answer.unwrap_err().aws().unwrap().kind, ErrorKind::RoleNotReady);
    }

    #[tokio::test]
    async fn cancelled_retry_makes_no_further_call() {
        let calls = Cell::new(0);
        let cancel = CancellationToken::new();
        let canceller = cancel.clone();
        let answer: Result<(), _> = retry(&[NOT_READY], &cancel, &mut |_| canceller.cancel(), || async {
            calls.set(calls.get() + 1);
            Err(error(ErrorKind::RoleNotReady))
        })
        .await;
        assert!(matches!(answer, Err(WaitError::Cancelled)));
        assert_eq!(calls.get(), 1);
    }
}
