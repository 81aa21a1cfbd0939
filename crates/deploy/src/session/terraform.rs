//! The session's Terraform operations.

use thumbctl_core::event::{Failure, StrategyKind};
use thumbctl_core::journal::{DeploymentLock, JournalError};
use tokio_util::sync::CancellationToken;

use super::{Session, SessionError};
use crate::strategy::terraform::STATE_FILES;
use crate::strategy::terraform::{RefreshPlan, Terraform, refresh_plan};

impl Session {
    /// Terraform, if the strategy needs it.
    pub(super) async fn terraform(&self, strategy: StrategyKind) -> Result<Option<Terraform>, SessionError> {
        if strategy != StrategyKind::Terraform {
            return Ok(None);
        }
        let dir = self.journal.tool_dir(STATE_FILES);
        Ok(Some(Terraform::find(&self.settings.terraform, &self.cloud, dir).await?))
    }

    /// Runs a Terraform plan: planned changes and drift; `None` for other strategies. Changes
    /// nothing in the cloud.
    ///
    /// # Errors
    /// When Terraform cannot be used, or the deployment is elsewhere. Terraform's own error is the inner `Failure`.
    pub async fn refresh_plan(
        &self,
        cancel: &CancellationToken,
    ) -> Result<Option<Result<RefreshPlan, Failure>>, SessionError> {
        let before = self.deployment()?;
        self.check_origin(&before)?;
        let strategy = self.strategy(&before)?;
        let Some(terraform) = self.terraform(strategy).await? else { return Ok(None) };
        // The lock is held for writes only, so that a read-only plan blocks no other process.
        let prepared = match self.lock_if_free()? {
            Some(lock) => {
                let prepared = terraform.prepare_folder(cancel).await;
                drop(lock);
                prepared.map(drop)
            }
            None => Ok(()),
        };
        if let Err(failure) = prepared {
            return Ok(Some(Err(failure)));
        }
        let about = (&self.names(&before), before.has_resources());
        Ok(Some(refresh_plan(&terraform, about, &self.target(), cancel).await))
    }

    /// Prepares Terraform's folder and returns its providers, by address and version.
    ///
    /// # Errors
    /// When Terraform cannot be used, or another process has the lock. Terraform's own error is the inner `Failure`.
    pub async fn prepare_terraform(
        &self,
        cancel: &CancellationToken,
    ) -> Result<Result<Vec<(String, String)>, Failure>, SessionError> {
        let Some(terraform) = self.terraform(StrategyKind::Terraform).await? else { return Ok(Ok(Vec::new())) };
        let _lock = self.journal.lock()?;
        Ok(terraform.prepare_folder(cancel).await)
    }

    /// The deployment's lock; `None` if another process holds it.
    fn lock_if_free(&self) -> Result<Option<DeploymentLock>, SessionError> {
        match self.journal.lock() {
            Ok(lock) => Ok(Some(lock)),
            Err(JournalError::Locked { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
