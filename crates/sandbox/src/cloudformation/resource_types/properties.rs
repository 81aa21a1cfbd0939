//! The properties of the types, one file a service.

pub(super) mod cloudformation;
pub(super) mod codebuild;
pub(super) mod ecr;
pub(super) mod iam;
pub(super) mod lambda;
pub(super) mod logs;
pub(super) mod s3;
