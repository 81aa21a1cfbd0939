//! The permissions that IAM operations require. Each is on what one member names; others are ignored, so that a
//! superfluous one cannot change the decision.

use crate::authz::permission::{RequiredPermission, has_tags, text};
use crate::iam::user_of_key;
use crate::operation::{ApiCall, IamStore};

/// On everything.
pub(super) fn of_all(call: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    on(call, "*")
}

/// On the user.
pub(super) fn of_user(call: &ApiCall<'_>, iam: &IamStore) -> Vec<RequiredPermission> {
    on(call, &user(call, iam))
}

/// On the user, by default the caller.
pub(super) fn of_caller(call: &ApiCall<'_>, iam: &IamStore) -> Vec<RequiredPermission> {
    let key = call.context.access_key.as_deref().unwrap_or_default();
    let caller = || user_of_key(iam, key).map(|user| user.arn);
    let caller = if text(call.input, "UserName").is_none() { caller() } else { None };
    on(call, &caller.unwrap_or_else(|| user(call, iam)))
}

/// On the group.
pub(super) fn of_group(call: &ApiCall<'_>, iam: &IamStore) -> Vec<RequiredPermission> {
    on(call, &group(call, iam))
}

/// On the role.
pub(super) fn of_role(call: &ApiCall<'_>, iam: &IamStore) -> Vec<RequiredPermission> {
    on(call, &role(call, iam))
}

/// On the policy.
pub(super) fn of_policy(call: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    on(call, text(call.input, "PolicyArn").unwrap_or("*"))
}

/// On a resource that the call may give a permissions boundary, which is a condition key.
pub(super) fn on(call: &ApiCall<'_>, resource: &str) -> Vec<RequiredPermission> {
    vec![with_member(call.permission(resource), "iam:PermissionsBoundary", call, "PermissionsBoundary")]
}

/// On a resource, with the attached policy as a condition key.
pub(super) fn attaching(call: &ApiCall<'_>, resource: &str) -> Vec<RequiredPermission> {
    let permissions = on(call, resource).into_iter();
    permissions.map(|permission| with_member(permission, "iam:PolicyARN", call, "PolicyArn")).collect()
}

fn with_member(permission: RequiredPermission, key: &str, call: &ApiCall<'_>, member: &str) -> RequiredPermission {
    match text(call.input, member) {
        Some(value) => permission.with(key, value),
        None => permission,
    }
}

/// On a new resource, and with tags the action to tag it.
pub(super) fn creating(call: &ApiCall<'_>, resource: &str, tag: &str) -> Vec<RequiredPermission> {
    let mut permissions = on(call, resource);
    permissions.extend(has_tags(&call.input["Tags"]).then(|| RequiredPermission::new(tag, resource)));
    permissions
}

/// The ARN of a new resource, or of all of its kind.
pub(super) fn arn(call: &ApiCall<'_>, kind: &str, name: &str) -> String {
    let path = text(call.input, "Path").unwrap_or("/");
    format!("arn:aws:iam::{}:{kind}{path}{name}", call.context.account_id)
}

// The path of an existing user, group or role is in IAM's state.

pub(super) fn user(call: &ApiCall<'_>, iam: &IamStore) -> String {
    let Some(name) = text(call.input, "UserName") else { return "*".to_owned() };
    let found = iam.iter_all().iter().find_map(|(_, state)| state.users.get(name).map(|user| user.arn.clone()));
    found.unwrap_or_else(|| arn(call, "user", name))
}

pub(super) fn group(call: &ApiCall<'_>, iam: &IamStore) -> String {
    let Some(name) = text(call.input, "GroupName") else { return "*".to_owned() };
    let found = iam.iter_all().iter().find_map(|(_, state)| state.groups.get(name).map(|group| group.arn.clone()));
    found.unwrap_or_else(|| arn(call, "group", name))
}

pub(super) fn role(call: &ApiCall<'_>, iam: &IamStore) -> String {
    let Some(name) = text(call.input, "RoleName") else { return "*".to_owned() };
    let found = iam.iter_all().iter().find_map(|(_, state)| state.roles.get(name).map(|role| role.arn.clone()));
    found.unwrap_or_else(|| arn(call, "role", name))
}
