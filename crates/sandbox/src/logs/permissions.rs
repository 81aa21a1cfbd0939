//! The permissions that CloudWatch Logs operations require.

use awsim_core::RequestContext;
use serde_json::Value;

use crate::authz::permission::{RequiredPermission, has_tags, text};

pub(crate) fn of_call(operation: &str, input: &Value, context: &RequestContext) -> Vec<RequiredPermission> {
    let named = ["logGroupName", "logGroupIdentifier", "resourceArn"].iter().find_map(|member| text(input, member));
    let several = input["logGroupIdentifiers"].as_array().and_then(|all| all.first()).and_then(Value::as_str);
    let group = named.or(several).unwrap_or("*");
    let group = group.split_once(":log-group:").map_or(group, |(_, name)| name.trim_end_matches(":*"));
    let group = format!("arn:aws:logs:{}:{}:log-group:{group}", context.region, context.account_id);
    // AWS checks a group as `GROUP:log-stream:`, which policies ending in `:*` match; only tag operations use the group's
    // own ARN.
    let resource = match operation {
        "TagResource" | "UntagResource" | "ListTagsForResource" => group.clone(),
        _ => format!("{group}:log-stream:{}", text(input, "logStreamName").unwrap_or_default()),
    };
    let mut needs = vec![RequiredPermission::new(format!("logs:{operation}"), resource)];
    if operation == "CreateLogGroup" && has_tags(&input["tags"]) {
        needs.push(RequiredPermission::new("logs:TagResource", group));
    }
    needs
}
