//! [`Caller`]: the signer of a request.

use crate::account::ACCOUNT;
use crate::authz::sessions::Session;

/// Who signed a request.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    Root,
    User { arn: String, id: String },
    Session(Session),
}

impl Caller {
    pub(crate) fn arn(&self) -> String {
        match self {
            Self::Root => root_arn(),
            Self::User { arn, .. } => arn.clone(),
            Self::Session(session) => session.arn(),
        }
    }

    /// AWS's id of the one who calls.
    pub(crate) fn id(&self) -> String {
        match self {
            Self::Root => ACCOUNT.to_owned(),
            Self::User { id, .. } => id.clone(),
            Self::Session(session) => session.id(),
        }
    }
}

/// The account's own ARN.
pub(crate) fn root_arn() -> String {
    format!("arn:aws:iam::{ACCOUNT}:root")
}
