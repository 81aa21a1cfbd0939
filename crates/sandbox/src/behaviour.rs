//! [`Behaviour`]: the simulated latency and the strictness of a sandbox.

use crate::latency::Pace;

/// The behaviour of a sandbox, set at its start.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// The simulated latency.
    pub pace: Pace,
    /// Whether the policies of IAM users are enforced. Those of roles always are.
    pub enforce_iam: bool,
    /// Whether `cargo build` in a build compiles with the machine's toolchain, instead of copying the embedded function.
    pub real_cargo: bool,
}
