//! [`RequiredPermission`]: an action on a resource that policies must allow for a call.

use std::collections::HashMap;

use awsim_core::ContextValue;
use serde_json::Value;

/// An action on a resource, and what its conditions may ask about it.
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

    /// The bucket that it is about, where it is one of S3's.
    pub(crate) fn bucket(&self) -> Option<&str> {
        self.resource.strip_prefix("arn:aws:s3:::")?.split('/').next()
    }

    /// Handing a role over to a service.
    pub(crate) fn pass_role(role: &str, service: &str) -> Self {
        Self::new("iam:PassRole", role).with("iam:PassedToService", service)
    }
}

/// A member that is a text.
pub(crate) fn text<'a>(input: &'a Value, member: &str) -> Option<&'a str> {
    input[member].as_str().filter(|text| !text.is_empty())
}

/// Whether a call brings tags: tagging while creating needs the permission to tag.
pub(crate) fn has_tags(tags: &Value) -> bool {
    match tags {
        Value::Array(tags) => !tags.is_empty(),
        Value::Object(tags) => !tags.is_empty(),
        _ => false,
    }
}
