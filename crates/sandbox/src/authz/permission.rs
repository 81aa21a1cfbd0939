//! [`RequiredPermission`]: an action on a resource that a call requires.

use std::collections::HashMap;

use awsim_core::ContextValue;
use serde_json::Value;

/// An action on a resource, with its condition keys.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RequiredPermission {
    pub action: String,
    pub resource: String,
    pub conditions: HashMap<String, ContextValue>,
}

impl RequiredPermission {
    pub(crate) fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), conditions: HashMap::new() }
    }

    pub(crate) fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.conditions.insert(key.to_owned(), ContextValue::String(value.into()));
        self
    }

    /// The bucket of the resource, if it belongs to S3.
    pub(crate) fn bucket(&self) -> Option<&str> {
        self.resource.strip_prefix("arn:aws:s3:::")?.split('/').next()
    }

    /// The permission to pass a role to a service.
    pub(crate) fn pass_role(role: &str, service: &str) -> Self {
        Self::new("iam:PassRole", role).with("iam:PassedToService", service)
    }
}

/// A non-empty string member.
pub(crate) fn text<'a>(input: &'a Value, member: &str) -> Option<&'a str> {
    input[member].as_str().filter(|text| !text.is_empty())
}

/// Whether there are tags, which require the permission to tag on creation.
pub(crate) fn has_tags(tags: &Value) -> bool {
    match tags {
        Value::Array(tags) => !tags.is_empty(),
        Value::Object(tags) => !tags.is_empty(),
        _ => false,
    }
}
