//! CloudFormation in a sandbox process, with the SDK.

mod change_sets;
mod creation;
mod failures;
mod rejections;
mod restarts;
mod updates;
