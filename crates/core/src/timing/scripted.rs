//! Test runs: written by hand, or simulated by simple rules.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use crate::event::{Action, Event, EventKind, Outcome, RunId, RunStarted, StrategyKind, VERSION};
use crate::names::{DeploymentName, Names, Suffix};
use crate::plan::{Plan, Step, StepId};
use crate::timing::{History, RunKey};

/// Events of steps.
pub(super) mod step_event {
    use crate::event::{EventKind, Failure, SkipReason};

    pub(in crate::timing) fn started(step: &str) -> EventKind {
        EventKind::StepStarted { step: step.into() }
    }

    pub(in crate::timing) fn finished(step: &str, seconds: f64) -> EventKind {
        EventKind::StepFinished { step: step.into(), seconds }
    }

    pub(in crate::timing) fn failed(step: &str, seconds: f64) -> EventKind {
        EventKind::StepFailed { step: step.into(), seconds, error: Failure::new("no") }
    }

    pub(in crate::timing) fn skipped(step: &str, reason: SkipReason) -> EventKind {
        EventKind::StepSkipped { step: step.into(), reason }
    }

    pub(in crate::timing) fn retried(step: &str) -> EventKind {
        EventKind::StepRetried { step: step.into(), attempt: 1, reason: "throttled".into(), delay: 0.5 }
    }
}

/// A plan of steps with their dependencies.
pub(super) fn plan(steps: &[(&str, &[&str])]) -> Plan {
    let steps = steps.iter().map(|(id, needs)| Step::new(id, *id, "").needs(*needs));
    Plan::new(steps.collect()).expect("a valid plan")
}

/// The events of a run that started `began` seconds after 1970, each with its seconds since the start.
pub(super) fn run(id: &str, began: i64, action: Action, plan: &Plan, events: Vec<(f64, EventKind)>) -> Vec<Event> {
    let name = DeploymentName::new("demo").expect("a valid name");
    let started = RunStarted {
        action,
        deployment: "demo".into(),
        strategy: StrategyKind::Sdk,
        cloud: "sandbox".into(),
        pace: None,
        account: "000000000000".into(),
        region: "eu-central-1".into(),
        names: Names::new(name, Suffix::from_number(1)),
        plan: plan.clone(),
    };
    let began: DateTime<Utc> = DateTime::from_timestamp(began, 0).expect("a time");
    let first = (0.0, EventKind::RunStarted(Box::new(started)));
    let all = std::iter::once(first).chain(events).enumerate();
    all.map(|(seq, (seconds, kind))| {
        let at = began + TimeDelta::milliseconds((seconds * 1000.0).round() as i64);
        Event { v: VERSION, run: RunId::from_file_stem(id), seq: seq as u64, at, kind }
    })
    .collect()
}

/// A plan, the duration of each step, and the parallelism.
#[derive(Clone, Debug)]
pub(super) struct ScriptedRun {
    pub(super) plan: Plan,
    /// In plan order; eighths of a second, so that sums are exact.
    pub(super) seconds: Vec<f64>,
    pub(super) parallelism: usize,
}

/// Any plan of up to ten steps.
pub(super) fn scripted_run() -> impl Strategy<Value = ScriptedRun> {
    let edges = proptest::collection::vec((0usize..10, 0usize..10), 0..25);
    let eighths = proptest::collection::vec(1u32..400, 1..10);
    (edges, eighths, 1usize..6).prop_map(|(edges, eighths, parallelism)| {
        let steps = (0..eighths.len()).map(|n| {
            // Edges from smaller to larger numbers only: acyclic.
            let needs: BTreeSet<String> =
                edges.iter().filter(|(a, b)| *b == n && a < b).map(|(a, _)| format!("s{a}")).collect();
            let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
            Step::new(format!("s{n}"), format!("Step {n}"), "").needs(&needs)
        });
        let plan = Plan::new(steps.collect()).expect("an acyclic graph is a plan");
        ScriptedRun { plan, seconds: eighths.into_iter().map(|n| f64::from(n) / 8.0).collect(), parallelism }
    })
}

impl ScriptedRun {
    /// The events that the engine emits for this run.
    pub(super) fn events(&self, id: &str, began: i64) -> Vec<Event> {
        let steps = self.plan.steps();
        let mut emitted = Vec::new();
        let mut now = 0.0;
        let (mut started, mut done) = (BTreeSet::new(), BTreeSet::<&StepId>::new());
        let mut running: Vec<(f64, usize)> = Vec::new();
        while done.len() < steps.len() {
            while running.len() < self.parallelism {
                let ready = |n: &usize| !started.contains(n) && steps[*n].needs.iter().all(|id| done.contains(id));
                let Some(n) = (0..steps.len()).find(ready) else { break };
                started.insert(n);
                running.push((now + self.seconds[n], n));
                emitted.push((now, step_event::started(steps[n].id.as_str())));
            }
            running.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let (end, n) = running.remove(0);
            now = end;
            done.insert(&steps[n].id);
            emitted.push((now, step_event::finished(steps[n].id.as_str(), self.seconds[n])));
        }
        emitted.push((now, EventKind::RunFinished { outcome: Outcome::Succeeded, seconds: now }));
        run(id, began, Action::Deploy, &self.plan, emitted)
    }
}

/// The key of the runs in this module.
pub(super) fn key(action: Action) -> RunKey {
    RunKey { action, strategy: StrategyKind::Sdk, cloud: "sandbox".into(), pace: None }
}

/// The history of these events.
pub(super) fn history<'a>(events: impl IntoIterator<Item = &'a Event>) -> History {
    let mut history = History::default();
    for event in events {
        history.apply(event);
    }
    history
}

/// The last event of a run.
pub(super) fn end(outcome: Outcome, seconds: f64) -> EventKind {
    EventKind::RunFinished { outcome, seconds }
}

/// A deployment of two steps, `first` and then `second`, with these results.
pub(super) fn pair(
    id: &str,
    began: i64,
    first: EventKind,
    second: EventKind,
    outcome: Outcome,
    seconds: f64,
) -> Vec<Event> {
    let both = plan(&[("first", &[]), ("second", &["first"])]);
    let events = vec![(1.0, first), (2.0, second), (2.0, end(outcome, seconds))];
    run(id, began, Action::Deploy, &both, events)
}

/// A successful deployment of two steps, the second in `seconds` and the first in a quarter of that.
pub(super) fn complete(id: &str, began: i64, seconds: f64) -> Vec<Event> {
    let (first, second) = (step_event::finished("first", seconds / 4.0), step_event::finished("second", seconds));
    pair(id, began, first, second, Outcome::Succeeded, seconds)
}
