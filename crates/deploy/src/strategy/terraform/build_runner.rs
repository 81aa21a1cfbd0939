//! The program that Terraform's `local-exec` calls: runs a build and waits for its end, so that the
//! configuration needs neither the AWS CLI nor jq.
//!
//! It takes no lock and reads no journal: cloud and credentials come from the environment, as for any AWS tool.

use std::time::{Duration, Instant};

use thumbctl_core::event::Failure;
use tokio_util::sync::CancellationToken;

use crate::aws::codebuild::{self, BuildState, BuildStatus};
use crate::aws::{ErrorKind, WaitError, wait};
use crate::cloud::Clients;
use crate::strategy::build::{failure_of, is_transient};

/// The prefix of the output line with the build's id.
pub(super) const BUILD_LINE: &str = "build ";

/// Rule: a build may wait for a machine 8 hours, and run for 36. CodeBuild itself ends it then.
/// <https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CreateProject.html>.
const DEADLINE: Duration = Duration::from_secs(45 * 3600);

/// How long CodeBuild may be unreachable: the build continues meanwhile.
const OUTAGE: Duration = Duration::from_secs(60);

/// The end of a build that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildEnd {
    /// It pushed the image.
    Succeeded,
    /// It was cancelled and stopped.
    Cancelled,
}

/// Starts a build of the project, or attaches to a running one, and waits for its end. Passes each progress line to
/// `print`, the build's id first. Cancelling stops the build.
///
/// # Errors
/// When the build cannot be started or polled, or fails.
pub async fn run_build(
    clients: &Clients,
    project: &str,
    cancel: &CancellationToken,
    print: &mut (dyn FnMut(&str) + Send),
) -> Result<BuildEnd, Failure> {
    let client = &clients.codebuild;
    let id = if let Some(id) = running_build(clients, project, cancel).await? {
        id
    } else {
        let token = format!("{:032x}", rand::random::<u128>());
        let rules = [wait::THROTTLING, wait::ROLE_PROPAGATION, wait::NOT_YET_SEEN];
        match wait::retry(&rules, cancel, &mut |_| {}, || codebuild::start_build(client, project, &token)).await {
            Ok(id) => id,
            Err(WaitError::Cancelled) => return Ok(BuildEnd::Cancelled),
            Err(error) => return Err(failure(&error)),
        }
    };
    print(&format!("{BUILD_LINE}{id}"));
    let (began, mut unreachable_since, mut stopped) = (Instant::now(), None::<Instant>, false);
    let mut reported: Vec<String> = Vec::new();
    let mut attempt = 0;
    loop {
        attempt += 1;
        match codebuild::build(client, &id).await {
            Ok(Some(state)) => {
                unreachable_since = None;
                report_phases(&state, &mut reported, print);
                match state.status {
                    _ if !state.complete => {}
                    BuildStatus::Succeeded => return Ok(BuildEnd::Succeeded),
                    BuildStatus::Stopped if stopped => return Ok(BuildEnd::Cancelled),
                    _ => return Err(failure_of(&state, Vec::new())),
                }
            }
            // A new build may not be visible yet.
            Ok(None) => {}
            Err(error) if error.kind == ErrorKind::Throttled => {}
            Err(error)
                if is_transient(&error) && unreachable_since.get_or_insert_with(Instant::now).elapsed() < OUTAGE => {}
            Err(error) => return Err(failure(&WaitError::Aws(error))),
        }
        if began.elapsed() > DEADLINE {
            return Err(Failure::new(format!("the build {id} did not end within {} hours", DEADLINE.as_secs() / 3600)));
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
}

/// The build that an interrupted apply has left running.
async fn running_build(
    clients: &Clients,
    project: &str,
    cancel: &CancellationToken,
) -> Result<Option<String>, Failure> {
    let client = &clients.codebuild;
    let mut ignore_retries = |_| {};
    let running = wait::retry(&[wait::THROTTLING], cancel, &mut ignore_retries, || async {
        // Builds are listed newest first, and one deployment starts one at a time.
        let newest = codebuild::builds_of(client, project).await?.unwrap_or_default().into_iter().next();
        let Some(id) = newest else { return Ok(None) };
        let state = codebuild::build(client, &id).await?;
        Ok(state.filter(|state| !state.complete).map(|_| id))
    });
    match running.await {
        Ok(found) => Ok(found),
        Err(WaitError::Cancelled) => Ok(None),
        Err(error) => Err(failure(&error)),
    }
}

fn report_phases(state: &BuildState, reported: &mut Vec<String>, print: &mut (dyn FnMut(&str) + Send)) {
    for phase in &state.phases {
        let Some(status) = phase.status else { continue };
        let line = format!("{} {}", phase.kind, status.as_str());
        if !reported.contains(&line) {
            print(&line);
            reported.push(line);
        }
    }
}

fn failure(error: &WaitError) -> Failure {
    Failure { hint: error.hint(), ..Failure::from_error(error) }
}
