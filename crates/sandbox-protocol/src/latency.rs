//! [`Latency`]: how fast a sandbox answers.

use clap::ValueEnum;

/// Whose latencies a sandbox has. Its names are those of `--latency` and of the setting `sandbox.latency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Latency {
    /// The machine's own
    #[default]
    Instant,
    /// AWS's, from published measurements
    Aws,
}
