//! CloudFormation in the real sandbox, by the SDK and by the AWS CLI.

#[path = "../common/mod.rs"]
mod common;

mod change_sets;
mod cloud;
mod creation;
mod failures;
mod macros;
mod refusals;
mod restarts;
mod shipped;
mod updates;
