//! Request fields that the sandbox does not support: a request that sets one is rejected instead of half obeyed.

use serde_json::Value;

/// The first of these members that is set. Members with empty values, which some clients send, count as not set.
pub(crate) fn first_set<'a>(input: &Value, members: &[&'a str]) -> Option<&'a str> {
    members.iter().copied().find(|member| !is_unset(&input[*member]))
}

fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_unset),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::first_set;

    #[test]
    fn empty_members_count_as_not_set() {
        let found = |input| first_set(&input, &["vpcConfig", "badgeEnabled"]);
        assert_eq!(found(json!({})), None);
        assert_eq!(found(json!({ "vpcConfig": { "vpcId": "", "subnets": [] }, "badgeEnabled": false })), None);
        assert_eq!(found(json!({ "vpcConfig": { "vpcId": "vpc-1" } })), Some("vpcConfig"));
        assert_eq!(found(json!({ "badgeEnabled": true, "other": 1 })), Some("badgeEnabled"));
    }
}
