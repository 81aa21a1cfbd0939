//! Applying what was planned: what is about to be made is told before Terraform makes it, and afterwards what became of it.

use thumbctl_core::engine::{StepDone, StepError, StepScope};
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::address::{PLACES, Place};
use super::follow::{UnderWay, Until, failed};
use super::plan::Stage;
use super::stream::Change;
use super::{TerraformStrategy, Work};

impl TerraformStrategy {
    pub(super) async fn start_apply(&self, stage: Stage, scope: &StepScope) -> Result<StepDone, StepError> {
        let mut work = self.work.lock().await;
        if !work.has_work {
            return Ok(StepDone::AlreadyDone);
        }
        // In the journal before the first call, whatever Terraform comes to call first.
        for kind in self.kinds_made(stage, &work) {
            self.tell(scope, kind, ResourceState::Creating, None, Some("planned".to_owned())).await?;
        }
        if work.removes_function {
            let (kind, names) = (ResourceKind::Function, &self.context.names);
            self.tell(scope, kind, ResourceState::Deleting, None, None).await?;
            self.context.remove(kind, names, scope).await?;
            let note = Some("to be made anew".to_owned());
            self.tell(scope, kind, ResourceState::Deleted, None, note).await?;
            self.tell(scope, kind, ResourceState::Creating, None, Some("planned".to_owned())).await?;
        }
        let plan = self.terraform.workspace.plan_file();
        let process = match self.terraform.start(&["apply", "-json", "-input=false", plan]).await {
            Ok(process) => process,
            Err(failure) => {
                self.tell_unmade(stage, &work, None, scope).await?;
                return Err(StepError::Failed(failure));
            }
        };
        let mut under_way = UnderWay::new("apply", process);
        match self.follow(&mut under_way, Until::ProviderRuns, scope).await {
            Ok(()) => {
                work.under_way = Some(under_way);
                Ok(StepDone::Finished)
            }
            Err(error) => Err(self.applied_badly(error, stage, &work, &under_way, scope).await?),
        }
    }

    pub(super) async fn apply(&self, stage: Stage, scope: &StepScope) -> Result<StepDone, StepError> {
        let mut work = self.work.lock().await;
        let Some(mut under_way) = work.under_way.take() else {
            self.tell_rest_ready(stage, None, &mut work, scope).await?;
            return Ok(StepDone::AlreadyDone);
        };
        match self.follow(&mut under_way, Until::Ended, scope).await {
            Ok(()) => {
                self.terraform.workspace.write_imports(&[]).map_err(failed)?;
                self.tell_rest_ready(stage, Some(&under_way), &mut work, scope).await?;
                Ok(StepDone::Finished)
            }
            Err(error) => Err(self.applied_badly(error, stage, &work, &under_way, scope).await?),
        }
    }

    /// After an apply that failed or was cancelled: what it has not made is told, and no build is left running that nobody
    /// waits for. Answers the error that it ended with.
    async fn applied_badly(
        &self,
        error: StepError,
        stage: Stage,
        work: &Work,
        under_way: &UnderWay,
        scope: &StepScope,
    ) -> Result<StepError, StepError> {
        // What is still at work may still make all of it.
        if matches!(error, StepError::Journal(_)) || under_way.is_running() {
            return Ok(error);
        }
        self.tell_unmade(stage, work, Some(under_way), scope).await?;
        self.terraform.workspace.write_imports(&[]).map_err(failed)?;
        if matches!(error, StepError::Cancelled) {
            // Between the start of a build and the line that says so, nobody else knows of it.
            let project = self.context.name(ResourceKind::BuildProject);
            match self.context.stop_builds(&project, &scope.without_cancellation()).await {
                Err(StepError::Journal(error)) => return Err(StepError::Journal(error)),
                Err(StepError::Failed(failure)) => {
                    scope.warn(format!("whether a build still runs is not known: {failure}")).await?;
                }
                Ok(()) | Err(StepError::Cancelled) => {}
            }
        }
        Ok(error)
    }

    /// The kinds that a plan makes and that were not there before.
    fn kinds_made(&self, stage: Stage, work: &Work) -> Vec<ResourceKind> {
        let stage = work.stage.unwrap_or(stage);
        let is_made = |place: &&Place| {
            let makes = |change: &Change| {
                change.address == place.address && matches!(change.action.as_str(), "create" | "replace")
            };
            let was_ready = self.context.before.is_ready(place.kind) && place.kind != ResourceKind::Image;
            self.is_of(stage, place) && !was_ready && work.planned.iter().any(makes)
        };
        PLACES.iter().filter(is_made).map(|place| place.kind).collect()
    }

    /// After an apply that went well: what it had nothing to do with is there, too.
    async fn tell_rest_ready(
        &self,
        stage: Stage,
        under_way: Option<&UnderWay>,
        work: &mut Work,
        scope: &StepScope,
    ) -> Result<(), StepError> {
        let stage = work.stage.unwrap_or(stage);
        for place in PLACES.iter().filter(|place| self.is_of(stage, place)) {
            let told = under_way.and_then(|under_way| under_way.tale.state_of(place.kind));
            let is_told = told == Some(ResourceState::Ready) || work.ready.contains(&place.kind);
            if !is_told && !self.context.before.is_ready(place.kind) {
                let note = Some("there already".to_owned());
                self.tell(scope, place.kind, ResourceState::Ready, None, note).await?;
            }
            work.ready.insert(place.kind);
        }
        Ok(())
    }

    /// After an apply that did not go well: what it never began is not there, and what it began and did not end is unfinished.
    pub(super) async fn tell_unmade(
        &self,
        stage: Stage,
        work: &Work,
        under_way: Option<&UnderWay>,
        scope: &StepScope,
    ) -> Result<(), StepError> {
        let stood = |kind| self.context.before.resource(kind).is_some_and(|known| known.state.may_exist());
        for kind in self.kinds_made(stage, work).into_iter().filter(|kind| !work.ready.contains(kind)) {
            let told = under_way.and_then(|under_way| under_way.tale.state_of(kind));
            let has_begun = under_way.is_some_and(|under_way| under_way.tale.has_begun(kind));
            if !has_begun && !stood(kind) {
                let note = Some("it was never begun".to_owned());
                self.tell(scope, kind, ResourceState::Deleted, None, note).await?;
            } else if !matches!(told, Some(ResourceState::Ready | ResourceState::Failed | ResourceState::Deleted)) {
                self.tell(scope, kind, ResourceState::Failed, None, Some("unfinished".to_owned())).await?;
            }
        }
        Ok(())
    }
}
