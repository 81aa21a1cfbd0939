//! [`Latency`]: the response times of a sandbox.

use clap::ValueEnum;

/// The latency of a sandbox. The names are those of `--latency` and of the setting `sandbox.latency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Latency {
    /// The machine's own latency
    #[default]
    Instant,
    /// The latency of AWS, from published measurements
    Aws,
}
