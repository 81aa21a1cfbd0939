//! CloudFormation: stacks that are made of what templates say, through the sandbox's own services.

#![allow(dead_code, unused_imports)] // until the API stands on it

mod macros;
mod resource_types;
mod template;
