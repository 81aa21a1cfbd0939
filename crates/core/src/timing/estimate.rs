//! What the rest of a run will take if it goes like those before.

use std::collections::BTreeSet;

use super::history::{History, RunKey};
use super::waterfall::{StepSpan, Waterfall};
use crate::event::{Action, SkipReason};
use crate::plan::{Plan, StepId};

/// How long the rest of a run will take if its steps take what they took before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The seconds until the last step ends.
    pub seconds_to_go: f64,
    /// From how many earlier runs this is known: what is known of the least known remaining step.
    pub from_runs: usize,
}

impl History {
    /// How long the rest of a run will take: plays it to its end as the engine would, with the median of each step's earlier
    /// times. What the waterfall does not tell of a step of the plan counts as not begun.
    ///
    /// None if nothing is left to do, or if a step that will run was never done before.
    pub fn estimate(
        &self,
        key: &RunKey,
        plan: &Plan,
        waterfall: &Waterfall,
        now: f64,
        parallelism: usize,
    ) -> Option<Estimate> {
        let mut rest = Rest::new(key.action, plan, waterfall);
        let mut from_runs: Option<usize> = None;
        let mut seconds_of = |id: &StepId| {
            let known = self.times_known(key, id);
            from_runs = Some(from_runs.map_or(known, |least| least.min(known)));
            self.step_median(key, id)
        };
        // When each running step will end, with its place in the plan, from now.
        let mut running: Vec<(f64, usize)> = Vec::new();
        for (place, elapsed) in rest.running(waterfall, now) {
            running.push(((seconds_of(&plan.steps()[place].id)? - elapsed).max(0.0), place));
        }
        let mut to_go: f64 = 0.0;
        loop {
            while running.len() < parallelism.max(1) {
                let Some(place) = rest.start_next() else { break };
                running.push((to_go + seconds_of(&plan.steps()[place].id)?, place));
            }
            let next = (0..running.len()).min_by(|&a, &b| {
                let (a, b) = (running[a], running[b]);
                a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
            });
            let Some(next) = next else { break };
            let (end, place) = running.swap_remove(next);
            to_go = end;
            rest.end(place);
        }
        Some(Estimate { seconds_to_go: to_go, from_runs: from_runs? })
    }
}

/// What is left of a plan.
struct Rest<'a> {
    plan: &'a Plan,
    /// The places in the plan of the steps that have not begun, in the plan's order.
    waiting: Vec<usize>,
    /// The steps that no longer hold those that need them.
    passed: BTreeSet<&'a StepId>,
}

impl<'a> Rest<'a> {
    fn new(action: Action, plan: &'a Plan, waterfall: &Waterfall) -> Self {
        // A deployment starts nothing more after a failure; the others try everything.
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
            waiting: ids().enumerate().filter(waits).map(|(place, _)| place).collect(),
            passed: ids().filter(|id| passes(&span(id))).collect(),
        }
    }

    /// The places of the running steps and how long each has run; none once the run has ended.
    fn running(&self, waterfall: &Waterfall, now: f64) -> Vec<(usize, f64)> {
        let steps = self.plan.steps().iter().enumerate().filter(|_| waterfall.ended.is_none());
        steps
            .filter_map(|(place, step)| {
                let span = &waterfall.bar(&step.id)?.span;
                span.elapsed(now).filter(|_| span.is_running()).map(|elapsed| (place, elapsed))
            })
            .collect()
    }

    /// Takes the first step that may start.
    fn start_next(&mut self) -> Option<usize> {
        let steps = self.plan.steps();
        let ready = |place: &usize| steps[*place].needs.iter().all(|id| self.passed.contains(id));
        let next = self.waiting.iter().position(ready)?;
        Some(self.waiting.remove(next))
    }

    fn end(&mut self, place: usize) {
        self.passed.insert(&self.plan.steps()[place].id);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::event::{Event, EventKind, Outcome};
    use crate::timing::scripted::{self, complete, end, history, key, pair, told};

    fn to_go(known: &History, plan: &Plan, told: Vec<(f64, EventKind)>, now: f64) -> Option<Estimate> {
        let events = scripted::run("now", 900, Action::Deploy, plan, told);
        let waterfall = Waterfall::fold(&events).expect("the run is told from its start");
        known.estimate(&key(Action::Deploy), plan, &waterfall, now, 2)
    }

    #[test]
    fn a_step_that_runs_longer_than_ever_is_expected_to_end_now() {
        let plan = scripted::plan(&[("first", &[]), ("second", &["first"])]);
        let known = history(&complete("1", 100, 8.0));
        let estimate = |seconds_to_go| Some(Estimate { seconds_to_go, from_runs: 1 });
        assert_eq!(to_go(&known, &plan, vec![], 0.0), estimate(10.0));
        assert_eq!(to_go(&known, &plan, vec![(1.0, told::started("first"))], 2.5), estimate(8.5));
        assert_eq!(to_go(&known, &plan, vec![(1.0, told::started("first"))], 50.0), estimate(8.0));
    }

    #[test]
    fn one_unknown_step_makes_the_end_unknown_until_it_is_over() {
        let plan = scripted::plan(&[("new", &[]), ("first", &[]), ("second", &["first", "new"])]);
        let known = history(&complete("1", 100, 8.0));
        assert_eq!(to_go(&known, &plan, vec![], 0.0), None);
        assert_eq!(to_go(&known, &plan, vec![(0.0, told::started("new"))], 1.0), None);
        let told = vec![(0.0, told::started("new")), (3.0, told::finished("new", 3.0))];
        assert_eq!(to_go(&known, &plan, told, 3.0), Some(Estimate { seconds_to_go: 10.0, from_runs: 1 }));
    }

    #[test]
    fn an_estimate_says_from_how_few_runs_its_least_known_step_is_known() {
        let plan = scripted::plan(&[("first", &[]), ("second", &["first"])]);
        let mut events = complete("1", 100, 8.0);
        let already = told::skipped("first", SkipReason::AlreadyDone);
        events.extend(pair("2", 200, already, told::finished("second", 4.0), Outcome::Succeeded, 4.0));
        let known = history(&events);
        assert_eq!(to_go(&known, &plan, vec![], 0.0), Some(Estimate { seconds_to_go: 8.0, from_runs: 1 }));
        let told = vec![(2.0, told::finished("first", 2.0))];
        assert_eq!(to_go(&known, &plan, told, 2.0), Some(Estimate { seconds_to_go: 6.0, from_runs: 2 }));
    }

    #[test]
    fn after_a_failure_only_what_runs_is_left_of_a_deployment() {
        let plan = scripted::plan(&[("x", &[]), ("first", &[]), ("second", &["first"])]);
        let known = history(&complete("1", 100, 8.0));
        let mut told = vec![(0.0, told::started("first")), (0.5, told::failed("x", 0.5))];
        let first_alone = Some(Estimate { seconds_to_go: 1.0, from_runs: 1 });
        assert_eq!(to_go(&known, &plan, told.clone(), 1.0), first_alone);
        told.push((2.0, told::finished("first", 2.0)));
        assert_eq!(to_go(&known, &plan, told.clone(), 2.0), None);
        let told = vec![(0.0, told::started("first")), (1.0, end(Outcome::Failed, 1.0))];
        assert_eq!(to_go(&known, &plan, told, 1.0), None);
    }

    #[test]
    fn a_teardown_goes_on_behind_a_failure() {
        let plan = scripted::plan(&[("first", &[]), ("second", &["first"])]);
        let past = vec![
            (1.0, told::finished("first", 1.0)),
            (4.0, told::finished("second", 3.0)),
            (4.0, end(Outcome::Succeeded, 4.0)),
        ];
        let known = history(&scripted::run("1", 100, Action::Destroy, &plan, past));
        let events = scripted::run("2", 900, Action::Destroy, &plan, vec![(2.0, told::failed("first", 2.0))]);
        let waterfall = Waterfall::fold(&events).expect("the run is told from its start");
        let estimate = known.estimate(&key(Action::Destroy), &plan, &waterfall, 2.0, 1);
        assert_eq!(estimate, Some(Estimate { seconds_to_go: 3.0, from_runs: 1 }));
    }

    proptest! {
        #[test]
        fn a_run_that_goes_like_those_before_ends_when_it_was_expected_to(
            script in scripted::script(),
            before in 1usize..4,
            cut in 0usize..30,
        ) {
            let past: Vec<Event> =
                (0..before).flat_map(|n| script.events(&n.to_string(), 10_000 * (n as i64 + 1))).collect();
            let events = script.events("now", 900_000);
            let events = &events[..=cut.min(events.len() - 1)];
            let run = Waterfall::fold(events).expect("the run is told from its start");
            let now = run.seconds_at(events[events.len() - 1].at);
            let known = history(&past);
            let estimate = known.estimate(&key(Action::Deploy), &script.plan, &run, now, script.parallelism);
            let took = known.statistics(&key(Action::Deploy)).median.expect("the runs were complete");
            let over = run.bars.iter().all(|bar| bar.span.is_over());
            let expected = (!over).then_some(Estimate { seconds_to_go: took - now, from_runs: before });
            prop_assert_eq!(estimate, expected);
        }

        #[test]
        fn whatever_was_measured_the_rest_takes_no_less_than_its_longest_chain_and_no_more_than_all_its_steps(
            script in scripted::script(),
            other in proptest::collection::vec(1u32..400, 10),
            parallelism in 0usize..6,
        ) {
            let mut second = script.clone();
            second.seconds.iter_mut().zip(other).for_each(|(seconds, eighths)| *seconds = f64::from(eighths) / 8.0);
            let known = history(script.events("1", 0).iter().chain(&second.events("2", 50_000)));
            let fresh = Waterfall::fold(&scripted::run("3", 90_000, Action::Deploy, &script.plan, Vec::new()));
            let fresh = fresh.expect("the run is told from its start");
            let key = key(Action::Deploy);
            let estimate = known.estimate(&key, &script.plan, &fresh, 0.0, parallelism).expect("all is known");
            let mut chains: BTreeMap<&StepId, f64> = BTreeMap::new();
            let mut sum = 0.0;
            for step in script.plan.steps() {
                let seconds = known.step_median(&key, &step.id).expect("it was done twice");
                sum += seconds;
                let before = step.needs.iter().map(|id| chains[id]).fold(0.0, f64::max);
                chains.insert(&step.id, before + seconds);
            }
            let longest = chains.into_values().fold(0.0, f64::max);
            prop_assert!((longest..=sum).contains(&estimate.seconds_to_go), "{longest} {estimate:?} {sum}");
            prop_assert!(parallelism > 1 || estimate.seconds_to_go == sum);
            prop_assert_eq!(estimate.from_runs, 2);
        }
    }
}
