//! Destroys by Terraform what its state has, and the rest by direct calls.

use thumbctl_core::engine::{StepDone, StepError, StepScope};
use thumbctl_core::event::Failure;
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::TerraformRunner;
use super::follow::{TerraformRun, Until, failed};
use super::workspace::StateError;
use crate::call;
use crate::strategy::{leftovers, teardown};

impl TerraformRunner {
    pub(super) async fn start_destroy(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        // Reported by the `init` step.
        if self.state.lock().await.init_failed {
            return Err(StepError::Cancelled);
        }
        let workspace = &self.terraform.workspace;
        match workspace.state() {
            Ok(state) if state.is_empty() => return Ok(StepDone::AlreadyDone),
            Ok(_) => {}
            Err(StateError::Unreadable(error)) => return Err(failed(error)),
            Err(StateError::Damaged) => {
                scope.warn("the state is damaged: it is archived, and resources are found by tag").await?;
                workspace.archive_state("damaged").map_err(failed)?;
                return Ok(StepDone::AlreadyDone);
            }
        }
        // The stage without the function needs no image: a missing image would block the whole destroy.
        let arguments = ["destroy", "-json", "-auto-approve", "-input=false", "-var=stage=build"];
        let process = match self.terraform.start(&arguments).await {
            Ok(process) => process,
            Err(failure) => {
                self.state.lock().await.may_be_running = true;
                return Err(StepError::Failed(failure));
            }
        };
        let mut run = TerraformRun::new("destroy", process);
        let mut work = self.state.lock().await;
        let runs = self.follow(&mut run, Until::ProviderRuns, scope).await;
        work.may_be_running = run.may_be_running();
        work.failed_to_start = runs.is_err();
        let project = ResourceKind::BuildProject;
        if work.may_be_running && runs.is_err() && self.context.before.is_ready(project) {
            // Its builds are deleted; the project still exists, and is not being deleted.
            let note = Some("still exists".to_owned());
            self.report(scope, project, ResourceState::Ready, None, note).await?;
        }
        runs?;
        work.run = Some(run);
        Ok(StepDone::Finished)
    }

    pub(super) async fn destroy(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let mut work = self.state.lock().await;
        let Some(mut run) = work.run.take() else {
            return match work.failed_to_start {
                _ if work.may_be_running => Err(StepError::Cancelled),
                true => {
                    scope.warn("Terraform could not start: resources are deleted without it").await?;
                    Ok(StepDone::Finished)
                }
                false => Ok(StepDone::AlreadyDone),
            };
        };
        let ended = self.follow(&mut run, Until::Ended, scope).await;
        work.may_be_running = run.may_be_running();
        let is_deleted = |kind: &ResourceKind| run.reducer.state_of(*kind) == Some(ResourceState::Deleted);
        work.gone = ResourceKind::ARCHITECTURE.into_iter().filter(is_deleted).collect();
        match ended {
            // An unrecorded resource of an interrupted apply can block other deletions. The next step deletes
            // the rest without Terraform, and fails if it cannot.
            Err(StepError::Failed(failure)) if !work.may_be_running => {
                let words = format!("Terraform could not destroy everything: deleting the rest without it ({failure})");
                scope.warn(words).await?;
                Ok(StepDone::Finished)
            }
            ended => ended.map(|()| StepDone::Finished),
        }
    }

    /// Deletes what Terraform does not manage or could not destroy, found by tag and name, and checks that nothing remains.
    pub(super) async fn remove_leftovers(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let work = self.state.lock().await;
        if work.may_be_running {
            return Err(StepError::Failed(
                Failure::new("no search for leftovers, since Terraform is still running").with_hint(
                    "run `thumbctl destroy` again, or `thumbctl destroy --purge`, which works without Terraform",
                ),
            ));
        }
        let names = &self.context.names;
        let found = leftovers::find(&self.context.target, names.deployment()).await.map_err(call::failed)?;
        let (left, others): (Vec<_>, Vec<_>) =
            found.names(names.deployment()).into_iter().partition(|(kind, name)| names.of(*kind) == *name);
        let left: Vec<ResourceKind> = left.into_iter().map(|(kind, _)| kind).collect();
        if !others.is_empty() {
            let others: Vec<String> = others.into_iter().map(|(_, name)| name).collect();
            let words = format!(
                "an earlier deployment of this name has left {}; `thumbctl destroy --purge` deletes it",
                others.join(", ")
            );
            scope.warn(words).await?;
        }
        let mut first_failure = None;
        for kind in teardown::order().filter(|kind| left.contains(kind)) {
            scope.progress(format!("deleting the leftover {}", names.of(kind)), None, None).await?;
            self.report(scope, kind, ResourceState::Deleting, None, None).await?;
            match self.context.delete(kind, names, scope).await {
                Ok(_) => {
                    let note = Some("not deleted by Terraform".to_owned());
                    self.report(scope, kind, ResourceState::Deleted, None, note).await?;
                }
                // As in every teardown, the other resources are still attempted.
                Err(StepError::Failed(failure)) => {
                    self.report(scope, kind, ResourceState::Failed, None, None).await?;
                    first_failure.get_or_insert(failure);
                }
                Err(error) => return Err(error),
            }
        }
        let existed: Vec<ResourceKind> =
            self.context.before.existing_resources().map(|resource| resource.kind).collect();
        for kind in existed.into_iter().filter(|kind| !work.gone.contains(kind) && !left.contains(kind)) {
            self.report(scope, kind, ResourceState::Deleted, None, Some("already deleted".to_owned())).await?;
        }
        if let Some(failure) = first_failure {
            return Err(StepError::Failed(failure));
        }
        self.terraform.workspace.forget_state().map_err(failed)?;
        if left.is_empty() {
            scope.progress("no leftovers", None, None).await?;
        }
        Ok(StepDone::Finished)
    }
}
