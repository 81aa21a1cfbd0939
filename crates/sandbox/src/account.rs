//! The sandbox's AWS account.

/// The account number.
pub(crate) const ACCOUNT: &str = "000000000000";
