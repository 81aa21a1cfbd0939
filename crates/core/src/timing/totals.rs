//! Totals of a run: its work, how many steps came to which end, and the chain of steps that took longest.

use std::collections::BTreeMap;

use super::waterfall::{StepSpan, Waterfall};
use crate::event::SkipReason;
use crate::plan::StepId;

/// Steps of which each needs the one before.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct CriticalChain {
    /// The steps, in their order.
    pub steps: Vec<StepId>,
    /// How long they took together.
    pub seconds: f64,
}

/// How many steps came to which end; together they are all steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StepCounts {
    /// Steps that were done.
    pub done: usize,
    /// Steps for which there was nothing to do.
    pub already_done: usize,
    /// Steps that failed.
    pub failed: usize,
    /// Steps that were not run because of a failure or a cancel.
    pub skipped: usize,
    /// Steps that have not ended.
    pub open: usize,
}

impl Waterfall {
    /// How long all steps took, one laid behind another.
    pub fn work(&self) -> f64 {
        self.bars.iter().filter_map(|bar| bar.span.seconds()).sum()
    }

    /// How many steps came to which end.
    pub fn step_counts(&self) -> StepCounts {
        let mut step_counts = StepCounts::default();
        for bar in &self.bars {
            *match bar.span {
                StepSpan::Done { .. } => &mut step_counts.done,
                StepSpan::Skipped(SkipReason::AlreadyDone) => &mut step_counts.already_done,
                StepSpan::Failed { .. } => &mut step_counts.failed,
                StepSpan::Skipped(_) => &mut step_counts.skipped,
                StepSpan::Waiting | StepSpan::Running { .. } => &mut step_counts.open,
            } += 1;
        }
        step_counts
    }

    /// The chain of steps that took longest: the run could not have been shorter, however many steps ran side by side.
    pub fn longest_chain(&self) -> CriticalChain {
        let mut chains: BTreeMap<&StepId, CriticalChain> = BTreeMap::new();
        // Every step stands behind all that it needs, so their chains are known when it is its turn.
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
    use crate::timing::scripted::{self, told};

    fn run(steps: &[(&str, &[&str], f64)], more: Vec<EventKind>) -> Waterfall {
        let needs: Vec<(&str, &[&str])> = steps.iter().map(|(id, needs, _)| (*id, *needs)).collect();
        let done = steps.iter().map(|(id, _, seconds)| told::finished(id, *seconds));
        let told = done.chain(more).map(|kind| (0.0, kind)).collect();
        let events = scripted::run("1", 0, Action::Deploy, &scripted::plan(&needs), told);
        Waterfall::fold(&events).expect("the run is told from its start")
    }

    #[test]
    fn the_longest_chain_goes_by_seconds_and_not_by_steps() {
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
    fn a_step_that_had_nothing_to_do_links_a_chain_and_costs_nothing() {
        let run = run(
            &[("a", &[], 2.0), ("b", &["a"], 1.0), ("c", &["b"], 3.0)],
            vec![told::skipped("b", SkipReason::AlreadyDone)],
        );
        assert_eq!(run.longest_chain(), CriticalChain { steps: vec!["a".into(), "c".into()], seconds: 5.0 });
    }

    #[test]
    fn the_tally_adds_up() {
        let run = run(
            &[("a", &[], 2.0), ("b", &[], 1.0), ("c", &[], 3.0), ("d", &[], 0.0)],
            vec![
                told::skipped("b", SkipReason::AlreadyDone),
                told::skipped("c", SkipReason::Cancelled),
                told::started("d"),
            ],
        );
        assert_eq!(run.step_counts(), StepCounts { done: 1, already_done: 1, failed: 0, skipped: 1, open: 1 });
    }
}
