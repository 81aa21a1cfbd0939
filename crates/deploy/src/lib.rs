//! Deploys and destroys the S3 Thumbnail Creator.
//!
//! - [`settings`]: configuration file, environment and flags
//! - [`cloud`]: which cloud, the identity there, the SDK's configuration
//! - [`aws`]: the AWS services, one file each, with the rules of AWS that matter here
//! - [`strategy`]: how to deploy and how to destroy: by SDK calls, CloudFormation or Terraform
//! - [`session`]: one cloud, one deployment, and what can be done with them; what both front ends use
//! - [`trial`]: sends an image, waits for its thumbnail, measures how long each part took
//! - [`log_follower`]: a log, read as it grows
//! - [`assets`]: what is shipped inside the binary

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod assets;
pub mod aws;
pub mod cloud;
pub mod log_follower;
pub mod session;
pub mod settings;
pub mod strategy;
pub mod trial;
