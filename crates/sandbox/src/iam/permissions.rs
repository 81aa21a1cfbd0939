//! The permissions that IAM operations require.

use awsim_core::{AccountRegionStore, RequestContext};
use awsim_iam::state::IamState;
use serde_json::Value;

use crate::authz::permission::{RequiredPermission, has_tags, text};
use crate::iam::{OF_CALLER, user_of_key};

pub(crate) fn of_call(
    operation: &str,
    input: &Value,
    context: &RequestContext,
    iam: &AccountRegionStore<IamState>,
) -> Vec<RequiredPermission> {
    let resource = resource(operation, input, context, iam);
    let mut permission = RequiredPermission::new(format!("iam:{operation}"), &resource);
    if let Some(policy) = text(input, "PolicyArn")
        && [
            "AttachRolePolicy",
            "AttachUserPolicy",
            "AttachGroupPolicy",
            "DetachRolePolicy",
            "DetachUserPolicy",
            "DetachGroupPolicy",
        ]
        .contains(&operation)
    {
        permission = permission.with("iam:PolicyARN", policy);
    }
    if let Some(boundary) = text(input, "PermissionsBoundary") {
        permission = permission.with("iam:PermissionsBoundary", boundary);
    }
    let mut permissions = vec![permission];
    if has_tags(&input["Tags"]) {
        let tag = match operation {
            "CreateRole" => Some("iam:TagRole"),
            "CreatePolicy" => Some("iam:TagPolicy"),
            "CreateUser" => Some("iam:TagUser"),
            _ => None,
        };
        permissions.extend(tag.map(|tag| RequiredPermission::new(tag, &resource)));
    }
    permissions
}

/// The member that names the operation's resource. Other members are ignored, so that a superfluous one cannot change the
/// decision.
fn subject(operation: &str) -> Option<&'static str> {
    let has = |word: &str| operation.contains(word);
    Some(match operation {
        "ListGroupsForUser" => "UserName",
        _ if has("Role") => "RoleName",
        _ if has("Group") => "GroupName",
        _ if has("User") || has("AccessKey") || has("LoginProfile") => "UserName",
        _ if has("Policy") || has("Policies") => "PolicyArn",
        _ => return None,
    })
}

/// The resource of a call: a user, role, group or policy, or `*`.
fn resource(operation: &str, input: &Value, context: &RequestContext, iam: &AccountRegionStore<IamState>) -> String {
    let new = |kind: &str, name: &str| {
        let path = text(input, "Path").unwrap_or("/");
        format!("arn:aws:iam::{}:{kind}{path}{name}", context.account_id)
    };
    match (operation, text(input, "PolicyName")) {
        ("CreatePolicy", Some(name)) => return new("policy", name),
        ("ListUsers", _) => return new("user", ""),
        ("ListRoles", _) => return new("role", ""),
        ("ListGroups", _) => return new("group", ""),
        _ => {}
    }
    // The path of an existing role, user or group is in IAM's state.
    let states = iam.iter_all();
    let about = subject(operation);
    let named = |member: &str| text(input, member).filter(|_| about.is_none_or(|about| about == member));
    if let Some(name) = named("RoleName") {
        let found = states.iter().find_map(|(_, state)| state.roles.get(name).map(|role| role.arn.clone()));
        return found.unwrap_or_else(|| new("role", name));
    }
    if let Some(name) = named("GroupName") {
        let found = states.iter().find_map(|(_, state)| state.groups.get(name).map(|group| group.arn.clone()));
        return found.unwrap_or_else(|| new("group", name));
    }
    if let Some(name) = named("UserName") {
        let found = states.iter().find_map(|(_, state)| state.users.get(name).map(|user| user.arn.clone()));
        return found.unwrap_or_else(|| new("user", name));
    }
    if let Some(arn) = named("PolicyArn") {
        return arn.to_owned();
    }
    // Without a user name, the caller is the resource.
    if OF_CALLER.contains(&operation)
        && let Some(user) = user_of_key(iam, context.access_key.as_deref().unwrap_or_default())
    {
        return user.arn;
    }
    "*".to_owned()
}
