//! The resource types: their properties and attributes, and their handlers, which call the sandbox's services. One file per
//! service.

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

use call::Failure;

pub(crate) use table::resource_type;

use crate::latency::LatencySpan;

/// A resource type.
pub(crate) struct ResourceType {
    /// `AWS::S3::Bucket`.
    pub name: &'static str,
    /// Its settable properties.
    pub properties: &'static [Property],
    /// Its attributes for `Fn::GetAtt`.
    pub attributes: &'static [&'static str],
    /// Whether its dependents can start once it is configured, before it is stable. A function must be active first.
    pub early: bool,
    /// Its handlers.
    pub provider: &'static dyn Provider,
}

/// A property of a type.
pub(crate) struct Property {
    /// Its name.
    pub name: &'static str,
    /// Whether it is required.
    pub required: bool,
    /// Whether a change of it replaces the resource.
    pub replaces: bool,
    /// The properties below it (of the object, or of each object of the list); empty if anything is allowed.
    pub below: &'static [Property],
}

impl ResourceType {
    /// Whether it gets the stack's tags.
    pub(crate) fn carries_tags(&self) -> bool {
        self.properties.iter().any(|property| property.name == "Tags")
    }

    /// Whether this change of properties replaces the resource.
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

/// The context of a handler's call.
pub(crate) struct HandlerContext<'a> {
    /// The sandbox's services.
    pub services: &'a crate::service_registry::ServiceRegistry,
    /// S3, which is not in the registry.
    pub s3: &'a crate::s3::S3,
    /// The stack's region.
    pub region: &'a str,
    /// The access key of the caller, whose permissions CloudFormation has; none for internal calls.
    pub access_key: Option<&'a str>,
    /// The stack's name, a part of generated names.
    pub stack_name: &'a str,
    /// The resource's logical id.
    pub logical_id: &'a str,
    /// The random part of generated names, saved before the call so that a restarted sandbox finds the resource.
    pub chance: &'a str,
    /// The stack's tags, including those that begin with `aws:cloudformation:`.
    pub tags: &'a [(String, String)],
    /// The stack's tags before an update.
    pub former_tags: &'a [(String, String)],
    /// When to stop.
    pub stop: &'a Stop,
}

/// The signals to stop a handler.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    /// Stop at once, without further calls or events. The operation resumes from the saved state.
    pub halt: CancellationToken,
    /// End waits, since another resource has failed; running calls finish. A child of `halt`.
    pub cancel: CancellationToken,
}

impl Stop {
    /// Creates one that stops together with `halt`.
    pub(crate) fn child_of(halt: &CancellationToken) -> Self {
        Self { halt: halt.clone(), cancel: halt.child_token() }
    }
}

/// A created resource.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Created {
    /// Its physical id.
    pub physical_id: String,
    /// The value of `Ref`, if it is not the physical id.
    pub reference: Option<String>,
    /// Its attributes by name.
    pub attributes: Map<String, Value>,
}

/// Why a resource cannot be created, updated or deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandlerError {
    /// CloudFormation's status reason.
    #[error("{0}")]
    Failed(String),
    /// It was stopped during a wait.
    #[error("Resource creation cancelled")]
    Stopped,
}

impl HandlerError {
    /// Whether a resource of this name exists already.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Failed(reason) if reason.contains("HandlerErrorCode: AlreadyExists"))
    }
}

/// Creates, updates and deletes the resources of a type. `properties` are resolved and without `AWS::NoValue`.
#[async_trait]
pub(crate) trait Provider: Send + Sync {
    /// The physical id of a resource to create.
    fn physical_id(&self, context: &HandlerContext<'_>, properties: &Value) -> String;
    /// Whether the resource exists, by whatever creator.
    async fn exists(&self, context: &HandlerContext<'_>, physical_id: &str, properties: &Value) -> bool;
    /// Creates and configures the resource, which may not be stable yet.
    async fn create(&self, context: &HandlerContext<'_>, properties: &Value) -> Result<Created, HandlerError>;
    /// The time on AWS until the resource is stable.
    fn stabilisation(&self) -> LatencySpan {
        LatencySpan::StackOther
    }
    /// Waits until the resource is stable, such as a function until it is active.
    async fn stabilise(&self, context: &HandlerContext<'_>, _created: &Created) -> Result<(), HandlerError> {
        context.services.latencies().wait(self.stabilisation()).await;
        Ok(())
    }
    /// Updates the resource in place.
    async fn update(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        before: &Value,
        after: &Value,
    ) -> Result<Created, HandlerError>;
    /// Deletes the resource. A missing one counts as deleted.
    async fn delete(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        properties: &Value,
    ) -> Result<(), HandlerError>;
    /// Returns a created resource if its configuration succeeded; otherwise deletes it.
    async fn finish_creation(
        &self,
        context: &HandlerContext<'_>,
        created: Created,
        properties: &Value,
        configured: Result<(), Failure>,
    ) -> Result<Created, HandlerError> {
        match configured {
            Ok(()) => Ok(created),
            Err(failure) => {
                // If this fails too, the stack's rollback deletes it.
                let _ = self.delete(context, &created, properties).await;
                Err(failure.into())
            }
        }
    }
}
