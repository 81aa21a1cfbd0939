//! CloudFormation: everything is decided on the stack, change sets too.

use awsim_core::RequestContext;
use serde_json::Value;

use crate::authz::permission::{RequiredPermission, text};

pub(crate) fn of_call(operation: &str, input: &Value, context: &RequestContext) -> Vec<RequiredPermission> {
    let action = format!("cloudformation:{operation}");
    // Nobody calls these but stacks: whoever may make a stack may make its macros.
    if matches!(operation, "RegisterMacro" | "DeregisterMacro") {
        return Vec::new();
    }
    // A template is nobody's, a list is everybody's. A summary may be that of a stack's.
    if matches!(operation, "ListStacks" | "ValidateTemplate") {
        return vec![RequiredPermission::new(action, "*")];
    }
    let on = |name: &str| {
        let name = name.split_once(":stack/").map_or(name, |(_, rest)| rest.split('/').next().unwrap_or(rest));
        format!("arn:aws:cloudformation:{}:{}:stack/{name}/*", context.region, context.account_id)
    };
    match text(input, "StackName") {
        Some(name) => vec![RequiredPermission::new(action, on(name))],
        // A change set by its ARN, which does not tell its stack; or all stacks.
        None => vec![RequiredPermission::new(action, "*")],
    }
}
