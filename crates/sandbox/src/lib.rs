//! The embedded cloud: an AWS look-alike on the loopback address.
//!
//! The rest of the program speaks to it over HTTP like to any endpoint. It is a process of its own: [`serve`] is what that
//! process does; `thumbctl-sandbox-protocol` finds or starts it.

mod account;
mod announcement;
mod assembly;
mod authz;
mod behaviour;
mod cloudformation;
mod codebuild;
mod control;
mod ecr;
mod error;
mod fault;
mod gateway;
mod http_agent;
mod iam;
mod lambda;
mod latency;
mod life;
mod logs;
mod marked_processes;
mod query;
mod required_permissions;
mod s3;
mod server;
mod services;
pub mod shims;
mod storage;
mod sts;
mod sync;
mod unheeded;

pub use behaviour::Behaviour;
pub use codebuild::FunctionFiles;
pub use control::{LoadOutcome, StateChange, change_state, load_outcome, mark_load};
pub use error::SandboxError;
pub use fault::{Fault, FaultFileError, FaultKind, FaultLineError, FaultRule, read_faults};
pub use gateway::{OnRequest, RequestLog};
pub use latency::Pace;
pub use server::{DataDir, OnReady, ServeOptions, serve};
pub use storage::archive::{ArchiveError, ArchiveLimits, Excess, pack, unpack};
pub use thumbctl_sandbox_protocol::Latency;
