//! The sandbox, as the AWS SDK and plain HTTP see it.

mod bad_input;
mod cloudformation;
mod codebuild;
mod iam;
mod resources;
mod s3;
mod services;
