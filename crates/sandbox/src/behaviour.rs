//! How the sandbox behaves: as quickly as it can or as slowly as AWS, and how strictly.

use crate::latency::Pace;

/// What is chosen when a sandbox is started.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// How long things take.
    pub pace: Pace,
    /// Whether the calls of IAM users are held to their policies. Those of roles always are.
    pub enforce_iam: bool,
    /// Whether `cargo build` in a build compiles, with the machine's toolchain, instead of handing over the function that
    /// thumbctl carries.
    pub real_cargo: bool,
}
