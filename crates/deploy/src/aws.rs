//! The AWS services: one file each, each function one operation, and each AWS rule in one
//! place. Independent of plans, events and journals.
//!
//! Any call can fail with [`ErrorKind::Denied`], [`ErrorKind::Throttled`] (after the SDK's own retries; callers retry by
//! [`wait::THROTTLING`]), or an error of credentials, clock, network or server. The `# Errors` of a function are those
//! by which callers decide.

#![allow(clippy::disallowed_types, reason = "the services are called here")]
#![warn(clippy::missing_errors_doc)]

mod bounded_client;
mod clock;
pub mod cloudformation;
pub mod codebuild;
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

pub use bounded_client::{BoundedClient, Downloads, MAX_RESPONSE};
pub(crate) use error::classify;
pub use error::{AwsError, Deleted, ErrorKind};
pub use tags::{Tagged, Tags};
pub use wait::WaitError;

/// The processor architecture of the function's image: an image has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Intel and AMD.
    X86_64,
    /// Arm, Graviton.
    Arm64,
}
