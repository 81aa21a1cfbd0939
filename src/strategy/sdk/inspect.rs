//! How a resource is really configured: asks the cloud, changes nothing.

use crate::resource::ResourceKind;

/// A resource as the cloud describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// What it is.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Its ARN, if it has one.
    pub arn: Option<String>,
    /// Its configuration, label and value.
    pub settings: Vec<(String, String)>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// Policy documents that belong to it, each with what it is for.
    pub documents: Vec<(String, serde_json::Value)>,
}
