//! Calls with retries reported as events, and errors as step failures.

use std::pin::pin;

use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::event::Failure;
use tokio::sync::mpsc;

use crate::aws::wait::{self, Retry, Rule, Waiting};
use crate::aws::{AwsError, Deleted, WaitError};

/// Converts a failed call to a failed step.
pub(crate) fn failed(error: AwsError) -> StepError {
    let failure = Failure::from_error(&error);
    StepError::Failed(Failure { hint: error.hint(), ..failure })
}

/// Converts a failed wait to a failed or cancelled step.
pub(crate) fn wait_failed(error: WaitError) -> StepError {
    match error {
        WaitError::Cancelled => StepError::Cancelled,
        WaitError::Aws(error) => failed(error),
        WaitError::TimedOut { .. } => StepError::Failed(Failure { hint: error.hint(), ..Failure::from_error(&error) }),
    }
}

/// Makes a call, and retries it where a rule matches; throttled calls are always retried.
pub(crate) async fn call<T, F, Fut>(scope: &StepScope, rules: &[Rule], make: F) -> Result<T, StepError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, AwsError>>,
{
    let mut all = vec![wait::THROTTLING];
    all.extend_from_slice(rules);
    let (sender, mut retries) = mpsc::unbounded_channel::<Retry>();
    let mut on_retry = move |retry| {
        // The receiver outlives the call.
        let _ = sender.send(retry);
    };
    let mut result = pin!(wait::retry(&all, scope.cancel(), &mut on_retry, make));
    loop {
        tokio::select! {
            biased;
            Some(retry) = retries.recv() => scope.retried(retry.attempt, retry.reason, retry.delay).await?,
            result = &mut result => return result.map_err(wait_failed),
        }
    }
}

/// Makes a call that deletes something, and retries it after a conflict with another change.
pub(crate) async fn delete<F, Fut>(scope: &StepScope, make: F) -> Result<Deleted, StepError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Deleted, AwsError>>,
{
    call(scope, &[wait::CONFLICT], make).await
}

/// Runs a wait, and reports its subject once it takes more than a moment.
pub(crate) async fn awaited<T, Fut>(
    scope: &StepScope,
    wait: impl FnOnce(mpsc::UnboundedSender<Waiting>) -> Fut,
) -> Result<T, StepError>
where
    Fut: Future<Output = Result<T, WaitError>>,
{
    let (sender, mut waits) = mpsc::unbounded_channel::<Waiting>();
    let mut result = pin!(wait(sender));
    let mut reported = false;
    loop {
        tokio::select! {
            biased;
            Some(waiting) = waits.recv() => {
                if !reported {
                    reported = true;
                    scope.progress(format!("waiting for {}", waiting.what), None, None).await?;
                }
            }
            result = &mut result => return result.map_err(wait_failed),
        }
    }
}
