//! thumbctl: deploys the S3 Thumbnail Creator, shows it, times it, tries it and takes it down again.
//!
//! The rooms, in the order in which arrows may point (a room knows those above it); `docs/architecture.md` says more:

pub mod assets;
pub mod aws;
pub mod cloud;
pub mod deployment;
pub mod engine;
pub mod event;
#[cfg(debug_assertions)]
mod failpoint;
pub mod journal;
pub mod log_follower;
pub mod names;
pub mod plan;
pub mod recorder;
pub mod resource;
pub mod sandbox;
pub mod session;
pub mod settings;
pub mod strategy;
pub mod trial;
