//! The durations of earlier runs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::statistics::median;
use crate::event::{Action, Event, EventKind, Outcome, RunId, RunStarted, StrategyKind};
use crate::plan::StepId;

/// The number of latest durations kept for each step.
const STEPS_KEPT: usize = 20;

/// The number of latest runs kept.
const RUNS_KEPT: usize = 50;

/// The key of comparable runs: same action, strategy, cloud and pace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey {
    /// The action.
    pub action: Action,
    /// The strategy.
    pub strategy: StrategyKind,
    /// The cloud's display name.
    pub cloud: String,
    /// The pace of a sandbox with AWS latency.
    pub pace: Option<String>,
}

/// The durations of earlier runs: a fold over the events of all runs, which may be interleaved in any order.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct History {
    steps: BTreeMap<RunKey, BTreeMap<StepId, Vec<StepDuration>>>,
    runs: BTreeMap<RunKey, Vec<PastRun>>,
    open: BTreeMap<RunId, OpenRun>,
}

/// The duration of a step in one run.
#[derive(Clone, Debug, PartialEq)]
struct StepDuration {
    at: DateTime<Utc>,
    run: RunId,
    seconds: f64,
}

/// A run without its last event.
#[derive(Clone, Debug, PartialEq)]
struct OpenRun {
    key: RunKey,
    started: DateTime<Utc>,
    /// The steps that have not succeeded.
    remaining: BTreeSet<StepId>,
    /// Whether any step made changes.
    made_changes: bool,
    /// The running steps.
    running: BTreeSet<StepId>,
    /// The start of the current idle time.
    idle_since: Option<DateTime<Utc>>,
    /// The idle seconds between the first and the last step.
    idle: f64,
}

impl OpenRun {
    fn new(started: &RunStarted, at: DateTime<Utc>) -> Self {
        Self {
            key: RunKey::of(started),
            started: at,
            remaining: started.plan.steps().iter().map(|step| step.id.clone()).collect(),
            made_changes: false,
            running: BTreeSet::new(),
            idle_since: None,
            idle: 0.0,
        }
    }

    fn start_step(&mut self, step: &StepId, at: DateTime<Utc>) {
        if let Some(since) = self.idle_since.take() {
            self.idle += (at - since).as_seconds_f64().max(0.0);
        }
        self.running.insert(step.clone());
    }

    fn end_step(&mut self, step: &StepId, at: DateTime<Utc>) {
        if self.running.remove(step) && self.running.is_empty() {
            self.idle_since = Some(at);
        }
    }

    /// Whether the run was idle for so long that the user must have paused it in step-by-step mode, which makes its duration
    /// meaningless. The engine itself starts ready steps at once.
    fn was_paused(&self, seconds: f64) -> bool {
        self.idle > 0.5 && self.idle > seconds * 0.05
    }
}

/// A finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct PastRun {
    /// Its id.
    pub id: RunId,
    /// Its start time.
    pub started: DateTime<Utc>,
    /// Its outcome.
    pub outcome: Outcome,
    /// Its duration in seconds.
    pub seconds: f64,
    /// Whether all its steps succeeded without pauses; only the durations of such runs are comparable.
    pub complete: bool,
}

/// Statistics of earlier runs.
///
/// Runs without any changes are not counted. Durations are those of complete runs: partial, failed and cancelled runs are
/// too short, and paused ones too long.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct RunStatistics {
    /// The number of known runs, limited to the latest.
    pub runs: usize,
    /// The number of succeeded runs.
    pub succeeded: usize,
    /// The median duration of complete runs.
    pub median: Option<f64>,
    /// The shortest duration of a complete run.
    pub fastest: Option<f64>,
    /// The longest duration of a complete run.
    pub slowest: Option<f64>,
    /// The runs, latest first.
    pub last: Vec<PastRun>,
}

impl RunKey {
    /// The key of a run.
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
    /// Applies one more event.
    pub fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted(started) => {
                self.open.insert(event.run.clone(), OpenRun::new(started, event.at));
            }
            EventKind::StepFinished { step, seconds } => {
                let Some(run) = self.open.get_mut(&event.run) else { return };
                run.remaining.remove(step);
                run.made_changes = true;
                run.end_step(step, event.at);
                let measured = StepDuration { at: event.at, run: event.run.clone(), seconds: seconds.max(0.0) };
                let durations = self.steps.entry(run.key.clone()).or_default();
                let earlier = durations.entry(step.clone()).or_default();
                keep_latest(earlier, measured, STEPS_KEPT, |measured| (measured.at, &measured.run));
            }
            EventKind::StepFailed { step, .. } => {
                if let Some(run) = self.open.get_mut(&event.run) {
                    run.made_changes = true;
                    run.end_step(step, event.at);
                }
            }
            EventKind::StepStarted { step } => {
                if let Some(run) = self.open.get_mut(&event.run) {
                    run.start_step(step, event.at);
                }
            }
            EventKind::StepSkipped { step, .. } => {
                if let Some(run) = self.open.get_mut(&event.run) {
                    run.end_step(step, event.at);
                }
            }
            EventKind::RunFinished { outcome, seconds } => {
                let Some(run) = self.open.remove(&event.run).filter(|run| run.made_changes) else { return };
                let past = PastRun {
                    id: event.run.clone(),
                    started: run.started,
                    outcome: *outcome,
                    seconds: seconds.max(0.0),
                    complete: run.remaining.is_empty() && !run.was_paused(*seconds),
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
            | EventKind::TestUploadStage { .. }
            | EventKind::Unknown(_) => {}
        }
    }

    /// The keys of all known runs.
    pub fn keys(&self) -> impl Iterator<Item = &RunKey> {
        self.runs.keys()
    }

    /// The median duration of a step.
    pub fn step_median(&self, key: &RunKey, step: &StepId) -> Option<f64> {
        median(self.measured(key, step).iter().map(|measured| measured.seconds))
    }

    /// The statistics of comparable runs.
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

    /// The number of known durations of a step.
    pub(super) fn known_durations(&self, key: &RunKey, step: &StepId) -> usize {
        self.measured(key, step).len()
    }

    fn measured(&self, key: &RunKey, step: &StepId) -> &[StepDuration] {
        self.steps.get(key).and_then(|steps| steps.get(step)).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Inserts an item in the order of `by` and removes the earliest above the limit, so that the result is independent of the
/// order of insertion.
fn keep_latest<T>(kept: &mut Vec<T>, item: T, limit: usize, by: impl Fn(&T) -> (DateTime<Utc>, &RunId)) {
    let position = kept.partition_point(|other| by(other) <= by(&item));
    kept.insert(position, item);
    if kept.len() > limit {
        kept.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::SkipReason;
    use crate::timing::scripted::{complete, end, history, key, pair, plan, run, step_event};

    #[test]
    fn paused_run_has_no_comparable_duration() {
        let plan = plan(&[("first", &[]), ("second", &["first"])]);
        let steps = |pause: f64| {
            let events = vec![
                (0.0, step_event::started("first")),
                (1.0, step_event::finished("first", 1.0)),
                (1.0 + pause, step_event::started("second")),
                (3.0 + pause, step_event::finished("second", 2.0)),
                (3.0 + pause, end(Outcome::Succeeded, 3.0 + pause)),
            ];
            run("1", 100, Action::Deploy, &plan, events)
        };
        let statistics = |pause| history(&steps(pause)).statistics(&key(Action::Deploy));
        assert_eq!(statistics(0.01).median, Some(3.01));
        assert_eq!(statistics(30.0).median, None);
        assert_eq!((statistics(30.0).runs, statistics(30.0).succeeded), (1, 1));
        let paused = history(&steps(30.0));
        assert_eq!(paused.step_median(&key(Action::Deploy), &"second".into()), Some(2.0), "its steps have durations");
    }

    #[test]
    fn runs_at_different_pace_are_separate() {
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
    fn statistics_use_complete_runs_only() {
        let already = |step| step_event::skipped(step, SkipReason::AlreadyDone);
        let mut events = complete("1", 100, 8.0);
        events.extend(complete("2", 200, 4.0));
        events.extend(pair("3", 300, already("first"), already("second"), Outcome::Succeeded, 0.1));
        events.extend(pair("4", 400, already("first"), step_event::finished("second", 1.0), Outcome::Succeeded, 1.0));
        let cancelled = step_event::skipped("second", SkipReason::Failed);
        events.extend(pair("5", 500, step_event::failed("first", 0.5), cancelled, Outcome::Failed, 0.5));
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
    fn unfinished_run_contributes_step_durations_only() {
        let events = complete("1", 100, 8.0);
        let known = history(&events[..2]);
        assert_eq!(known.step_median(&key(Action::Deploy), &"first".into()), Some(2.0));
        assert_eq!(known.statistics(&key(Action::Deploy)).runs, 0);
    }

    #[test]
    fn oldest_runs_are_dropped() {
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
        fn history_is_independent_of_event_order(
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
