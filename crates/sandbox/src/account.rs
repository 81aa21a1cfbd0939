//! The one account of the sandbox.

/// Its number.
pub(crate) const ACCOUNT: &str = "000000000000";
