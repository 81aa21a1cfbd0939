//! [`Caller`]: the signer of a request.

use crate::account::ACCOUNT;
use crate::authz::sessions::Session;

/// The signer of a request.
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

    /// The caller's unique id, as on AWS.
    pub(crate) fn id(&self) -> String {
        match self {
            Self::Root => ACCOUNT.to_owned(),
            Self::User { id, .. } => id.clone(),
            Self::Session(session) => session.id(),
        }
    }
}

/// The ARN of the account's root user.
pub(crate) fn root_arn() -> String {
    format!("arn:aws:iam::{ACCOUNT}:root")
}
