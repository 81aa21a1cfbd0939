//! Tests of the sandbox with the AWS SDK and plain HTTP.

mod bad_input;
mod cloudformation;
mod codebuild;
mod iam;
mod resources;
mod s3;
mod services;
