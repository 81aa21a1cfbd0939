//! What a request may say and the sandbox would not heed: to take it and do nothing about it would be to pretend.

use serde_json::Value;

/// The first of these members that asks for something. Clients send empty ones too, for what nobody has asked for.
pub(crate) fn first_set<'a>(input: &Value, members: &[&'a str]) -> Option<&'a str> {
    members.iter().copied().find(|member| !says_nothing(&input[*member]))
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(says_nothing),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::first_set;

    #[test]
    fn what_is_empty_asks_for_nothing() {
        let asked = |input| first_set(&input, &["vpcConfig", "badgeEnabled"]);
        assert_eq!(asked(json!({})), None);
        assert_eq!(asked(json!({ "vpcConfig": { "vpcId": "", "subnets": [] }, "badgeEnabled": false })), None);
        assert_eq!(asked(json!({ "vpcConfig": { "vpcId": "vpc-1" } })), Some("vpcConfig"));
        assert_eq!(asked(json!({ "badgeEnabled": true, "other": 1 })), Some("badgeEnabled"));
    }
}
