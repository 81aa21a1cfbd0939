//! The permissions that CloudFormation operations require, on the stack also for change sets.

use awsim_core::RequestContext;
use serde_json::Value;

use crate::authz::permission::{RequiredPermission, text};

pub(crate) fn of_call(operation: &str, input: &Value, context: &RequestContext) -> Vec<RequiredPermission> {
    let action = format!("cloudformation:{operation}");
    // Only stacks call these: the permission to create the stack is enough.
    if matches!(operation, "RegisterMacro" | "DeregisterMacro") {
        return Vec::new();
    }
    // These have no stack.
    if matches!(operation, "ListStacks" | "ValidateTemplate") {
        return vec![RequiredPermission::new(action, "*")];
    }
    let on = |name: &str| {
        let name = name.split_once(":stack/").map_or(name, |(_, rest)| rest.split('/').next().unwrap_or(rest));
        format!("arn:aws:cloudformation:{}:{}:stack/{name}/*", context.region, context.account_id)
    };
    match text(input, "StackName") {
        Some(name) => vec![RequiredPermission::new(action, on(name))],
        // A change set by its ARN, which does not contain its stack; or all stacks.
        None => vec![RequiredPermission::new(action, "*")],
    }
}
