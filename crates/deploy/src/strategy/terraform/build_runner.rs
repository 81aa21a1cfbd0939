//! What Terraform's `local-exec` calls: runs a build of a project and waits for its end, so that whoever applies the
//! configuration needs neither the AWS CLI nor jq.
//!
//! It takes no lock and knows no deployment: cloud and credentials are the environment's to say, as for any AWS tool.

use std::time::{Duration, Instant};

use thumbctl_core::event::Failure;
use tokio_util::sync::CancellationToken;

use crate::aws::codebuild::{self, BuildState, BuildStatus};
use crate::aws::{ErrorKind, WaitError, wait};
use crate::cloud::Clients;
use crate::strategy::build::{failure_of, passes};

/// How the line begins that tells a build's id; the id is the rest of it.
pub(super) const BUILD_LINE: &str = "build ";

/// Rule: a build may wait for a machine 8 hours, and run for 36. CodeBuild itself ends it then.
const DEADLINE: Duration = Duration::from_secs(45 * 3600);

/// How long CodeBuild, or the way to it, may fail to answer: the build goes on meanwhile.
const OUTAGE: Duration = Duration::from_secs(60);

/// How a build ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildEnd {
    /// It made the image.
    Succeeded,
    /// It was cancelled, and stopped.
    Cancelled,
}

/// Starts a build of the project, or takes up one that is running, and waits until it is over. Each line that is worth
/// telling is given to `say`, the build's id first. Cancelling stops the build.
///
/// # Errors
/// When the build cannot be started or looked at, or fails: why, in words.
pub async fn run_build(
    clients: &Clients,
    project: &str,
    cancel: &CancellationToken,
    say: &mut (dyn FnMut(&str) + Send),
) -> Result<BuildEnd, Failure> {
    let client = &clients.codebuild;
    let id = match running_build(clients, project, cancel).await? {
        Some(id) => id,
        None => {
            let token = format!("{:032x}", rand::random::<u128>());
            let rules = [wait::THROTTLING, wait::ROLE_PROPAGATION, wait::NOT_YET_SEEN];
            match wait::retry(&rules, cancel, &mut |_| {}, || codebuild::start_build(client, project, &token)).await {
                Ok(id) => id,
                Err(WaitError::Cancelled) => return Ok(BuildEnd::Cancelled),
                Err(error) => return Err(failure(&error)),
            }
        }
    };
    say(&format!("{BUILD_LINE}{id}"));
    let (began, mut unanswered, mut stopped) = (Instant::now(), None::<Instant>, false);
    let mut told: Vec<String> = Vec::new();
    for attempt in 1.. {
        match codebuild::build(client, &id).await {
            Ok(Some(state)) => {
                unanswered = None;
                tell_phases(&state, &mut told, say);
                match state.status {
                    _ if !state.complete => {}
                    BuildStatus::Succeeded => return Ok(BuildEnd::Succeeded),
                    BuildStatus::Stopped if stopped => return Ok(BuildEnd::Cancelled),
                    _ => return Err(failure_of(&state, Vec::new())),
                }
            }
            // A build that was just started may not be seen yet.
            Ok(None) => {}
            Err(error) if error.kind == ErrorKind::Throttled => {}
            Err(error) if passes(&error) && unanswered.get_or_insert_with(Instant::now).elapsed() < OUTAGE => {}
            Err(error) => return Err(failure(&WaitError::Aws(error))),
        }
        if began.elapsed() > DEADLINE {
            return Err(Failure::new(format!("the build {id} is not over after {} hours", DEADLINE.as_secs() / 3600)));
        }
        if cancel.is_cancelled() && !stopped {
            codebuild::stop_build(client, &id).await.map_err(|error| failure(&WaitError::Aws(error)))?;
            stopped = true;
        }
        tokio::select! {
            () = tokio::time::sleep(wait::BUILD.delay(attempt)) => {}
            () = cancel.cancelled(), if !stopped => {}
        }
    }
    unreachable!("the attempts are not counted to their end")
}

/// A build that an interrupted apply has left running.
async fn running_build(
    clients: &Clients,
    project: &str,
    cancel: &CancellationToken,
) -> Result<Option<String>, Failure> {
    let client = &clients.codebuild;
    let mut unheard = |_| {};
    let looked = wait::retry(&[wait::THROTTLING], cancel, &mut unheard, || async {
        // Builds are listed newest first, and one deployment starts one at a time.
        let newest = codebuild::builds_of(client, project).await?.unwrap_or_default().into_iter().next();
        let Some(id) = newest else { return Ok(None) };
        let state = codebuild::build(client, &id).await?;
        Ok(state.filter(|state| !state.complete).map(|_| id))
    });
    match looked.await {
        Ok(found) => Ok(found),
        Err(WaitError::Cancelled) => Ok(None),
        Err(error) => Err(failure(&error)),
    }
}

fn tell_phases(state: &BuildState, told: &mut Vec<String>, say: &mut (dyn FnMut(&str) + Send)) {
    for phase in &state.phases {
        let Some(status) = phase.status else { continue };
        let line = format!("{} {}", phase.kind, status.as_str());
        if !told.contains(&line) {
            say(&line);
            told.push(line);
        }
    }
}

fn failure(error: &WaitError) -> Failure {
    Failure { hint: error.hint(), ..Failure::from_error(error) }
}
