//! What policies must allow for a call: for each operation its actions, each on its resource.
//!
//! The operation and its action mostly have one name; where AWS has another, or wants more than one, its service's file
//! here says so.

mod cloudformation;
mod codebuild;
mod ecr;
mod iam;
mod lambda;
mod logs;
mod s3;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use awsim_core::{AccountRegionStore, ContextValue, RequestContext};
use awsim_iam::state::IamState;
use serde_json::Value;

pub(crate) use ecr::{Door, of_registry};
pub(crate) use s3::{delete_object, list_bucket, of_s3};

/// An action on a resource, and what its conditions may ask about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Need {
    pub action: String,
    pub resource: String,
    pub conditions: HashMap<String, ContextValue>,
}

impl Need {
    pub(crate) fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), conditions: HashMap::new() }
    }

    fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.conditions.insert(key.to_owned(), ContextValue::String(value.into()));
        self
    }

    /// The bucket that it is about, where it is one of S3's.
    pub(crate) fn bucket(&self) -> Option<&str> {
        self.resource.strip_prefix("arn:aws:s3:::")?.split('/').next()
    }

    /// Handing a role over to a service.
    fn pass_role(role: &str, service: &str) -> Self {
        Self::new("iam:PassRole", role).with("iam:PassedToService", service)
    }
}

/// What a call needs; `iam` has the roles' and users' paths, which their names do not tell.
pub(crate) fn of_call(
    service: &str,
    operation: &str,
    input: &Value,
    context: &RequestContext,
    iam: &AccountRegionStore<IamState>,
) -> Vec<Need> {
    match service {
        "cloudformation" => cloudformation::needs(operation, input, context),
        "codebuild" => codebuild::needs(operation, input, context),
        "ecr" => ecr::needs(operation, input, context),
        "iam" => iam::needs(operation, input, context, iam),
        "lambda" => lambda::needs(operation, input, context),
        "logs" => logs::needs(operation, input, context),
        // AssumeRole is decided by the role's trust policy together with the caller's own policies: see sts.rs. Who one
        // is, and a session token for oneself, nobody is refused.
        "sts" => Vec::new(),
        other => vec![Need::new(format!("{other}:{operation}"), "*")],
    }
}

/// A member that is a text.
fn text<'a>(input: &'a Value, member: &str) -> Option<&'a str> {
    input[member].as_str().filter(|text| !text.is_empty())
}

/// Whether a call brings tags: tagging while creating needs the permission to tag.
fn has_tags(tags: &Value) -> bool {
    match tags {
        Value::Array(tags) => !tags.is_empty(),
        Value::Object(tags) => !tags.is_empty(),
        _ => false,
    }
}
