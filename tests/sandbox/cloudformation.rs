//! CloudFormation in a sandbox process, with the SDK.

mod change_sets;
mod creation;
mod failures;
mod refusals;
mod restarts;
mod updates;
