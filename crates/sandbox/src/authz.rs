//! Authentication and authorization: signatures, credentials, required permissions, policies.

pub(crate) mod access_control;
pub(crate) mod auth_error;
pub(crate) mod authentication;
pub(crate) mod caller;
pub(crate) mod canonical;
pub(crate) mod conditions;
pub(crate) mod permission;
pub(crate) mod resource_policy;
pub(crate) mod sessions;
pub(crate) mod signature;
pub(crate) mod signature_error;
pub(crate) mod signature_v2;
