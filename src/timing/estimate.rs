//! What earlier runs took, and what the rest of this one will take if it goes like them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::statistics::median;
use super::waterfall::{Span, Waterfall};
use crate::event::{Action, Event, EventKind, Outcome, RunId, RunStarted, SkipReason, StrategyKind};
use crate::plan::{Plan, StepId};

/// How many earlier times of each step are kept: the latest.
const STEPS_KEPT: usize = 20;

/// How many earlier runs are kept: the latest.
const RUNS_KEPT: usize = 50;

/// Which runs can be compared: those that do the same, in the same way, in the same cloud.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey {
    /// What they do.
    pub action: Action,
    /// By which of the three ways.
    pub strategy: StrategyKind,
    /// In which cloud, as it is called on the screen.
    pub cloud: String,
}

/// What earlier runs took: a fold over the events of all runs, in any order of runs, of which several may be told at once.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct History {
    steps: BTreeMap<RunKey, BTreeMap<StepId, Vec<Measured>>>,
    runs: BTreeMap<RunKey, Vec<PastRun>>,
    open: BTreeMap<RunId, OpenRun>,
}

/// How long a step took once.
#[derive(Clone, Debug, PartialEq)]
struct Measured {
    at: DateTime<Utc>,
    run: RunId,
    seconds: f64,
}

/// A run of which the end has not been told.
#[derive(Clone, Debug, PartialEq)]
struct OpenRun {
    key: RunKey,
    started: DateTime<Utc>,
    /// The steps that have not been done.
    undone: BTreeSet<StepId>,
    /// Whether any step did something.
    worked: bool,
}

/// A run that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct PastRun {
    /// Its id.
    pub id: RunId,
    /// When it began.
    pub started: DateTime<Utc>,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub seconds: f64,
    /// Whether every one of its steps was done: only such runs say how long a run takes.
    pub complete: bool,
}

/// Figures of earlier runs.
///
/// Runs in which no step did anything, because everything was there or gone already, are not counted at all. The times are
/// those of complete runs alone: a run that found a part done, failed or was cancelled is shorter than the work that it
/// stands for.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct RunStatistics {
    /// How many runs there were; of very many only the latest are known.
    pub runs: usize,
    /// How many of them succeeded.
    pub succeeded: usize,
    /// The median time of complete runs.
    pub median: Option<f64>,
    /// The shortest time of a complete run.
    pub fastest: Option<f64>,
    /// The longest time of a complete run.
    pub slowest: Option<f64>,
    /// The runs, latest first.
    pub last: Vec<PastRun>,
}

/// How long the rest of a run will take if its steps take what they took before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The seconds until the last step ends.
    pub seconds_to_go: f64,
    /// From how many earlier runs this is known: what is known of the least known remaining step.
    pub from_runs: usize,
}

impl RunKey {
    /// With which runs a run can be compared.
    pub fn of(started: &RunStarted) -> Self {
        Self { action: started.action, strategy: started.strategy, cloud: started.cloud.clone() }
    }
}

impl History {
    /// Takes in one more event.
    pub fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted(started) => {
                let undone = started.plan.steps().iter().map(|step| step.id.clone()).collect();
                let run = OpenRun { key: RunKey::of(started), started: event.at, undone, worked: false };
                self.open.insert(event.run.clone(), run);
            }
            EventKind::StepFinished { step, seconds } => {
                let Some(run) = self.open.get_mut(&event.run) else { return };
                run.undone.remove(step);
                run.worked = true;
                let measured = Measured { at: event.at, run: event.run.clone(), seconds: seconds.max(0.0) };
                let of_all = self.steps.entry(run.key.clone()).or_default();
                let earlier = of_all.entry(step.clone()).or_default();
                keep_latest(earlier, measured, STEPS_KEPT, |measured| (measured.at, &measured.run));
            }
            EventKind::StepFailed { .. } => {
                if let Some(run) = self.open.get_mut(&event.run) {
                    run.worked = true;
                }
            }
            EventKind::RunFinished { outcome, seconds } => {
                let Some(run) = self.open.remove(&event.run).filter(|run| run.worked) else { return };
                let past = PastRun {
                    id: event.run.clone(),
                    started: run.started,
                    outcome: *outcome,
                    seconds: seconds.max(0.0),
                    complete: run.undone.is_empty(),
                };
                keep_latest(self.runs.entry(run.key).or_default(), past, RUNS_KEPT, |past| (past.started, &past.id));
            }
            EventKind::StepStarted { .. }
            | EventKind::StepProgress { .. }
            | EventKind::StepRetried { .. }
            | EventKind::StepSkipped { .. }
            | EventKind::ResourceChanged { .. }
            | EventKind::LogLine { .. }
            | EventKind::BuildPhase { .. }
            | EventKind::TrialStage { .. } => {}
        }
    }

    /// The median of what a step took when it was done.
    pub fn step_median(&self, key: &RunKey, step: &StepId) -> Option<f64> {
        median(self.measured(key, step).iter().map(|measured| measured.seconds))
    }

    /// The figures of the runs that can be compared.
    pub fn statistics(&self, key: &RunKey) -> RunStatistics {
        let runs = self.runs.get(key).map(Vec::as_slice).unwrap_or_default();
        let complete = || runs.iter().filter(|run| run.complete).map(|run| run.seconds);
        RunStatistics {
            runs: runs.len(),
            succeeded: runs.iter().filter(|run| run.outcome == Outcome::Succeeded).count(),
            median: median(complete()),
            fastest: complete().reduce(f64::min),
            slowest: complete().reduce(f64::max),
            last: runs.iter().rev().cloned().collect(),
        }
    }

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
            let known = self.measured(key, id).len();
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

    fn measured(&self, key: &RunKey, step: &StepId) -> &[Measured] {
        self.steps.get(key).and_then(|steps| steps.get(step)).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Adds an item to those kept, which are in the order of `by`, and lets go of the earliest if they are too many: what is kept
/// does not depend on the order in which they came.
fn keep_latest<T>(kept: &mut Vec<T>, item: T, most: usize, by: impl Fn(&T) -> (DateTime<Utc>, &RunId)) {
    let place = kept.partition_point(|other| by(other) <= by(&item));
    kept.insert(place, item);
    if kept.len() > most {
        kept.remove(0);
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
        let span = |id: &StepId| waterfall.bar(id).map_or(Span::Waiting, |bar| bar.span.clone());
        let passes = |span: &Span| match span {
            Span::Done { .. } | Span::Skipped(SkipReason::AlreadyDone) => true,
            Span::Failed { .. } => !stops,
            Span::Waiting | Span::Running { .. } | Span::Skipped(_) => false,
        };
        let stopped = stops && waterfall.bars.iter().any(|bar| matches!(bar.span, Span::Failed { .. }));
        let ended = waterfall.ended.is_some();
        let ids = || plan.steps().iter().map(|step| &step.id);
        let waits = |(_, id): &(usize, &StepId)| !stopped && !ended && span(id) == Span::Waiting;
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
    use proptest::prelude::*;

    use super::*;
    use crate::timing::scripted::{self, told};

    fn key(action: Action) -> RunKey {
        RunKey { action, strategy: StrategyKind::Sdk, cloud: "sandbox".into() }
    }

    fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> History {
        let mut history = History::default();
        for event in events {
            history.apply(event);
        }
        history
    }

    fn end(outcome: Outcome, seconds: f64) -> EventKind {
        EventKind::RunFinished { outcome, seconds }
    }

    /// A run of `first`, then `second`.
    fn run(id: &str, began: i64, first: EventKind, second: EventKind, outcome: Outcome, seconds: f64) -> Vec<Event> {
        let plan = scripted::plan(&[("first", &[]), ("second", &["first"])]);
        let told = vec![(1.0, first), (2.0, second), (2.0, end(outcome, seconds))];
        scripted::run(id, began, Action::Deploy, &plan, told)
    }

    fn complete(id: &str, began: i64, seconds: f64) -> Vec<Event> {
        let (first, second) = (told::finished("first", seconds / 4.0), told::finished("second", seconds));
        run(id, began, first, second, Outcome::Succeeded, seconds)
    }

    #[test]
    fn only_complete_runs_say_how_long_a_run_takes() {
        let already = |step| told::skipped(step, SkipReason::AlreadyDone);
        let mut events = complete("1", 100, 8.0);
        events.extend(complete("2", 200, 4.0));
        events.extend(run("3", 300, already("first"), already("second"), Outcome::Succeeded, 0.1));
        events.extend(run("4", 400, already("first"), told::finished("second", 1.0), Outcome::Succeeded, 1.0));
        let cancelled = told::skipped("second", SkipReason::Failed);
        events.extend(run("5", 500, told::failed("first", 0.5), cancelled, Outcome::Failed, 0.5));
        let history = fold(&events);
        let statistics = history.statistics(&key(Action::Deploy));
        assert_eq!((statistics.runs, statistics.succeeded), (4, 3));
        assert_eq!((statistics.median, statistics.fastest, statistics.slowest), (Some(6.0), Some(4.0), Some(8.0)));
        let last: Vec<(&str, bool)> = statistics.last.iter().map(|run| (run.id.as_str(), run.complete)).collect();
        assert_eq!(last, [("5", false), ("4", false), ("2", true), ("1", true)]);
        assert_eq!(history.step_median(&key(Action::Deploy), &"second".into()), Some(4.0));
        assert_eq!(history.step_median(&key(Action::Deploy), &"first".into()), Some(1.5));
        assert_eq!(history.statistics(&key(Action::Destroy)), RunStatistics::default());
        assert_eq!(history.step_median(&key(Action::Destroy), &"first".into()), None);
    }

    #[test]
    fn a_run_whose_process_died_gives_the_times_of_its_steps_and_is_no_past_run() {
        let events = complete("1", 100, 8.0);
        let history = fold(&events[..2]);
        assert_eq!(history.step_median(&key(Action::Deploy), &"first".into()), Some(2.0));
        assert_eq!(history.statistics(&key(Action::Deploy)).runs, 0);
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let count = 60;
        let events: Vec<Event> =
            (0..count).flat_map(|n| complete(&format!("{n:04}"), 100 * (n + 1), f64::from(n as u8))).collect();
        let history = fold(&events);
        let statistics = history.statistics(&key(Action::Deploy));
        assert_eq!((statistics.runs, statistics.fastest, statistics.slowest), (50, Some(10.0), Some(59.0)));
        // The last twenty: 40 to 59.
        assert_eq!(history.step_median(&key(Action::Deploy), &"second".into()), Some(49.5));
    }

    fn to_go(history: &History, plan: &Plan, told: Vec<(f64, EventKind)>, now: f64) -> Option<Estimate> {
        let events = scripted::run("now", 900, Action::Deploy, plan, told);
        let waterfall = Waterfall::fold(&events).expect("the run is told from its start");
        history.estimate(&key(Action::Deploy), plan, &waterfall, now, 2)
    }

    #[test]
    fn a_step_that_runs_longer_than_ever_is_expected_to_end_now() {
        let plan = scripted::plan(&[("first", &[]), ("second", &["first"])]);
        let history = fold(&complete("1", 100, 8.0));
        let estimate = |seconds_to_go| Some(Estimate { seconds_to_go, from_runs: 1 });
        assert_eq!(to_go(&history, &plan, vec![], 0.0), estimate(10.0));
        assert_eq!(to_go(&history, &plan, vec![(1.0, told::started("first"))], 2.5), estimate(8.5));
        assert_eq!(to_go(&history, &plan, vec![(1.0, told::started("first"))], 50.0), estimate(8.0));
    }

    #[test]
    fn one_unknown_step_makes_the_end_unknown_until_it_is_over() {
        let plan = scripted::plan(&[("new", &[]), ("first", &[]), ("second", &["first", "new"])]);
        let history = fold(&complete("1", 100, 8.0));
        assert_eq!(to_go(&history, &plan, vec![], 0.0), None);
        assert_eq!(to_go(&history, &plan, vec![(0.0, told::started("new"))], 1.0), None);
        let told = vec![(0.0, told::started("new")), (3.0, told::finished("new", 3.0))];
        assert_eq!(to_go(&history, &plan, told, 3.0), Some(Estimate { seconds_to_go: 10.0, from_runs: 1 }));
    }

    #[test]
    fn an_estimate_says_from_how_few_runs_its_least_known_step_is_known() {
        let plan = scripted::plan(&[("first", &[]), ("second", &["first"])]);
        let mut events = complete("1", 100, 8.0);
        let already = told::skipped("first", SkipReason::AlreadyDone);
        events.extend(run("2", 200, already, told::finished("second", 4.0), Outcome::Succeeded, 4.0));
        let history = fold(&events);
        assert_eq!(to_go(&history, &plan, vec![], 0.0), Some(Estimate { seconds_to_go: 8.0, from_runs: 1 }));
        let told = vec![(2.0, told::finished("first", 2.0))];
        assert_eq!(to_go(&history, &plan, told, 2.0), Some(Estimate { seconds_to_go: 6.0, from_runs: 2 }));
    }

    #[test]
    fn after_a_failure_only_what_runs_is_left_of_a_deployment() {
        let plan = scripted::plan(&[("x", &[]), ("first", &[]), ("second", &["first"])]);
        let history = fold(&complete("1", 100, 8.0));
        let mut told = vec![(0.0, told::started("first")), (0.5, told::failed("x", 0.5))];
        let first_alone = Some(Estimate { seconds_to_go: 1.0, from_runs: 1 });
        assert_eq!(to_go(&history, &plan, told.clone(), 1.0), first_alone);
        told.push((2.0, told::finished("first", 2.0)));
        assert_eq!(to_go(&history, &plan, told.clone(), 2.0), None);
        let told = vec![(0.0, told::started("first")), (1.0, end(Outcome::Failed, 1.0))];
        assert_eq!(to_go(&history, &plan, told, 1.0), None);
    }

    #[test]
    fn a_teardown_goes_on_behind_a_failure() {
        let plan = scripted::plan(&[("first", &[]), ("second", &["first"])]);
        let past = vec![
            (1.0, told::finished("first", 1.0)),
            (4.0, told::finished("second", 3.0)),
            (4.0, end(Outcome::Succeeded, 4.0)),
        ];
        let history = fold(&scripted::run("1", 100, Action::Destroy, &plan, past));
        let events = scripted::run("2", 900, Action::Destroy, &plan, vec![(2.0, told::failed("first", 2.0))]);
        let waterfall = Waterfall::fold(&events).expect("the run is told from its start");
        let estimate = history.estimate(&key(Action::Destroy), &plan, &waterfall, 2.0, 1);
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
            let history = fold(&past);
            let estimate = history.estimate(&key(Action::Deploy), &script.plan, &run, now, script.parallelism);
            let took = history.statistics(&key(Action::Deploy)).median.expect("the runs were complete");
            let over = run.bars.iter().all(|bar| bar.span.is_over());
            let expected = (!over).then_some(Estimate { seconds_to_go: took - now, from_runs: before });
            prop_assert_eq!(estimate, expected);
        }

        #[test]
        fn runs_are_known_alike_in_whichever_order_they_are_told(
            lengths in proptest::collection::vec((1u32..100, 0i64..40), 1..60),
            turns in proptest::collection::vec(0usize..60, 0..200),
        ) {
            let runs: Vec<Vec<Event>> = lengths
                .iter()
                .enumerate()
                .map(|(n, (seconds, began))| complete(&format!("{n:04}"), *began, f64::from(*seconds)))
                .collect();
            let in_order = fold(runs.iter().flatten());
            let mut queues: Vec<std::slice::Iter<'_, Event>> = runs.iter().map(|run| run.iter()).collect();
            let mut mixed = History::default();
            for turn in turns {
                let queue = turn % queues.len();
                if let Some(event) = queues[queue].next() {
                    mixed.apply(event);
                }
            }
            queues.into_iter().rev().flatten().for_each(|event| mixed.apply(event));
            prop_assert_eq!(mixed, in_order);
        }

        #[test]
        fn whatever_was_measured_the_rest_takes_no_less_than_its_longest_chain_and_no_more_than_all_its_steps(
            script in scripted::script(),
            other in proptest::collection::vec(1u32..400, 10),
            parallelism in 0usize..6,
        ) {
            let mut second = script.clone();
            second.seconds.iter_mut().zip(other).for_each(|(seconds, eighths)| *seconds = f64::from(eighths) / 8.0);
            let history = fold(script.events("1", 0).iter().chain(&second.events("2", 50_000)));
            let fresh = Waterfall::fold(&scripted::run("3", 90_000, Action::Deploy, &script.plan, Vec::new()));
            let fresh = fresh.expect("the run is told from its start");
            let key = key(Action::Deploy);
            let estimate = history.estimate(&key, &script.plan, &fresh, 0.0, parallelism).expect("all is known");
            let mut chains: BTreeMap<&StepId, f64> = BTreeMap::new();
            let mut sum = 0.0;
            for step in script.plan.steps() {
                let seconds = history.step_median(&key, &step.id).expect("it was done twice");
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
