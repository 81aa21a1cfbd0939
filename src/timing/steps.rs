//! How long each step of a run took, and which chain of steps the run's time consists of.

use std::collections::BTreeMap;

use crate::event::{Action, Event, EventKind, Outcome, SkipReason};
use crate::plan::{Plan, Step, StepId};

/// A run's steps with their times.
#[derive(Clone, Debug, PartialEq)]
pub struct RunTiming {
    /// What the run does.
    pub action: Action,
    /// Its steps, in the plan's order.
    pub steps: Vec<StepTiming>,
    /// How it ended and after how many seconds, once it has.
    pub ended: Option<(Outcome, f64)>,
}

/// One step with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTiming {
    /// The step.
    pub step: Step,
    /// What has become of it.
    pub end: StepEnd,
    /// How often a call of it was made again.
    pub retries: u32,
}

/// What has become of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum StepEnd {
    /// It has not begun.
    Waiting,
    /// It has begun.
    Running,
    /// It was done, in so many seconds.
    Done(f64),
    /// It failed, after so many seconds.
    Failed(f64),
    /// It was not run.
    Skipped(SkipReason),
}

impl StepEnd {
    /// How long it took, if it ran to its end.
    pub fn seconds(&self) -> Option<f64> {
        match self {
            Self::Done(seconds) | Self::Failed(seconds) => Some(*seconds),
            Self::Waiting | Self::Running | Self::Skipped(_) => None,
        }
    }
}

/// Steps of which each needs the one before.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Chain {
    /// The steps, in their order.
    pub steps: Vec<StepId>,
    /// How long they took together.
    pub seconds: f64,
}

/// How many steps came to which end; together they are all steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tally {
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

impl RunTiming {
    /// A run of a plan, before its first step.
    pub fn new(action: Action, plan: &Plan) -> Self {
        let untouched = |step: &Step| StepTiming { step: step.clone(), end: StepEnd::Waiting, retries: 0 };
        Self { action, steps: plan.steps().iter().map(untouched).collect(), ended: None }
    }

    /// The times of a run that begins with the first of these events; none if it is not told how it begins.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Option<Self> {
        let mut run: Option<Self> = None;
        for event in events {
            match (&mut run, &event.kind) {
                (None, EventKind::RunStarted(started)) => run = Some(Self::new(started.action, &started.plan)),
                (Some(run), _) => run.apply(event),
                (None, _) => {}
            }
        }
        run
    }

    /// Takes in one more event.
    pub fn apply(&mut self, event: &Event) {
        let (step, end) = match &event.kind {
            EventKind::StepStarted { step } => (step, StepEnd::Running),
            EventKind::StepFinished { step, seconds } => (step, StepEnd::Done(*seconds)),
            EventKind::StepFailed { step, seconds, .. } => (step, StepEnd::Failed(*seconds)),
            EventKind::StepSkipped { step, reason } => (step, StepEnd::Skipped(*reason)),
            EventKind::StepRetried { step, .. } => {
                if let Some(timing) = self.timing_mut(step) {
                    timing.retries += 1;
                }
                return;
            }
            EventKind::RunFinished { outcome, seconds } => {
                self.ended = Some((*outcome, *seconds));
                return;
            }
            EventKind::RunStarted(_)
            | EventKind::StepProgress { .. }
            | EventKind::ResourceChanged { .. }
            | EventKind::LogLine { .. }
            | EventKind::BuildPhase { .. }
            | EventKind::TrialStage { .. } => return,
        };
        if let Some(timing) = self.timing_mut(step) {
            timing.end = end;
        }
    }

    fn timing_mut(&mut self, step: &StepId) -> Option<&mut StepTiming> {
        self.steps.iter_mut().find(|timing| timing.step.id == *step)
    }

    /// How long all steps took, one laid behind another.
    pub fn work(&self) -> f64 {
        self.steps.iter().filter_map(|timing| timing.end.seconds()).sum()
    }

    /// How many steps came to which end.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for timing in &self.steps {
            *match timing.end {
                StepEnd::Done(_) => &mut tally.done,
                StepEnd::Skipped(SkipReason::AlreadyDone) => &mut tally.already_done,
                StepEnd::Failed(_) => &mut tally.failed,
                StepEnd::Skipped(_) => &mut tally.skipped,
                StepEnd::Waiting | StepEnd::Running => &mut tally.open,
            } += 1;
        }
        tally
    }

    /// The chain of steps that took longest: the run could not have been shorter, however many steps ran side by side.
    pub fn longest_chain(&self) -> Chain {
        let mut chains: BTreeMap<&StepId, Chain> = BTreeMap::new();
        // Every step stands behind all that it needs, so their chains are known when it is its turn.
        for timing in &self.steps {
            let before = timing.step.needs.iter().filter_map(|id| chains.get(id));
            let mut chain = before.max_by(|a, b| a.seconds.total_cmp(&b.seconds)).cloned().unwrap_or_default();
            if let Some(seconds) = timing.end.seconds() {
                chain.steps.push(timing.step.id.clone());
                chain.seconds += seconds;
            }
            chains.insert(&timing.step.id, chain);
        }
        chains.into_values().max_by(|a, b| a.seconds.total_cmp(&b.seconds)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{RunId, VERSION};

    fn event(kind: EventKind) -> Event {
        let (run, at) = (RunId::from_file_stem("1"), chrono::DateTime::UNIX_EPOCH);
        Event { v: VERSION, run, seq: 0, at, kind }
    }

    fn run(needs: &[(&str, &[&str], f64)]) -> RunTiming {
        let steps = needs.iter().map(|(id, needs, _)| Step::new(id, *id, "").needs(needs)).collect();
        let mut run = RunTiming::new(Action::Deploy, &Plan::new(steps).expect("a good plan"));
        for (id, _, seconds) in needs {
            run.apply(&event(EventKind::StepFinished { step: (*id).into(), seconds: *seconds }));
        }
        run
    }

    #[test]
    fn the_longest_chain_goes_by_seconds_and_not_by_steps() {
        let run = run(&[
            ("a", &[], 1.0),
            ("b", &["a"], 1.0),
            ("c", &["b"], 1.0),
            ("slow", &[], 5.0),
            ("d", &["c", "slow"], 1.0),
        ]);
        let chain = run.longest_chain();
        assert_eq!(chain.steps, ["slow".into(), "d".into()]);
        assert!((chain.seconds - 6.0).abs() < 1e-9);
        assert!((run.work() - 9.0).abs() < 1e-9);
    }

    #[test]
    fn a_step_that_had_nothing_to_do_links_a_chain_and_costs_nothing() {
        let mut run = run(&[("a", &[], 2.0), ("b", &["a"], 1.0), ("c", &["b"], 3.0)]);
        run.apply(&event(EventKind::StepSkipped { step: "b".into(), reason: SkipReason::AlreadyDone }));
        assert_eq!(run.longest_chain(), Chain { steps: vec!["a".into(), "c".into()], seconds: 5.0 });
    }

    #[test]
    fn the_tally_adds_up() {
        let mut run = run(&[("a", &[], 2.0), ("b", &[], 1.0), ("c", &[], 3.0), ("d", &[], 0.0)]);
        run.apply(&event(EventKind::StepSkipped { step: "b".into(), reason: SkipReason::AlreadyDone }));
        run.apply(&event(EventKind::StepSkipped { step: "c".into(), reason: SkipReason::Cancelled }));
        run.apply(&event(EventKind::StepStarted { step: "d".into() }));
        assert_eq!(run.tally(), Tally { done: 1, already_done: 1, failed: 0, skipped: 1, open: 1 });
    }

    #[test]
    fn a_run_without_its_beginning_has_no_times() {
        assert_eq!(RunTiming::fold(&[event(EventKind::StepStarted { step: "a".into() })]), None);
    }
}
