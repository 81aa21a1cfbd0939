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
use tokio_util::sync::CancellationToken;

pub(crate) use table::resource_type;

/// A type of resource.
pub(crate) struct ResourceType {
    /// `AWS::S3::Bucket`.
    pub name: &'static str,
    /// Its properties that can be set.
    pub properties: &'static [Property],
    /// What `Fn::GetAtt` can ask of it.
    pub attributes: &'static [&'static str],
    /// Whether what depends on it can begin as soon as it is configured, before it is known everywhere: a function has to
    /// be active first.
    pub early: bool,
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

impl ResourceType {
    /// Whether the stack's own tags go on it.
    pub(crate) fn carries_tags(&self) -> bool {
        self.properties.iter().any(|property| property.name == "Tags")
    }

    /// Whether this change of properties makes a resource anew.
    pub(crate) fn replaces(&self, before: &Value, after: &Value) -> bool {
        self.properties.iter().any(|own| own.replaces && before[own.name] != after[own.name])
    }
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
pub(crate) struct HandlerContext<'a> {
    /// The sandbox's services.
    pub services: &'a crate::service_registry::ServiceRegistry,
    /// S3, which is not one of them.
    pub s3: &'a crate::s3::S3,
    /// The stack's region.
    pub region: &'a str,
    /// The access key of who works on the stack: what that one may not do, CloudFormation may not do either. Nobody's for
    /// the house itself.
    pub access_key: Option<&'a str>,
    /// The stack's name, from which names are made that a template does not give.
    pub stack_name: &'a str,
    /// The resource's logical id.
    pub logical_id: &'a str,
    /// The part of made-up names that nothing else has: drawn and kept before the call, so that a sandbox that ends in the
    /// middle of it knows afterwards what to look for.
    pub chance: &'a str,
    /// The stack's own tags, those that begin with `aws:cloudformation:` included: they go on what can carry tags.
    pub tags: &'a [(String, String)],
    /// The stack's tags that the resource has had so far.
    pub former_tags: &'a [(String, String)],
    /// When to stop.
    pub stop: &'a Stop,
}

/// Why a resource's handler is to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    /// At once: nothing further is called, and nothing said. Whoever goes on with the stack goes on from what is kept.
    pub halt: CancellationToken,
    /// Waits end, since another resource has failed; calls that are under way are finished. A child of the other.
    pub cancel: CancellationToken,
}

impl Stop {
    /// One that is stopped together with `halt`.
    pub(crate) fn child_of(halt: &CancellationToken) -> Self {
        Self { halt: halt.clone(), cancel: halt.child_token() }
    }
}

/// A resource that was made.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Created {
    /// Its physical id.
    pub physical_id: String,
    /// What `Ref` gives, where that is not the physical id.
    pub reference: Option<String>,
    /// Its attributes, by their names.
    pub attributes: Map<String, Value>,
}

/// Why a resource cannot be made, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandlerError {
    /// CloudFormation's status reason.
    #[error("{0}")]
    Failed(String),
    /// It was stopped in a wait.
    #[error("Resource creation cancelled")]
    Stopped,
}

impl HandlerError {
    /// Whether there is something of this name already, which is not what was to be made.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Failed(reason) if reason.contains("HandlerErrorCode: AlreadyExists"))
    }
}

/// Makes, changes and deletes the resources of a type. `properties` are resolved, without anything that has no value.
#[async_trait]
pub(crate) trait Provider: Send + Sync {
    /// The physical id that a resource will have.
    fn physical_id(&self, context: &HandlerContext<'_>, properties: &Value) -> String;
    /// Whether there is such a resource already, whoever made it.
    async fn exists(&self, context: &HandlerContext<'_>, physical_id: &str, properties: &Value) -> bool;
    /// Makes it. After this it is configured, though not yet usable everywhere.
    async fn create(&self, context: &HandlerContext<'_>, properties: &Value) -> Result<Created, HandlerError>;
    /// Waits until it is usable: a function until it is active. Its attributes may have changed.
    async fn stabilise(&self, context: &HandlerContext<'_>, made: &Created) -> Result<(), HandlerError>;
    /// Changes what can be changed in place.
    async fn update(
        &self,
        context: &HandlerContext<'_>,
        made: &Created,
        before: &Value,
        after: &Value,
    ) -> Result<Created, HandlerError>;
    /// Deletes it; one that is gone already is deleted.
    async fn delete(
        &self,
        context: &HandlerContext<'_>,
        made: &Created,
        properties: &Value,
    ) -> Result<(), HandlerError>;
}
