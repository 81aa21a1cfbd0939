//! CloudFormation in the real sandbox, by the SDK and by the AWS CLI.

mod change_sets;
mod creation;
mod failures;
mod refusals;
mod restarts;
mod updates;
