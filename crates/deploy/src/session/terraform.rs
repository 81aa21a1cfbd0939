//! What of a session has to do with Terraform.

use thumbctl_core::event::{Failure, StrategyKind};
use thumbctl_core::journal::{DeploymentLock, JournalError};
use tokio_util::sync::CancellationToken;

use super::{Session, SessionError};
use crate::strategy::terraform::STATE_FILES;
use crate::strategy::terraform::{Look, Terraform, look};

impl Session {
    /// Terraform, where the strategy needs it.
    pub(super) async fn terraform(&self, strategy: StrategyKind) -> Result<Option<Terraform>, SessionError> {
        if strategy != StrategyKind::Terraform {
            return Ok(None);
        }
        let dir = self.journal.tool_dir(STATE_FILES);
        Ok(Some(Terraform::find(&self.settings.terraform, &self.cloud, dir).await?))
    }

    /// Has Terraform say what it would do, and what is not as its state has it; none where the strategy is another. Changes
    /// nothing in the cloud.
    ///
    /// # Errors
    /// When Terraform cannot be used, or the deployment was made elsewhere. What Terraform itself says is a failure in words.
    pub async fn look(&self, cancel: &CancellationToken) -> Result<Option<Result<Look, Failure>>, SessionError> {
        let before = self.deployment()?;
        self.check_origin(&before)?;
        let strategy = self.strategy(&before)?;
        let Some(terraform) = self.terraform(strategy).await? else { return Ok(None) };
        // Held only while something is written: whoever only looks is in nobody's way.
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
        Ok(Some(look(&terraform, about, &self.site(), cancel).await))
    }

    /// Has Terraform's folder ready, and says with which providers, by address and version.
    ///
    /// # Errors
    /// When Terraform cannot be used, or somebody works on the deployment. What Terraform itself says is a failure in words.
    pub async fn prepare_terraform(
        &self,
        cancel: &CancellationToken,
    ) -> Result<Result<Vec<(String, String)>, Failure>, SessionError> {
        let Some(terraform) = self.terraform(StrategyKind::Terraform).await? else { return Ok(Ok(Vec::new())) };
        let _lock = self.journal.lock()?;
        Ok(terraform.prepare_folder(cancel).await)
    }

    /// The deployment's lock; none where somebody works on it.
    fn lock_if_free(&self) -> Result<Option<DeploymentLock>, SessionError> {
        match self.journal.lock() {
            Ok(lock) => Ok(Some(lock)),
            Err(JournalError::Locked { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
