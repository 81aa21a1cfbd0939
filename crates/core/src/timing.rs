//! Durations of runs, steps and test uploads, as folds over events. Pure.

mod critical_path;
mod estimate;
mod history;
#[cfg(test)]
mod scripted;
mod statistics;
mod test_uploads;
mod totals;
mod waterfall;

pub use critical_path::Bottleneck;
pub use estimate::Estimate;
pub use history::{History, PastRun, RunKey, RunStatistics};
pub use statistics::median;
pub use test_uploads::{ImageTiming, TestUploadTiming};
pub use totals::{CriticalChain, StepCounts};
pub use waterfall::{PhaseBar, StepSpan, Waterfall, WaterfallBar};
