//! The permissions that CloudFormation operations require, on the stack also for change sets.

use crate::authz::permission::{RequiredPermission, text};
use crate::operation::{ApiCall, IamStore};

/// On the stack; on all if none is named, as with a change set's ARN, which does not contain its stack.
pub(super) fn of_stack(call: &ApiCall<'_>, iam: &IamStore) -> Vec<RequiredPermission> {
    let Some(name) = text(call.input, "StackName") else { return of_all(call, iam) };
    let name = name.split_once(":stack/").map_or(name, |(_, rest)| rest.split('/').next().unwrap_or(rest));
    let (region, account) = (&call.context.region, &call.context.account_id);
    vec![call.permission(format!("arn:aws:cloudformation:{region}:{account}:stack/{name}/*"))]
}

/// On all stacks.
pub(super) fn of_all(call: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    vec![call.permission("*")]
}

/// None, for what only stacks call: the permission to create the stack is enough.
pub(super) fn of_creation(_: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    Vec::new()
}
