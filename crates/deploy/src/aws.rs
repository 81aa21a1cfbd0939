//! The AWS services as this program uses them: one file a service, each function one thing, and the rules of AWS that
//! bite, each in one place. Nothing here knows of plans, events or journals.

#![allow(clippy::disallowed_types, reason = "the services are called here")]

mod bounded_client;
mod clock;
pub mod cloudformation;
pub mod codebuild;
pub mod console_url;
pub mod ecr;
pub mod error;
mod hint;
pub mod iam;
pub mod lambda;
pub mod logs;
pub(crate) mod operation;
mod pages;
pub mod policy;
pub mod s3;
pub mod sts;
pub mod tags;
pub mod wait;

pub use bounded_client::{BoundedClient, Downloads, MAX_ANSWER};
pub use console_url::console_url;
pub(crate) use error::classify;
pub use error::{AwsError, Deleted, ErrorKind};
pub use tags::{Tagged, Tags};
pub use wait::WaitError;

/// The processor that the function's image is built for, and that it runs on: an image has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Intel and AMD.
    X86_64,
    /// Arm, Graviton.
    Arm64,
}
