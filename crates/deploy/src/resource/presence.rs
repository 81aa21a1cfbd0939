//! [`Presence`]: whether a resource exists in the cloud.

use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;

use super::{ResourceContext, of};
use crate::call::call;
use crate::deploy_target::DeployTarget;
use crate::run_context::RunContext;

/// A resource's presence in the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It exists.
    Exists,
    /// It does not exist.
    Missing,
    /// The check failed.
    Unknown(String),
}

impl Presence {
    /// Returns whether it certainly exists.
    pub fn exists(&self) -> bool {
        *self == Self::Exists
    }
}

impl<T> From<Option<T>> for Presence {
    fn from(found: Option<T>) -> Self {
        if found.is_some() { Self::Exists } else { Self::Missing }
    }
}

/// Checks one resource; an error becomes `Presence::Unknown`.
pub async fn presence_or_unknown(target: &DeployTarget, names: &Names, kind: ResourceKind) -> Presence {
    let presence = of(kind).presence(ResourceContext { target, names }).await;
    presence.unwrap_or_else(|error| Presence::Unknown(error.to_string()))
}

/// Checks one resource of a run; transient errors are retried.
///
/// # Errors
/// When the call fails.
pub(crate) async fn presence(run: &RunContext, scope: &StepScope, kind: ResourceKind) -> Result<Presence, StepError> {
    call(scope, &[], || of(kind).presence(run.resources())).await
}

/// Returns whether a resource of a run certainly exists.
///
/// # Errors
/// When the call fails.
pub(crate) async fn exists(run: &RunContext, scope: &StepScope, kind: ResourceKind) -> Result<bool, StepError> {
    Ok(presence(run, scope, kind).await?.exists())
}
