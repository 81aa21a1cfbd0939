//! Applies the plan: reports resources before Terraform creates them, and their states afterwards.

use thumbctl_core::engine::{StepDone, StepError, StepScope};
use thumbctl_core::resource::{ResourceKind, ResourceState};

use super::address::AddressMapping;
use super::follow::{TerraformRun, Until, failed};
use super::plan::Stage;
use super::stream::Change;
use super::{SharedState, TerraformRunner};
use crate::resource::stop_builds;

impl TerraformRunner {
    pub(super) async fn start_apply(&self, stage: Stage, scope: &StepScope) -> Result<StepDone, StepError> {
        let mut work = self.state.lock().await;
        if !work.has_work {
            return Ok(StepDone::AlreadyDone);
        }
        // Journaled before the first call, whichever resource Terraform creates first.
        for kind in self.kinds_made(stage, &work) {
            self.report(scope, kind, ResourceState::Creating, None, Some("planned".to_owned())).await?;
        }
        if work.removes_function {
            let (kind, names) = (ResourceKind::Function, &self.context.names);
            self.report(scope, kind, ResourceState::Deleting, None, None).await?;
            self.context.delete(kind, names, scope).await?;
            let note = Some("to be recreated".to_owned());
            self.report(scope, kind, ResourceState::Deleted, None, note).await?;
            self.report(scope, kind, ResourceState::Creating, None, Some("planned".to_owned())).await?;
        }
        let plan = self.terraform.workspace.plan_file();
        let process = match self.terraform.start(&["apply", "-json", "-input=false", plan]).await {
            Ok(process) => process,
            Err(failure) => {
                self.report_uncreated(stage, &work, None, scope).await?;
                return Err(StepError::Failed(failure));
            }
        };
        let mut run = TerraformRun::new("apply", process);
        match self.follow(&mut run, Until::ProviderRuns, scope).await {
            Ok(()) => {
                work.run = Some(run);
                Ok(StepDone::Finished)
            }
            Err(error) => Err(self.after_failed_apply(error, stage, &work, &run, scope).await?),
        }
    }

    pub(super) async fn apply(&self, stage: Stage, scope: &StepScope) -> Result<StepDone, StepError> {
        let mut work = self.state.lock().await;
        let Some(mut run) = work.run.take() else {
            self.report_rest_ready(stage, None, &mut work, scope).await?;
            return Ok(StepDone::AlreadyDone);
        };
        match self.follow(&mut run, Until::Ended, scope).await {
            Ok(()) => {
                self.terraform.workspace.write_imports(&[]).map_err(failed)?;
                self.report_rest_ready(stage, Some(&run), &mut work, scope).await?;
                Ok(StepDone::Finished)
            }
            Err(error) => Err(self.after_failed_apply(error, stage, &work, &run, scope).await?),
        }
    }

    /// After a failed or cancelled apply: reports what was not created, and stops a build that nothing
    /// awaits. Returns the apply's error.
    async fn after_failed_apply(
        &self,
        error: StepError,
        stage: Stage,
        work: &SharedState,
        run: &TerraformRun,
        scope: &StepScope,
    ) -> Result<StepError, StepError> {
        // A running Terraform may still create all of it.
        if matches!(error, StepError::Journal(_)) || run.is_running() {
            return Ok(error);
        }
        self.report_uncreated(stage, work, Some(run), scope).await?;
        self.terraform.workspace.write_imports(&[]).map_err(failed)?;
        if matches!(error, StepError::Cancelled) {
            // Between the start of a build and its output line, only CodeBuild has its id.
            let project = self.context.name(ResourceKind::BuildProject);
            match stop_builds(&self.context.target, &project, &scope.without_cancellation()).await {
                Err(StepError::Journal(error)) => return Err(StepError::Journal(error)),
                Err(StepError::Failed(failure)) => {
                    scope.warn(format!("cannot check for a running build: {failure}")).await?;
                }
                Ok(()) | Err(StepError::Cancelled) => {}
            }
        }
        Ok(error)
    }

    /// The kinds that a plan creates and that did not exist before.
    fn kinds_made(&self, stage: Stage, work: &SharedState) -> Vec<ResourceKind> {
        let stage = work.stage.unwrap_or(stage);
        let is_created = |mapping: &AddressMapping| {
            let creates = |change: &Change| {
                change.address == mapping.terraform.address && matches!(change.action.as_str(), "create" | "replace")
            };
            let was_ready = self.context.before.is_ready(mapping.kind) && mapping.kind != ResourceKind::Image;
            self.is_of(stage, mapping) && !was_ready && work.planned.iter().any(creates)
        };
        AddressMapping::all().filter(is_created).map(|mapping| mapping.kind).collect()
    }

    /// After a successful apply: reports unchanged resources as ready, too.
    async fn report_rest_ready(
        &self,
        stage: Stage,
        run: Option<&TerraformRun>,
        work: &mut SharedState,
        scope: &StepScope,
    ) -> Result<(), StepError> {
        let stage = work.stage.unwrap_or(stage);
        for mapping in AddressMapping::all().filter(|mapping| self.is_of(stage, mapping)) {
            let reported = run.and_then(|run| run.reducer.state_of(mapping.kind));
            let is_reported = reported == Some(ResourceState::Ready) || work.ready.contains(&mapping.kind);
            if !is_reported && !self.context.before.is_ready(mapping.kind) {
                let note = Some("already exists".to_owned());
                self.report(scope, mapping.kind, ResourceState::Ready, None, note).await?;
            }
            work.ready.insert(mapping.kind);
        }
        Ok(())
    }

    /// After an unsuccessful apply: reports what was not started as deleted, and what was not completed as failed.
    pub(super) async fn report_uncreated(
        &self,
        stage: Stage,
        work: &SharedState,
        run: Option<&TerraformRun>,
        scope: &StepScope,
    ) -> Result<(), StepError> {
        let existed = |kind| self.context.before.resource(kind).is_some_and(|known| known.state.may_exist());
        for kind in self.kinds_made(stage, work).into_iter().filter(|kind| !work.ready.contains(kind)) {
            let reported = run.and_then(|run| run.reducer.state_of(kind));
            let has_started = run.is_some_and(|run| run.reducer.has_started(kind));
            if !has_started && !existed(kind) {
                let note = Some("never started".to_owned());
                self.report(scope, kind, ResourceState::Deleted, None, note).await?;
            } else if !matches!(reported, Some(ResourceState::Ready | ResourceState::Failed | ResourceState::Deleted)) {
                self.report(scope, kind, ResourceState::Failed, None, Some("unfinished".to_owned())).await?;
            }
        }
        Ok(())
    }
}
