//! Deploys and destroys the S3 Thumbnail Creator.
//!
//! - [`settings`]: configuration file, environment and flags
//! - [`cloud`]: the selected cloud, the caller's identity, the SDK configuration
//! - [`aws`]: the AWS services, one file each, with the AWS rules that matter here
//! - [`resource`]: the kinds of resources, one file each: texts, look-up, inspection, creation, deletion
//! - [`strategy`]: deploying and destroying by SDK calls, CloudFormation or Terraform
//! - [`session`]: one cloud and one deployment; the interface of both front ends
//! - [`test_upload`]: uploads an image, waits for its thumbnail, times each stage
//! - [`log_follower`]: follows a log as it grows
//! - [`assets`]: the files embedded in the binary

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod assets;
pub mod aws;
mod call;
pub mod cloud;
pub mod deploy_target;
pub mod log_follower;
pub mod resource;
mod run_context;
pub mod session;
pub mod settings;
pub mod strategy;
pub mod test_upload;
