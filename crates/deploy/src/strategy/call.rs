//! Calls whose retries are told as events, and failures in words.

use std::pin::pin;

use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::event::Failure;
use tokio::sync::mpsc;

use crate::aws::wait::{self, Retry, Rule, Waiting};
use crate::aws::{AwsError, WaitError};

/// Turns a failed call into a failed step.
pub(super) fn failed(error: AwsError) -> StepError {
    let failure = Failure::from_error(&error);
    StepError::Failed(Failure { hint: error.hint(), ..failure })
}

/// Turns a wait that ended badly into a step that did.
pub(super) fn not_awaited(error: WaitError) -> StepError {
    match error {
        WaitError::Cancelled => StepError::Cancelled,
        WaitError::Aws(error) => failed(error),
        WaitError::TimedOut { .. } => StepError::Failed(Failure { hint: error.hint(), ..Failure::from_error(&error) }),
    }
}

/// Makes a call, again where a rule says so; throttled calls are always made again.
pub(super) async fn call<T, F, Fut>(scope: &StepScope, rules: &[Rule], make: F) -> Result<T, StepError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, AwsError>>,
{
    let mut all = vec![wait::THROTTLING];
    all.extend_from_slice(rules);
    let (sender, mut retries) = mpsc::unbounded_channel::<Retry>();
    let mut on_retry = move |retry| {
        // The receiver lives as long as this call.
        let _ = sender.send(retry);
    };
    let mut result = pin!(wait::retry(&all, scope.cancel(), &mut on_retry, make));
    loop {
        tokio::select! {
            biased;
            Some(retry) = retries.recv() => scope.retried(retry.attempt, retry.reason, retry.delay).await?,
            result = &mut result => return result.map_err(not_awaited),
        }
    }
}

/// Runs a wait and tells, when it takes longer than a moment, what is waited for.
pub(super) async fn awaited<T, Fut>(
    scope: &StepScope,
    wait: impl FnOnce(mpsc::UnboundedSender<Waiting>) -> Fut,
) -> Result<T, StepError>
where
    Fut: Future<Output = Result<T, WaitError>>,
{
    let (sender, mut waits) = mpsc::unbounded_channel::<Waiting>();
    let mut result = pin!(wait(sender));
    let mut told = false;
    loop {
        tokio::select! {
            biased;
            Some(waiting) = waits.recv() => {
                if !told {
                    told = true;
                    scope.progress(format!("waiting for {}", waiting.what), None, None).await?;
                }
            }
            result = &mut result => return result.map_err(not_awaited),
        }
    }
}
