//! The types of resources that stacks can be made of: their properties and attributes, and how one is made, changed and
//! deleted through the sandbox's services. One file a service.

mod bucket_settings;
mod call;
mod cloudformation;
mod codebuild;
mod ecr;
mod iam;
mod lambda;
mod logs;
mod properties;
mod s3;
mod shape;
mod table;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use serde_json::{Map, Value};

pub(crate) use table::resource_type;

/// A type of resource.
pub(crate) struct ResourceType {
    /// `AWS::S3::Bucket`.
    pub name: &'static str,
    /// Its properties that can be set.
    pub properties: &'static [Property],
    /// What `Fn::GetAtt` can ask of it.
    pub attributes: &'static [&'static str],
    /// The property that names it, if a template may choose the name: IAM's make CAPABILITY_NAMED_IAM necessary.
    pub name_property: Option<&'static str>,
    /// How it is made, changed and deleted.
    pub provider: &'static dyn Provider,
}

/// A property of a type.
pub(crate) struct Property {
    /// Its name.
    pub name: &'static str,
    /// Whether a resource must have it.
    pub required: bool,
    /// Whether a change of it makes the resource anew.
    pub replaces: bool,
    /// The properties below it (of the object, or of each object of the list); empty where anything may stand.
    pub below: &'static [Property],
}

impl Property {
    const fn optional(name: &'static str) -> Self {
        Self { name, required: false, replaces: false, below: &[] }
    }

    const fn required(name: &'static str) -> Self {
        Self { name, required: true, replaces: false, below: &[] }
    }

    const fn replacing(self) -> Self {
        Self { replaces: true, ..self }
    }

    const fn with(self, below: &'static [Property]) -> Self {
        Self { below, ..self }
    }
}

/// Who asks, and where.
pub(crate) struct Workplace<'a> {
    /// The sandbox's services.
    pub services: &'a crate::sandbox::services::Services,
    /// S3, which is not one of them.
    pub s3: &'a crate::sandbox::s3::S3,
    /// The stack's region.
    pub region: &'a str,
    /// The access key of who works on the stack: what that one may not do, CloudFormation may not do either. Nobody's for
    /// the house itself.
    pub access_key: Option<&'a str>,
    /// The stack's name, from which names are made that a template does not give.
    pub stack_name: &'a str,
    /// The stack's ARN.
    pub stack_id: &'a str,
    /// The resource's logical id.
    pub logical_id: &'a str,
    /// The stack's own tags, those that begin with `aws:cloudformation:` included: they go on what can carry tags.
    pub tags: &'a [(String, String)],
}

/// A resource that was made.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Made {
    /// Its physical id.
    pub physical_id: String,
    /// What `Ref` gives, where that is not the physical id.
    pub reference: Option<String>,
    /// Its attributes, by their names.
    pub attributes: Map<String, Value>,
}

/// Why a resource cannot be made, changed or deleted: CloudFormation's status reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub String);

/// Makes, changes and deletes the resources of a type. `properties` are resolved, without anything that has no value.
#[async_trait]
pub(crate) trait Provider: Send + Sync {
    /// The physical id that a resource will have, as far as it can be known before the call.
    fn physical_id(&self, place: &Workplace<'_>, properties: &Value) -> String;
    /// Makes it. After this it is configured, though not yet usable everywhere.
    async fn create(&self, place: &Workplace<'_>, properties: &Value) -> Result<Made, Refused>;
    /// Waits until it is usable: a function until it is active. Its attributes may have changed.
    async fn stabilise(&self, place: &Workplace<'_>, made: &Made) -> Result<(), Refused>;
    /// Changes what can be changed in place.
    async fn update(&self, place: &Workplace<'_>, made: &Made, before: &Value, after: &Value) -> Result<Made, Refused>;
    /// Deletes it; one that is gone already is deleted.
    async fn delete(&self, place: &Workplace<'_>, made: &Made, properties: &Value) -> Result<(), Refused>;
}
