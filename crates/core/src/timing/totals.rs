//! Totals of a run: the sum of step durations, step counts by result, and the longest chain of steps.

use std::collections::BTreeMap;

use super::waterfall::{StepSpan, Waterfall};
use crate::event::SkipReason;
use crate::plan::StepId;

/// A chain of steps, each depending on the one before.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct CriticalChain {
    /// The steps, in order.
    pub steps: Vec<StepId>,
    /// The sum of their durations, in seconds.
    pub seconds: f64,
}

/// The number of steps by result; the sum is the number of all steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StepCounts {
    /// Succeeded steps.
    pub done: usize,
    /// Steps with nothing to do.
    pub already_done: usize,
    /// Failed steps.
    pub failed: usize,
    /// Steps skipped after a failure or cancellation.
    pub skipped: usize,
    /// Unfinished steps.
    pub open: usize,
}

impl Waterfall {
    /// The sum of all step durations, in seconds.
    pub fn work(&self) -> f64 {
        self.bars.iter().filter_map(|bar| bar.span.seconds()).sum()
    }

    /// The number of steps by result.
    pub fn step_counts(&self) -> StepCounts {
        let mut counts = StepCounts::default();
        for bar in &self.bars {
            *match bar.span {
                StepSpan::Done { .. } => &mut counts.done,
                StepSpan::Skipped(SkipReason::AlreadyDone) => &mut counts.already_done,
                StepSpan::Failed { .. } => &mut counts.failed,
                StepSpan::Skipped(_) => &mut counts.skipped,
                StepSpan::Waiting | StepSpan::Running { .. } => &mut counts.open,
            } += 1;
        }
        counts
    }

    /// The chain of steps with the longest duration: the lower bound of the run's duration at any parallelism.
    pub fn longest_chain(&self) -> CriticalChain {
        let mut chains: BTreeMap<&StepId, CriticalChain> = BTreeMap::new();
        // Steps come after their dependencies, whose chains are therefore known.
        for bar in &self.bars {
            let before = bar.step.needs.iter().filter_map(|id| chains.get(id));
            let mut chain = before.max_by(|a, b| a.seconds.total_cmp(&b.seconds)).cloned().unwrap_or_default();
            if let Some(seconds) = bar.span.seconds() {
                chain.steps.push(bar.step.id.clone());
                chain.seconds += seconds;
            }
            chains.insert(&bar.step.id, chain);
        }
        chains.into_values().max_by(|a, b| a.seconds.total_cmp(&b.seconds)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Action, EventKind};
    use crate::timing::scripted::{self, step_event};

    fn run(steps: &[(&str, &[&str], f64)], events: Vec<EventKind>) -> Waterfall {
        let needs: Vec<(&str, &[&str])> = steps.iter().map(|(id, needs, _)| (*id, *needs)).collect();
        let done = steps.iter().map(|(id, _, seconds)| step_event::finished(id, *seconds));
        let all = done.chain(events).map(|kind| (0.0, kind)).collect();
        let events = scripted::run("1", 0, Action::Deploy, &scripted::plan(&needs), all);
        Waterfall::fold(&events).expect("the events start with the run")
    }

    #[test]
    fn longest_chain_is_longest_in_seconds() {
        let run = run(
            &[("a", &[], 1.0), ("b", &["a"], 1.0), ("c", &["b"], 1.0), ("slow", &[], 5.0), ("d", &["c", "slow"], 1.0)],
            vec![],
        );
        let chain = run.longest_chain();
        assert_eq!(chain.steps, ["slow".into(), "d".into()]);
        assert!((chain.seconds - 6.0).abs() < 1e-9);
        assert!((run.work() - 9.0).abs() < 1e-9);
    }

    #[test]
    fn already_done_step_links_chain_without_duration() {
        let run = run(
            &[("a", &[], 2.0), ("b", &["a"], 1.0), ("c", &["b"], 3.0)],
            vec![step_event::skipped("b", SkipReason::AlreadyDone)],
        );
        assert_eq!(run.longest_chain(), CriticalChain { steps: vec!["a".into(), "c".into()], seconds: 5.0 });
    }

    #[test]
    fn step_counts_add_up() {
        let run = run(
            &[("a", &[], 2.0), ("b", &[], 1.0), ("c", &[], 3.0), ("d", &[], 0.0)],
            vec![
                step_event::skipped("b", SkipReason::AlreadyDone),
                step_event::skipped("c", SkipReason::Cancelled),
                step_event::started("d"),
            ],
        );
        assert_eq!(run.step_counts(), StepCounts { done: 1, already_done: 1, failed: 0, skipped: 1, open: 1 });
    }
}
