//! The embedded cloud: an AWS look-alike on the loopback address.
//!
//! The rest of the program speaks to it over HTTP like to any endpoint. It is a process of its own: [`join_or_start`]
//! finds or starts it, [`serve`] is what that process does.

mod access;
mod archive;
mod assembly;
mod behaviour;
mod blobs;
mod chunked;
mod cloudformation;
mod codebuild;
mod control;
mod data_dir;
mod ecr;
mod endpoint;
mod error;
mod fault;
mod front;
mod iam;
mod lambda;
mod latency;
mod lease;
mod life;
mod logs;
mod managed_policies;
mod permissions;
mod persistence;
mod propagation;
mod query;
mod refusal;
mod resource_policy;
mod s3;
mod server;
mod services;
mod sessions;
mod signature;
mod signature_v2;
pub mod standin;
mod state;
mod sts;
mod tree;
mod unheeded;

pub use archive::{ArchiveError, ArchiveLimits, Excess, pack, unpack};
pub use behaviour::Behaviour;
pub use control::{LoadOutcome, StateChange, change_state, load_outcome, mark_load};
pub use endpoint::{Endpoint, data_dir_in_use};
pub use error::SandboxError;
pub use fault::{Fault, FaultFileError, FaultKind, FaultLineError, FaultRule, read_faults};
pub use front::{OnRequest, RequestLog};
pub use lambda::has_python;
pub use latency::{Latency, Pace};
pub use lease::{Lease, SandboxOptions, join_or_start};
pub use server::{DataDir, OnReady, ServeOptions, serve};
