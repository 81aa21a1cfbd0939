//! What a template says: read, checked, bound to parameters, resolved. Pure: no call, no clock.

use serde_json::Value;

/// Why a template, or what is asked of it, is refused; the text is what CloudFormation says in its `ValidationError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct TemplateError(pub String);

/// What is known of resources that are made: what `Ref` and `Fn::GetAtt` of them stand for.
pub(crate) trait Known {
    /// What `Ref` stands for: the physical id, or what the type's documentation says instead.
    fn reference(&self, logical_id: &str) -> Option<String>;
    /// What `Fn::GetAtt` stands for.
    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value>;
}
