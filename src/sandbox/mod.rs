//! The embedded cloud: an AWS look-alike on the loopback address.

mod blobs;
mod codebuild;
mod ecr;
mod persistence;
mod services;
mod sessions;
pub mod standin;
