//! The permissions that each call requires: its actions, each on its resource.
//!
//! Most operations require the action of the same name. The exceptions are in each service's `permissions.rs`.

#[cfg(test)]
mod tests;

use awsim_core::{AccountRegionStore, RequestContext};
use awsim_iam::state::IamState;
use serde_json::Value;

use crate::authz::permission::RequiredPermission;

/// The permissions that a call requires. `iam` holds the paths of roles and users.
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
        // sts.rs decides on AssumeRole by the trust policy. GetCallerIdentity and GetSessionToken require no permission.
        "sts" => Vec::new(),
        other => vec![RequiredPermission::new(format!("{other}:{operation}"), "*")],
    }
}
