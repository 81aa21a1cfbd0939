//! The program that Terraform's `local-exec` calls: runs a build and waits for its end, so that the
//! configuration needs neither the AWS CLI nor jq.
//!
//! It takes no lock and reads no journal: cloud and credentials come from the environment, as for any AWS tool.

use std::time::Duration;

use thumbctl_core::event::Failure;
use tokio_util::sync::CancellationToken;

use crate::aws::codebuild::{self, BuildState, BuildStatus};
use crate::aws::{WaitError, wait};
use crate::cloud::Clients;
use crate::strategy::build::{BuildPoll, BuildPoller, failure_of};

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
    // A build that an interrupted apply has left running.
    let mut ignore_retries = |_| {};
    let running =
        wait::retry(&[wait::THROTTLING], cancel, &mut ignore_retries, || codebuild::running_build(client, project));
    let found = match running.await {
        Ok(found) => found,
        Err(WaitError::Cancelled) => return Ok(BuildEnd::Cancelled),
        Err(error) => return Err(failure(&error)),
    };
    let id = if let Some(id) = found {
        id
    } else {
        let token = format!("{:032x}", rand::random::<u128>());
        let rules = [wait::THROTTLING, wait::ROLE_PROPAGATION, wait::NOT_YET_SEEN];
        match wait::retry(&rules, cancel, &mut ignore_retries, || codebuild::start_build(client, project, &token)).await
        {
            Ok(id) => id,
            Err(WaitError::Cancelled) => return Ok(BuildEnd::Cancelled),
            Err(error) => return Err(failure(&error)),
        }
    };
    print(&format!("{BUILD_LINE}{id}"));
    let mut reported: Vec<String> = Vec::new();
    let mut poller = BuildPoller::new(clients, &id, cancel, OUTAGE, DEADLINE);
    loop {
        let BuildPoll::State(state) = poller.next().await.map_err(|error| error.failure())? else { continue };
        report_phases(&state, &mut reported, print);
        match state.status {
            _ if !state.complete => {}
            BuildStatus::Succeeded => return Ok(BuildEnd::Succeeded),
            BuildStatus::Stopped if poller.is_stopping() => return Ok(BuildEnd::Cancelled),
            _ => return Err(failure_of(&state, Vec::new())),
        }
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
