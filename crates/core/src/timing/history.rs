//! What earlier runs took.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::statistics::median;
use crate::event::{Action, Event, EventKind, Outcome, RunId, RunStarted, StrategyKind};
use crate::plan::StepId;

/// How many earlier times of each step are kept: the latest.
const STEPS_KEPT: usize = 20;

/// How many earlier runs are kept: the latest.
const RUNS_KEPT: usize = 50;

/// Which runs can be compared: those that do the same, in the same way, in the same cloud, at the same pace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey {
    /// What they do.
    pub action: Action,
    /// By which of the three ways.
    pub strategy: StrategyKind,
    /// In which cloud, as it is called on the screen.
    pub cloud: String,
    /// At whose pace, where that is not the cloud's own.
    pub pace: Option<String>,
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
    /// The steps that run.
    running: BTreeSet<StepId>,
    /// Since when none has run.
    idle_since: Option<DateTime<Utc>>,
    /// How long none ran, in seconds, between the first step and the last.
    idle: f64,
}

impl OpenRun {
    fn new(started: &RunStarted, at: DateTime<Utc>) -> Self {
        Self {
            key: RunKey::of(started),
            started: at,
            undone: started.plan.steps().iter().map(|step| step.id.clone()).collect(),
            worked: false,
            running: BTreeSet::new(),
            idle_since: None,
            idle: 0.0,
        }
    }

    fn step_begins(&mut self, step: &StepId, at: DateTime<Utc>) {
        if let Some(since) = self.idle_since.take() {
            self.idle += (at - since).as_seconds_f64().max(0.0);
        }
        self.running.insert(step.clone());
    }

    fn step_ends(&mut self, step: &StepId, at: DateTime<Utc>) {
        if self.running.remove(step) && self.running.is_empty() {
            self.idle_since = Some(at);
        }
    }

    /// Whether the run stood still for so long that its user must have held it, step by step: its time is then theirs. The
    /// engine itself starts what can start at once.
    fn was_held(&self, seconds: f64) -> bool {
        self.idle > 0.5 && self.idle > seconds * 0.05
    }
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
    /// Whether every one of its steps was done, and without its user holding it: only such runs say how long a run takes.
    pub complete: bool,
}

/// Figures of earlier runs.
///
/// Runs in which no step did anything, because everything was there or gone already, are not counted at all. The times are
/// those of complete runs alone: a run that found a part done, failed or was cancelled is shorter than the work that it
/// stands for, and one that was held step by step is longer.
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

impl RunKey {
    /// With which runs a run can be compared.
    pub fn of(started: &RunStarted) -> Self {
        Self {
            action: started.action,
            strategy: started.strategy,
            cloud: started.cloud.clone(),
            pace: started.pace.clone(),
        }
    }
}

impl History {
    /// Takes in one more event.
    pub fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted(started) => {
                self.open.insert(event.run.clone(), OpenRun::new(started, event.at));
            }
            EventKind::StepFinished { step, seconds } => {
                let Some(run) = self.open.get_mut(&event.run) else { return };
                run.undone.remove(step);
                run.worked = true;
                run.step_ends(step, event.at);
                let measured = Measured { at: event.at, run: event.run.clone(), seconds: seconds.max(0.0) };
                let of_all = self.steps.entry(run.key.clone()).or_default();
                let earlier = of_all.entry(step.clone()).or_default();
                keep_latest(earlier, measured, STEPS_KEPT, |measured| (measured.at, &measured.run));
            }
            EventKind::StepFailed { step, .. } => {
                if let Some(run) = self.open.get_mut(&event.run) {
                    run.worked = true;
                    run.step_ends(step, event.at);
                }
            }
            EventKind::StepStarted { step } => {
                if let Some(run) = self.open.get_mut(&event.run) {
                    run.step_begins(step, event.at);
                }
            }
            EventKind::StepSkipped { step, .. } => {
                if let Some(run) = self.open.get_mut(&event.run) {
                    run.step_ends(step, event.at);
                }
            }
            EventKind::RunFinished { outcome, seconds } => {
                let Some(run) = self.open.remove(&event.run).filter(|run| run.worked) else { return };
                let past = PastRun {
                    id: event.run.clone(),
                    started: run.started,
                    outcome: *outcome,
                    seconds: seconds.max(0.0),
                    complete: run.undone.is_empty() && !run.was_held(*seconds),
                };
                keep_latest(self.runs.entry(run.key).or_default(), past, RUNS_KEPT, |past| (past.started, &past.id));
            }
            EventKind::StepProgress { .. }
            | EventKind::StepRetried { .. }
            | EventKind::ResourceChanged { .. }
            | EventKind::LogLine { .. }
            | EventKind::ToolFound { .. }
            | EventKind::WarningGiven { .. }
            | EventKind::OutputGiven { .. }
            | EventKind::ChangePlanned { .. }
            | EventKind::BuildPhase { .. }
            | EventKind::TestUploadStage { .. } => {}
        }
    }

    /// The kinds of runs of which there are figures.
    pub fn keys(&self) -> impl Iterator<Item = &RunKey> {
        self.runs.keys()
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

    /// How many times of a step are known.
    pub(super) fn times_known(&self, key: &RunKey, step: &StepId) -> usize {
        self.measured(key, step).len()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::SkipReason;
    use crate::timing::scripted::{complete, end, history, key, pair, plan, run, told};

    #[test]
    fn a_run_that_was_held_between_its_steps_says_nothing_about_how_long_a_run_takes() {
        let plan = plan(&[("first", &[]), ("second", &["first"])]);
        let steps = |pause: f64| {
            let told = vec![
                (0.0, told::started("first")),
                (1.0, told::finished("first", 1.0)),
                (1.0 + pause, told::started("second")),
                (3.0 + pause, told::finished("second", 2.0)),
                (3.0 + pause, end(Outcome::Succeeded, 3.0 + pause)),
            ];
            run("1", 100, Action::Deploy, &plan, told)
        };
        let statistics = |pause| history(&steps(pause)).statistics(&key(Action::Deploy));
        assert_eq!(statistics(0.01).median, Some(3.01));
        assert_eq!(statistics(30.0).median, None);
        assert_eq!((statistics(30.0).runs, statistics(30.0).succeeded), (1, 1));
        let held = history(&steps(30.0));
        assert_eq!(held.step_median(&key(Action::Deploy), &"second".into()), Some(2.0), "its steps are known");
    }

    #[test]
    fn runs_at_another_pace_are_no_measure() {
        let mut slow = complete("1", 100, 80.0);
        for event in &mut slow {
            if let EventKind::RunStarted(started) = &mut event.kind {
                started.pace = Some("AWS's pace".into());
            }
        }
        let known = history(slow.iter().chain(&complete("2", 200, 2.0)));
        assert_eq!(known.statistics(&key(Action::Deploy)).median, Some(2.0));
        let at_aws_pace = RunKey { pace: Some("AWS's pace".into()), ..key(Action::Deploy) };
        assert_eq!(known.statistics(&at_aws_pace).median, Some(80.0));
    }

    #[test]
    fn only_complete_runs_say_how_long_a_run_takes() {
        let already = |step| told::skipped(step, SkipReason::AlreadyDone);
        let mut events = complete("1", 100, 8.0);
        events.extend(complete("2", 200, 4.0));
        events.extend(pair("3", 300, already("first"), already("second"), Outcome::Succeeded, 0.1));
        events.extend(pair("4", 400, already("first"), told::finished("second", 1.0), Outcome::Succeeded, 1.0));
        let cancelled = told::skipped("second", SkipReason::Failed);
        events.extend(pair("5", 500, told::failed("first", 0.5), cancelled, Outcome::Failed, 0.5));
        let known = history(&events);
        let statistics = known.statistics(&key(Action::Deploy));
        assert_eq!((statistics.runs, statistics.succeeded), (4, 3));
        assert_eq!((statistics.median, statistics.fastest, statistics.slowest), (Some(6.0), Some(4.0), Some(8.0)));
        let last: Vec<(&str, bool)> = statistics.last.iter().map(|run| (run.id.as_str(), run.complete)).collect();
        assert_eq!(last, [("5", false), ("4", false), ("2", true), ("1", true)]);
        assert_eq!(known.step_median(&key(Action::Deploy), &"second".into()), Some(4.0));
        assert_eq!(known.step_median(&key(Action::Deploy), &"first".into()), Some(1.5));
        assert_eq!(known.statistics(&key(Action::Destroy)), RunStatistics::default());
        assert_eq!(known.step_median(&key(Action::Destroy), &"first".into()), None);
    }

    #[test]
    fn a_run_whose_process_died_gives_the_times_of_its_steps_and_is_no_past_run() {
        let events = complete("1", 100, 8.0);
        let known = history(&events[..2]);
        assert_eq!(known.step_median(&key(Action::Deploy), &"first".into()), Some(2.0));
        assert_eq!(known.statistics(&key(Action::Deploy)).runs, 0);
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let count = 60;
        let events: Vec<Event> =
            (0..count).flat_map(|n| complete(&format!("{n:04}"), 100 * (n + 1), f64::from(n as u8))).collect();
        let known = history(&events);
        let statistics = known.statistics(&key(Action::Deploy));
        assert_eq!((statistics.runs, statistics.fastest, statistics.slowest), (50, Some(10.0), Some(59.0)));
        // The last twenty: 40 to 59.
        assert_eq!(known.step_median(&key(Action::Deploy), &"second".into()), Some(49.5));
    }

    proptest! {
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
            let in_order = history(runs.iter().flatten());
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
    }
}
