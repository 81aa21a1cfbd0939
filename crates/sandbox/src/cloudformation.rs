//! CloudFormation: stacks from templates, deployed through the sandbox's own services.

mod change_set;
mod changes;
mod descriptions;
mod execution;
mod macros;
mod permissions;
mod queries;
mod request;
mod resource_types;
mod service;
mod state;
mod template;

pub(crate) use service::CloudFormation;
