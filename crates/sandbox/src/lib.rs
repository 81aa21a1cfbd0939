//! The embedded sandbox: an AWS emulator on the loopback address.
//!
//! It runs as a process of its own, whose main function is [`serve`]. Clients use it over HTTP like any AWS endpoint;
//! `thumbctl-sandbox-protocol` finds or starts it.

mod account;
mod announcement;
mod assembly;
mod authz;
mod behaviour;
mod bucket_host;
mod cloudformation;
mod codebuild;
mod control;
mod ecr;
mod error;
mod fault;
mod gateway;
mod http_agent;
mod iam;
mod instance;
mod lambda;
mod latency;
mod logs;
mod marked_processes;
mod operation;
mod query;
mod s3;
mod server;
mod server_lock;
mod service_registry;
pub mod shims;
mod storage;
mod sts;
mod sync;
mod unsupported_fields;
mod yaml;

pub use behaviour::Behaviour;
pub use codebuild::{EmbeddedFile, FunctionFiles};
pub use control::{LoadOutcome, StateChange, change_state, load_outcome, mark_load};
pub use error::SandboxError;
pub use fault::{Fault, FaultFileError, FaultKind, FaultLineError, FaultRule, read_faults};
pub use gateway::{OnRequest, RequestLog};
pub use latency::Pace;
pub use server::{DataDir, OnReady, ServeOptions, serve};
pub use storage::archive::{ArchiveError, ArchiveLimits, LimitExceeded, pack, unpack};
pub use thumbctl_sandbox_protocol::Latency;
