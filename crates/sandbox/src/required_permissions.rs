//! What policies must allow for a call: for each operation its actions, each on its resource.
//!
//! The operation and its action mostly have one name; where AWS has another, or wants more than one, the service's
//! `permissions.rs` says so.

#[cfg(test)]
mod tests;

use awsim_core::{AccountRegionStore, RequestContext};
use awsim_iam::state::IamState;
use serde_json::Value;

use crate::authz::permission::RequiredPermission;

/// What a call needs; `iam` has the roles' and users' paths, which their names do not tell.
pub(crate) fn of_call(
    service: &str,
    operation: &str,
    input: &Value,
    context: &RequestContext,
    iam: &AccountRegionStore<IamState>,
) -> Vec<RequiredPermission> {
    match service {
        "cloudformation" => crate::cloudformation::permissions::of_call(operation, input, context),
        "codebuild" => crate::codebuild::permissions::of_call(operation, input, context),
        "ecr" => crate::ecr::permissions::of_call(operation, input, context),
        "iam" => crate::iam::permissions::of_call(operation, input, context, iam),
        "lambda" => crate::lambda::permissions::of_call(operation, input, context),
        "logs" => crate::logs::permissions::of_call(operation, input, context),
        // AssumeRole is decided by the role's trust policy together with the caller's own policies: see sts.rs. Who one
        // is, and a session token for oneself, nobody is refused.
        "sts" => Vec::new(),
        other => vec![RequiredPermission::new(format!("{other}:{operation}"), "*")],
    }
}
