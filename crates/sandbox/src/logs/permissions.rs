//! The permissions that CloudWatch Logs operations require.

use serde_json::Value;

use crate::authz::permission::{RequiredPermission, has_tags, text};
use crate::operation::{ApiCall, IamStore};

/// On the group's streams, or one of them. AWS checks a group as `GROUP:log-stream:`, which policies ending in `:*` match.
pub(super) fn of_stream(call: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    let stream = text(call.input, "logStreamName").unwrap_or_default();
    vec![call.permission(format!("{}:log-stream:{stream}", group_arn(call)))]
}

/// On the group's own ARN, which only tag operations use.
pub(super) fn of_group(call: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    vec![call.permission(group_arn(call))]
}

/// On a new group, with its tags.
pub(super) fn of_new_group(call: &ApiCall<'_>, iam: &IamStore) -> Vec<RequiredPermission> {
    let mut needs = of_stream(call, iam);
    if has_tags(&call.input["tags"]) {
        needs.push(RequiredPermission::new("logs:TagResource", group_arn(call)));
    }
    needs
}

fn group_arn(&ApiCall { input, context, .. }: &ApiCall<'_>) -> String {
    let named = ["logGroupName", "logGroupIdentifier", "resourceArn"].iter().find_map(|member| text(input, member));
    let several = input["logGroupIdentifiers"].as_array().and_then(|all| all.first()).and_then(Value::as_str);
    let group = named.or(several).unwrap_or("*");
    let group = group.split_once(":log-group:").map_or(group, |(_, name)| name.trim_end_matches(":*"));
    format!("arn:aws:logs:{}:{}:log-group:{group}", context.region, context.account_id)
}
