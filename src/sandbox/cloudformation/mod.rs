//! CloudFormation: stacks that are made of what templates say, through the sandbox's own services.

// Not registered with the sandbox's services before its failures and restarts are tried.
#![allow(dead_code, unused_imports)]

mod answers;
mod change_set;
mod execution;
mod macros;
mod request;
mod resource_types;
mod service;
mod state;
mod template;

pub(crate) use service::CloudFormation;
