//! What took how long, as folds over events. Pure: no clock, no files, nothing is drawn.

mod critical;
mod estimate;
mod history;
mod images;
#[cfg(test)]
mod scripted;
mod statistics;
mod totals;
mod waterfall;

pub use critical::Bottleneck;
pub use estimate::Estimate;
pub use history::{History, PastRun, RunKey, RunStatistics};
pub use images::{ImageTiming, TrialTiming};
pub use statistics::median;
pub use totals::{Chain, Tally};
pub use waterfall::{Bar, PhaseBar, Span, Waterfall};
