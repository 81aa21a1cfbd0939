//! Waiting for AWS: until a condition holds, or until a call is let through. Never a pause in the hope that something has
//! happened: every wait has a condition, a growing delay, a deadline, and can be cancelled.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::error::{AwsError, ErrorKind};

/// The delays between two looks: the first, by what they grow, up to where, and when to give up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The first delay.
    pub first: Duration,
    /// By what each delay is multiplied for the next.
    pub factor: f64,
    /// The longest delay.
    pub cap: Duration,
    /// When to give up, counted from the start.
    pub deadline: Duration,
    /// Whether delays are drawn between half and the whole of what they would be, so that many do not come at once.
    pub jitter: bool,
}

impl Schedule {
    /// A schedule without jitter.
    pub const fn new(first: Duration, factor: f64, cap: Duration, deadline: Duration) -> Self {
        Self { first, factor, cap, deadline, jitter: false }
    }

    /// The same with another deadline.
    pub const fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The delay after the given attempt (the first is 1).
    pub fn delay(&self, attempt: u32) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = (self.first.as_secs_f64() * self.factor.powi(exponent)).min(self.cap.as_secs_f64()).max(0.0);
        let seconds = if self.jitter { seconds * rand::random_range(0.5..=1.0) } else { seconds };
        Duration::from_secs_f64(seconds)
    }
}

/// A bucket that was created a moment ago: usually there at once.
pub const BUCKET_USABLE: Schedule =
    Schedule::new(Duration::from_millis(100), 2.0, Duration::from_secs(2), Duration::from_secs(60));

/// A container-image function going from `Pending` to `Active`: a few seconds on AWS; a look a second at the most, as
/// the SDKs' own `function_active_v2` waiter does.
pub const FUNCTION_ACTIVE: Schedule =
    Schedule::new(Duration::from_millis(100), 1.6, Duration::from_secs(1), Duration::from_secs(300));

/// A build: looks that are close together at first (the sandbox is quick), two seconds apart later.
pub const BUILD: Schedule =
    Schedule::new(Duration::from_millis(100), 1.5, Duration::from_secs(2), Duration::from_secs(3600));

/// Which failures are tried again, and when.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Whether this failure is one of them.
    pub when: fn(&AwsError) -> bool,
    /// The delays; the deadline counts from the first such failure.
    pub schedule: Schedule,
}

/// Rule: a role is usable 7 to 12 s after its creation. Tried again after 0.25, 0.5, 1 s, then every 2 s, for 48 s, on
/// exactly the error that says that the role cannot be assumed (yet).
pub const ROLE_PROPAGATION: Rule = Rule {
    when: |error| error.kind == ErrorKind::RoleNotReady,
    schedule: Schedule::new(Duration::from_millis(250), 2.0, Duration::from_secs(2), Duration::from_secs(48)),
};

/// Rule: throttling is answered by the SDK's standard retries first, then by these.
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

/// Two calls that AWS will not let happen at once (`OperationAborted`, `ConcurrentModification`, a function that is
/// still `Pending`): again, a little later.
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

/// Rule: S3 asks the function's policy whether it may invoke it, and a permission that was just added may not be seen
/// yet: "Unable to validate the following destination configurations". A permission that is missing looks the same, so
/// it is tried for a few seconds only.
pub const DESTINATION_VALIDATION: Rule = Rule {
    when: super::s3::destination_not_validated,
    schedule: Schedule::new(Duration::from_millis(250), 2.0, Duration::from_secs(2), Duration::from_secs(20)),
};

/// Something that was made a moment ago and is not seen by every call yet; asked for again for a short while.
pub const NOT_YET_SEEN: Rule = Rule {
    when: |error| error.kind == ErrorKind::NotFound,
    schedule: Schedule::new(Duration::from_millis(250), 2.0, Duration::from_secs(2), Duration::from_secs(20)),
};

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll<T> {
    /// What was waited for.
    Ready(T),
    /// Not yet.
    Pending,
}

/// Told before each delay of [`until`].
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// What is waited for.
    pub what: String,
    /// How many looks there have been.
    pub attempt: u32,
    /// How long it has been.
    pub elapsed: Duration,
    /// How long until the next look.
    pub delay: Duration,
}

/// Told before each delay of [`retry`].
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// How many attempts have failed.
    pub attempt: u32,
    /// Why the last one did.
    pub reason: String,
    /// How long until the next one.
    pub delay: Duration,
}

/// How a wait ends without what was waited for.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The deadline has passed.
    #[error("{what} did not happen within {} s", .after.as_secs())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// For how long.
        after: Duration,
    },
    /// Whoever started it wants it no more.
    #[error("cancelled")]
    Cancelled,
    /// A call failed, and not in a way that waiting mends.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl WaitError {
    /// The failed call, if that is what it was.
    pub fn aws(&self) -> Option<&AwsError> {
        match self {
            Self::Aws(error) => Some(error),
            Self::TimedOut { .. } | Self::Cancelled => None,
        }
    }

    /// What to do about it, if there is something.
    pub fn hint(&self) -> Option<String> {
        self.aws().and_then(AwsError::hint)
    }
}

/// Looks until `look` answers [`Poll::Ready`]: at once, then after each delay of the schedule.
///
/// A failed look ends the wait, except for a throttled one, which counts as "not yet". Cancelling ends the wait, never a
/// call that is under way.
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
        // The last look is at the deadline, not one delay before it.
        let delay = schedule.delay(attempt).min(schedule.deadline - elapsed);
        on_wait(Waiting { what: what.to_owned(), attempt, elapsed, delay });
        pause(delay, cancel).await?;
    }
}

/// Calls until the call is let through, or fails in a way that none of the rules speaks of, or a rule's deadline has
/// passed: then the last failure is the answer.
///
/// Cancelling ends the wait between two calls, never a call that is under way: what it did would be unknown.
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
        ErrorKind::Throttled => format!("{} asks for fewer requests", error.service),
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

    /// Short delays, and a deadline that no test comes near.
    const QUICK: Schedule =
        Schedule::new(Duration::from_millis(1), 2.0, Duration::from_millis(4), Duration::from_secs(3600));

    fn error(kind: ErrorKind) -> AwsError {
        AwsError::new("CodeBuild", "CreateProject", kind, "told by the service")
    }

    const NOT_READY: Rule = Rule { when: |error| error.kind == ErrorKind::RoleNotReady, schedule: QUICK };

    #[test]
    fn the_roles_grid_is_a_quarter_a_half_one_and_then_every_two_seconds() {
        let seconds: Vec<_> = (1..=5).map(|attempt| ROLE_PROPAGATION.schedule.delay(attempt).as_secs_f64()).collect();
        assert_eq!(seconds, [0.25, 0.5, 1.0, 2.0, 2.0]);
        assert_eq!(ROLE_PROPAGATION.schedule.delay(10_000).as_secs_f64(), 2.0);
    }

    #[test]
    fn jitter_takes_at_most_half_of_a_delay() {
        for attempt in 1..50 {
            let whole = Schedule { jitter: false, ..THROTTLING.schedule }.delay(attempt);
            let drawn = THROTTLING.schedule.delay(attempt);
            assert!(drawn <= whole && drawn >= whole / 2, "{drawn:?} of {whole:?}");
        }
    }

    #[tokio::test]
    async fn a_wait_looks_until_it_finds() {
        let looks = Cell::new(0);
        let mut told = Vec::new();
        let found =
            until("it", &QUICK, &CancellationToken::new(), &mut |waiting| told.push(waiting.attempt), || async {
                looks.set(looks.get() + 1);
                Ok(match looks.get() {
                    3 => Poll::Ready("found"),
                    _ => Poll::Pending,
                })
            })
            .await;
        assert_eq!(found.unwrap(), "found");
        assert_eq!(told, [1, 2]);
    }

    #[tokio::test]
    async fn a_wait_ends_at_its_deadline_and_says_what_for() {
        let schedule = QUICK.within(Duration::from_millis(10));
        let cancel = CancellationToken::new();
        let answer: Result<(), _> =
            until("the moon", &schedule, &cancel, &mut |_| {}, || async { Ok(Poll::Pending) }).await;
        let error = answer.unwrap_err();
        assert!(matches!(&error, WaitError::TimedOut { what, .. } if what == "the moon"));
    }

    #[tokio::test]
    async fn a_wait_goes_on_when_throttled_and_ends_on_any_other_failure() {
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
        let asked = cancel.clone();
        let answer: Result<(), _> =
            until("it", &schedule, &cancel, &mut |_| asked.cancel(), || async { Ok(Poll::Pending) }).await;
        assert!(matches!(answer, Err(WaitError::Cancelled)));
    }

    #[tokio::test]
    async fn a_call_is_tried_again_on_that_failure_only() {
        let calls = Cell::new(0);
        let mut told = Vec::new();
        let cancel = CancellationToken::new();
        let answer = retry(&[NOT_READY], &cancel, &mut |retry| told.push((retry.attempt, retry.reason)), || async {
            calls.set(calls.get() + 1);
            match calls.get() {
                1 => Err(error(ErrorKind::RoleNotReady)),
                _ => Ok("created"),
            }
        })
        .await;
        assert_eq!(answer.unwrap(), "created");
        assert_eq!(told, [(1, "CodeBuild cannot assume the new role yet".to_owned())]);

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
    async fn a_cancelled_retry_makes_no_further_call() {
        let calls = Cell::new(0);
        let cancel = CancellationToken::new();
        let asked = cancel.clone();
        let answer: Result<(), _> = retry(&[NOT_READY], &cancel, &mut |_| asked.cancel(), || async {
            calls.set(calls.get() + 1);
            Err(error(ErrorKind::RoleNotReady))
        })
        .await;
        assert!(matches!(answer, Err(WaitError::Cancelled)));
        assert_eq!(calls.get(), 1);
    }
}
