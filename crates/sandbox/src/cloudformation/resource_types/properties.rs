//! The properties of the resource types, one file per service.

pub(super) mod cloudformation;
pub(super) mod codebuild;
pub(super) mod ecr;
pub(super) mod iam;
pub(super) mod lambda;
pub(super) mod logs;
pub(super) mod s3;
