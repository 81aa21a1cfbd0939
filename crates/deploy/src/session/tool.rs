//! The session's operations of a strategy's own tool, which is Terraform.

use thumbctl_core::event::{Failure, StrategyKind};
use thumbctl_core::journal::{DeploymentLock, JournalError};
use tokio_util::sync::CancellationToken;

use super::{Session, SessionError};
use crate::strategy::terraform::{RefreshPlan, STATE_FILES};
use crate::strategy::{self, StrategyTools, ToolParts};

impl Session {
    /// What strategies use besides a run's context.
    pub(super) fn tools(&self) -> StrategyTools<'_> {
        StrategyTools { cloud: &self.cloud, settings: &self.settings, dir: self.journal.tool_dir(STATE_FILES) }
    }

    /// Compares settings, state and cloud by the strategy's tool: planned changes and drift; `None` for strategies without
    /// such a tool. Changes nothing in the cloud.
    ///
    /// # Errors
    /// When the tool cannot be used, or the deployment is elsewhere. The tool's own error is the inner `Failure`.
    pub async fn refresh_plan(
        &self,
        cancel: &CancellationToken,
    ) -> Result<Option<Result<RefreshPlan, Failure>>, SessionError> {
        let before = self.deployment()?;
        self.check_origin(&before)?;
        let kind = self.strategy(&before)?;
        let strategy = strategy::of(kind);
        if !strategy.has_tool() {
            return Ok(None);
        }
        // The lock is held for writes only, so that a read-only plan blocks no other process.
        if let Some(lock) = self.lock_if_free()? {
            let prepared = strategy.prepare_tool(self.tools(), cancel).await?;
            drop(lock);
            if let Some(Err(failure)) = prepared {
                return Ok(Some(Err(failure)));
            }
        }
        let context = self.context(kind, (self.names(&before), before));
        Ok(strategy.refresh_plan(&context, self.tools(), cancel).await?)
    }

    /// Prepares a strategy's tool and returns its parts; none if it has no tool.
    ///
    /// # Errors
    /// When the tool cannot be used, or another process has the lock. The tool's own error is the inner `Failure`.
    pub async fn prepare_tool(
        &self,
        strategy: StrategyKind,
        cancel: &CancellationToken,
    ) -> Result<Result<ToolParts, Failure>, SessionError> {
        let strategy = strategy::of(strategy);
        if !strategy.has_tool() {
            return Ok(Ok(Vec::new()));
        }
        let _lock = self.journal.lock()?;
        Ok(strategy.prepare_tool(self.tools(), cancel).await?.unwrap_or_else(|| Ok(Vec::new())))
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
