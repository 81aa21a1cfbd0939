//! Taking down: by Terraform what its state has, and whatever is left by direct calls.

use thumbctl_core::engine::{StepDone, StepError, StepScope};
use thumbctl_core::event::Failure;
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::TerraformStrategy;
use super::follow::{UnderWay, Until, failed};
use super::workspace::StateError;
use crate::strategy::{call, leftovers, teardown};

impl TerraformStrategy {
    pub(super) async fn start_destroy(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        // Told by the step that was to make its folder ready.
        if self.work.lock().await.is_unready {
            return Err(StepError::Cancelled);
        }
        let workspace = &self.terraform.workspace;
        match workspace.state() {
            Ok(state) if state.is_empty() => return Ok(StepDone::AlreadyDone),
            Ok(_) => {}
            Err(StateError::Unreadable(error)) => return Err(failed(error)),
            Err(StateError::Damaged) => {
                scope.warn("the state is damaged: it is set aside, and what there is is found by tag").await?;
                workspace.set_state_aside("damaged").map_err(failed)?;
                return Ok(StepDone::AlreadyDone);
            }
        }
        // The stage without the function asks for no image: one that is not there would keep all from being destroyed.
        let arguments = ["destroy", "-json", "-auto-approve", "-input=false", "-var=stage=build"];
        let process = match self.terraform.start(&arguments).await {
            Ok(process) => process,
            Err(failure) => {
                self.work.lock().await.is_unended = true;
                return Err(StepError::Failed(failure));
            }
        };
        let mut under_way = UnderWay::new("destroy", process);
        let mut work = self.work.lock().await;
        let runs = self.follow(&mut under_way, Until::ProviderRuns, scope).await;
        work.is_unended = under_way.is_unended();
        work.has_not_begun = runs.is_err();
        let project = ResourceKind::BuildProject;
        if work.is_unended && runs.is_err() && self.context.before.is_ready(project) {
            // Its builds are gone; it is not, and nobody is about to delete it.
            let note = Some("still there".to_owned());
            self.tell(scope, project, ResourceState::Ready, None, note).await?;
        }
        runs?;
        work.under_way = Some(under_way);
        Ok(StepDone::Finished)
    }

    pub(super) async fn destroy(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let mut work = self.work.lock().await;
        let Some(mut under_way) = work.under_way.take() else {
            return match work.has_not_begun {
                _ if work.is_unended => Err(StepError::Cancelled),
                true => {
                    scope.warn("Terraform could not begin: what is there is removed without it").await?;
                    Ok(StepDone::Finished)
                }
                false => Ok(StepDone::AlreadyDone),
            };
        };
        let ended = self.follow(&mut under_way, Until::Ended, scope).await;
        work.is_unended = under_way.is_unended();
        let is_gone = |kind: &ResourceKind| under_way.tale.state_of(*kind) == Some(ResourceState::Deleted);
        work.gone = ResourceKind::ARCHITECTURE.into_iter().filter(is_gone).collect();
        match ended {
            // A resource that an interrupted apply made and did not record keeps others from being deleted. The next step removes
            // what is there without Terraform, and fails if it cannot.
            Err(StepError::Failed(failure)) if !work.is_unended => {
                let words =
                    format!("Terraform could not destroy everything: the rest is removed without it ({failure})");
                scope.warn(words).await?;
                Ok(StepDone::Finished)
            }
            ended => ended.map(|()| StepDone::Finished),
        }
    }

    /// Removes what Terraform does not know or could not destroy, found by tag and name, and then knows that nothing is left.
    pub(super) async fn remove_leftovers(&self, scope: &StepScope) -> Result<StepDone, StepError> {
        let work = self.work.lock().await;
        if work.is_unended {
            return Err(StepError::Failed(
                Failure::new("nothing was looked for, since Terraform has not ended its work")
                    .with_hint("`thumbctl destroy` again goes on; `thumbctl destroy --purge` does without Terraform"),
            ));
        }
        let names = &self.context.names;
        let found = leftovers::find(&self.context.site, names.deployment()).await.map_err(call::failed)?;
        let (left, others): (Vec<_>, Vec<_>) =
            found.names(names.deployment()).into_iter().partition(|(kind, name)| names.of(*kind) == *name);
        let left: Vec<ResourceKind> = left.into_iter().map(|(kind, _)| kind).collect();
        if !others.is_empty() {
            let others: Vec<String> = others.into_iter().map(|(_, name)| name).collect();
            let words = format!(
                "of an earlier deployment of this name there is still {}; `thumbctl destroy --purge` deletes that",
                others.join(", ")
            );
            scope.warn(words).await?;
        }
        let mut first_failure = None;
        for kind in teardown::order().filter(|kind| left.contains(kind)) {
            scope.progress(format!("{} is left: it is removed", names.of(kind)), None, None).await?;
            self.tell(scope, kind, ResourceState::Deleting, None, None).await?;
            match self.context.remove(kind, names, scope).await {
                Ok(_) => {
                    let note = Some("Terraform has not removed it".to_owned());
                    self.tell(scope, kind, ResourceState::Deleted, None, note).await?;
                }
                // As everywhere in a teardown: the others are tried all the same.
                Err(StepError::Failed(failure)) => {
                    self.tell(scope, kind, ResourceState::Failed, None, None).await?;
                    first_failure.get_or_insert(failure);
                }
                Err(error) => return Err(error),
            }
        }
        let stood: Vec<ResourceKind> = self.context.before.existing_resources().map(|resource| resource.kind).collect();
        for kind in stood.into_iter().filter(|kind| !work.gone.contains(kind) && !left.contains(kind)) {
            self.tell(scope, kind, ResourceState::Deleted, None, Some("already gone".to_owned())).await?;
        }
        if let Some(failure) = first_failure {
            return Err(StepError::Failed(failure));
        }
        self.terraform.workspace.forget_state().map_err(failed)?;
        if left.is_empty() {
            scope.progress("nothing is left", None, None).await?;
        }
        Ok(StepDone::Finished)
    }
}
