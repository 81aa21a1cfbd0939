//! CloudFormation: stacks that are made of what templates say, through the sandbox's own services.

mod answers;
mod change_set;
mod changes;
mod execution;
mod macros;
pub(crate) mod permissions;
mod reading;
mod request;
mod resource_types;
mod service;
mod state;
mod template;

pub(crate) use service::CloudFormation;
