//! Estimates the remaining time of a run from earlier runs.

use std::collections::BTreeSet;

use super::history::{History, RunKey};
use super::waterfall::{StepSpan, Waterfall};
use crate::event::{Action, SkipReason};
use crate::plan::{Plan, StepId};

/// The estimated remaining time of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The seconds until the last step ends.
    pub seconds_left: f64,
    /// The number of earlier runs it is based on: that of the least known remaining step.
    pub from_runs: usize,
}

impl History {
    /// Estimates the remaining time by simulating the engine with the median duration of each step. A step missing from the
    /// waterfall counts as not started.
    ///
    /// `None` if nothing is left to do, or if a remaining step has no known duration.
    pub fn estimate(
        &self,
        key: &RunKey,
        plan: &Plan,
        waterfall: &Waterfall,
        now: f64,
        parallelism: usize,
    ) -> Option<Estimate> {
        let mut remaining = RemainingPlan::new(key.action, plan, waterfall);
        let mut from_runs: Option<usize> = None;
        let mut seconds_of = |id: &StepId| {
            let count = self.known_durations(key, id);
            from_runs = Some(from_runs.map_or(count, |least| least.min(count)));
            self.step_median(key, id)
        };
        // The end of each running step, in seconds from now, with its index in the plan.
        let mut running: Vec<(f64, usize)> = Vec::new();
        for (index, elapsed) in remaining.running(waterfall, now) {
            running.push(((seconds_of(&plan.steps()[index].id)? - elapsed).max(0.0), index));
        }
        let mut elapsed_total: f64 = 0.0;
        loop {
            while running.len() < parallelism.max(1) {
                let Some(index) = remaining.start_next() else { break };
                running.push((elapsed_total + seconds_of(&plan.steps()[index].id)?, index));
            }
            let next = (0..running.len()).min_by(|&a, &b| {
                let (a, b) = (running[a], running[b]);
                a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
            });
            let Some(next) = next else { break };
            let (end, index) = running.swap_remove(next);
            elapsed_total = end;
            remaining.end(index);
        }
        Some(Estimate { seconds_left: elapsed_total, from_runs: from_runs? })
    }
}

/// The unfinished part of a plan.
struct RemainingPlan<'a> {
    plan: &'a Plan,
    /// The indices of the steps that have not started, in plan order.
    waiting: Vec<usize>,
    /// The steps that no longer block their dependents.
    satisfied: BTreeSet<&'a StepId>,
}

impl<'a> RemainingPlan<'a> {
    fn new(action: Action, plan: &'a Plan, waterfall: &Waterfall) -> Self {
        // A deployment stops after a failure; other actions continue.
        let stops = action == Action::Deploy;
        let span = |id: &StepId| waterfall.bar(id).map_or(StepSpan::Waiting, |bar| bar.span.clone());
        let passes = |span: &StepSpan| match span {
            StepSpan::Done { .. } | StepSpan::Skipped(SkipReason::AlreadyDone) => true,
            StepSpan::Failed { .. } => !stops,
            StepSpan::Waiting | StepSpan::Running { .. } | StepSpan::Skipped(_) => false,
        };
        let stopped = stops && waterfall.bars.iter().any(|bar| matches!(bar.span, StepSpan::Failed { .. }));
        let ended = waterfall.ended.is_some();
        let ids = || plan.steps().iter().map(|step| &step.id);
        let waits = |(_, id): &(usize, &StepId)| !stopped && !ended && span(id) == StepSpan::Waiting;
        Self {
            plan,
            waiting: ids().enumerate().filter(waits).map(|(index, _)| index).collect(),
            satisfied: ids().filter(|id| passes(&span(id))).collect(),
        }
    }

    /// The indices and elapsed times of the running steps; empty after the end of the run.
    fn running(&self, waterfall: &Waterfall, now: f64) -> Vec<(usize, f64)> {
        let steps = self.plan.steps().iter().enumerate().filter(|_| waterfall.ended.is_none());
        steps
            .filter_map(|(index, step)| {
                let span = &waterfall.bar(&step.id)?.span;
                span.elapsed(now).filter(|_| span.is_running()).map(|elapsed| (index, elapsed))
            })
            .collect()
    }

    /// Starts the first step whose dependencies are satisfied.
    fn start_next(&mut self) -> Option<usize> {
        let steps = self.plan.steps();
        let ready = |index: &usize| steps[*index].needs.iter().all(|id| self.satisfied.contains(id));
        let next = self.waiting.iter().position(ready)?;
        Some(self.waiting.remove(next))
    }

    fn end(&mut self, index: usize) {
        self.satisfied.insert(&self.plan.steps()[index].id);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::event::{Event, EventKind, Outcome};
    use crate::timing::scripted::{self, complete, end, history, key, pair, step_event};

    fn estimate_at(known: &History, plan: &Plan, events: Vec<(f64, EventKind)>, now: f64) -> Option<Estimate> {
        let events = scripted::run("now", 900, Action::Deploy, plan, events);
        let waterfall = Waterfall::fold(&events).expect("the events start with the run");
        known.estimate(&key(Action::Deploy), plan, &waterfall, now, 2)
    }

    #[test]
    fn overdue_step_is_expected_to_end_now() {
        let plan = scripted::plan(&[("first", &[]), ("second", &["first"])]);
        let known = history(&complete("1", 100, 8.0));
        let estimate = |seconds_left| Some(Estimate { seconds_left, from_runs: 1 });
        assert_eq!(estimate_at(&known, &plan, vec![], 0.0), estimate(10.0));
        assert_eq!(estimate_at(&known, &plan, vec![(1.0, step_event::started("first"))], 2.5), estimate(8.5));
        assert_eq!(estimate_at(&known, &plan, vec![(1.0, step_event::started("first"))], 50.0), estimate(8.0));
    }

    #[test]
    fn unknown_step_prevents_estimate_until_finished() {
        let plan = scripted::plan(&[("new", &[]), ("first", &[]), ("second", &["first", "new"])]);
        let known = history(&complete("1", 100, 8.0));
        assert_eq!(estimate_at(&known, &plan, vec![], 0.0), None);
        assert_eq!(estimate_at(&known, &plan, vec![(0.0, step_event::started("new"))], 1.0), None);
        let events = vec![(0.0, step_event::started("new")), (3.0, step_event::finished("new", 3.0))];
        assert_eq!(estimate_at(&known, &plan, events, 3.0), Some(Estimate { seconds_left: 10.0, from_runs: 1 }));
    }

    #[test]
    fn estimate_reports_run_count_of_least_known_step() {
        let plan = scripted::plan(&[("first", &[]), ("second", &["first"])]);
        let mut events = complete("1", 100, 8.0);
        let already = step_event::skipped("first", SkipReason::AlreadyDone);
        events.extend(pair("2", 200, already, step_event::finished("second", 4.0), Outcome::Succeeded, 4.0));
        let known = history(&events);
        assert_eq!(estimate_at(&known, &plan, vec![], 0.0), Some(Estimate { seconds_left: 8.0, from_runs: 1 }));
        let events = vec![(2.0, step_event::finished("first", 2.0))];
        assert_eq!(estimate_at(&known, &plan, events, 2.0), Some(Estimate { seconds_left: 6.0, from_runs: 2 }));
    }

    #[test]
    fn failed_deployment_has_only_running_steps_left() {
        let plan = scripted::plan(&[("x", &[]), ("first", &[]), ("second", &["first"])]);
        let known = history(&complete("1", 100, 8.0));
        let mut events = vec![(0.0, step_event::started("first")), (0.5, step_event::failed("x", 0.5))];
        let first_alone = Some(Estimate { seconds_left: 1.0, from_runs: 1 });
        assert_eq!(estimate_at(&known, &plan, events.clone(), 1.0), first_alone);
        events.push((2.0, step_event::finished("first", 2.0)));
        assert_eq!(estimate_at(&known, &plan, events.clone(), 2.0), None);
        let events = vec![(0.0, step_event::started("first")), (1.0, end(Outcome::Failed, 1.0))];
        assert_eq!(estimate_at(&known, &plan, events, 1.0), None);
    }

    #[test]
    fn teardown_estimate_includes_dependents_of_failed_step() {
        let plan = scripted::plan(&[("first", &[]), ("second", &["first"])]);
        let past = vec![
            (1.0, step_event::finished("first", 1.0)),
            (4.0, step_event::finished("second", 3.0)),
            (4.0, end(Outcome::Succeeded, 4.0)),
        ];
        let known = history(&scripted::run("1", 100, Action::Destroy, &plan, past));
        let events = scripted::run("2", 900, Action::Destroy, &plan, vec![(2.0, step_event::failed("first", 2.0))]);
        let waterfall = Waterfall::fold(&events).expect("the events start with the run");
        let estimate = known.estimate(&key(Action::Destroy), &plan, &waterfall, 2.0, 1);
        assert_eq!(estimate, Some(Estimate { seconds_left: 3.0, from_runs: 1 }));
    }

    proptest! {
        #[test]
        fn estimate_is_exact_for_identical_runs(
            script in scripted::scripted_run(),
            before in 1usize..4,
            cut in 0usize..30,
        ) {
            let past: Vec<Event> =
                (0..before).flat_map(|n| script.events(&n.to_string(), 10_000 * (n as i64 + 1))).collect();
            let events = script.events("now", 900_000);
            let events = &events[..=cut.min(events.len() - 1)];
            let run = Waterfall::fold(events).expect("the events start with the run");
            let now = run.seconds_at(events[events.len() - 1].at);
            let known = history(&past);
            let estimate = known.estimate(&key(Action::Deploy), &script.plan, &run, now, script.parallelism);
            let took = known.statistics(&key(Action::Deploy)).median.expect("the runs are complete");
            let over = run.bars.iter().all(|bar| bar.span.is_over());
            let expected = (!over).then_some(Estimate { seconds_left: took - now, from_runs: before });
            prop_assert_eq!(estimate, expected);
        }

        #[test]
        fn estimate_is_between_longest_chain_and_sum_of_steps(
            script in scripted::scripted_run(),
            other in proptest::collection::vec(1u32..400, 10),
            parallelism in 0usize..6,
        ) {
            let mut second = script.clone();
            second.seconds.iter_mut().zip(other).for_each(|(seconds, eighths)| *seconds = f64::from(eighths) / 8.0);
            let known = history(script.events("1", 0).iter().chain(&second.events("2", 50_000)));
            let fresh = Waterfall::fold(&scripted::run("3", 90_000, Action::Deploy, &script.plan, Vec::new()));
            let fresh = fresh.expect("the events start with the run");
            let key = key(Action::Deploy);
            let estimate = known.estimate(&key, &script.plan, &fresh, 0.0, parallelism).expect("all durations are known");
            let mut chains: BTreeMap<&StepId, f64> = BTreeMap::new();
            let mut sum = 0.0;
            for step in script.plan.steps() {
                let seconds = known.step_median(&key, &step.id).expect("the step ran twice");
                sum += seconds;
                let before = step.needs.iter().map(|id| chains[id]).fold(0.0, f64::max);
                chains.insert(&step.id, before + seconds);
            }
            let longest = chains.into_values().fold(0.0, f64::max);
            prop_assert!((longest..=sum).contains(&estimate.seconds_left), "{longest} {estimate:?} {sum}");
            prop_assert!(parallelism > 1 || estimate.seconds_left == sum);
            prop_assert_eq!(estimate.from_runs, 2);
        }
    }
}
