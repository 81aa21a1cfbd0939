//! The start and end of each step of a run.

use chrono::{DateTime, Utc};

use crate::event::{Action, Event, EventKind, Outcome, RunStarted, SkipReason};
use crate::plan::{Step, StepId};
use crate::resource::ResourceKind;

/// The CodeBuild status of a phase in progress.
const IN_PROGRESS: &str = "IN_PROGRESS";

/// The CodeBuild status of a succeeded phase.
const SUCCEEDED: &str = "SUCCEEDED";

/// The CodeBuild phase that marks the end of a build and has no duration.
const COMPLETED: &str = "COMPLETED";

/// The steps of a run with their times, in seconds since the run's start.
#[derive(Clone, Debug, PartialEq)]
pub struct Waterfall {
    /// The action.
    pub action: Action,
    /// The steps, in plan order.
    pub bars: Vec<WaterfallBar>,
    /// The phases of its build, in order of their first event.
    pub phases: Vec<PhaseBar>,
    /// The start of the run.
    pub began: DateTime<Utc>,
    /// The outcome and duration, once it has ended.
    pub ended: Option<(Outcome, f64)>,
    /// The time of the last event.
    last_event: f64,
}

/// One step with its time span.
#[derive(Clone, Debug, PartialEq)]
pub struct WaterfallBar {
    /// The step.
    pub step: Step,
    /// Its time span.
    pub span: StepSpan,
    /// The number of retried calls.
    pub retries: u32,
}

/// The state and time span of a step, in seconds since the run's start.
#[derive(Clone, Debug, PartialEq)]
pub enum StepSpan {
    /// It has not started.
    Waiting,
    /// It is running.
    Running {
        /// Its start.
        from: f64,
    },
    /// It succeeded.
    Done {
        /// Its start.
        from: f64,
        /// Its end.
        to: f64,
    },
    /// It failed.
    Failed {
        /// Its start.
        from: f64,
        /// Its end.
        to: f64,
    },
    /// It was skipped.
    Skipped(SkipReason),
}

/// A phase of the build. Times are negative for a build that started before the run that resumed it.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseBar {
    /// CodeBuild's name for it, for example `PRE_BUILD`.
    pub phase: String,
    /// Its start.
    pub from: f64,
    /// Its end, once it has ended.
    pub to: Option<f64>,
    /// Whether it failed.
    pub failed: bool,
}

impl StepSpan {
    /// Its start, if it has started.
    pub fn from(&self) -> Option<f64> {
        match self {
            Self::Running { from } | Self::Done { from, .. } | Self::Failed { from, .. } => Some(*from),
            Self::Waiting | Self::Skipped(_) => None,
        }
    }

    /// Its end, if it ran and ended.
    pub fn to(&self) -> Option<f64> {
        match self {
            Self::Done { to, .. } | Self::Failed { to, .. } => Some(*to),
            Self::Waiting | Self::Running { .. } | Self::Skipped(_) => None,
        }
    }

    /// Its duration, if it ran and ended.
    pub fn seconds(&self) -> Option<f64> {
        self.from().zip(self.to()).map(|(from, to)| to - from)
    }

    /// Its duration, up to `now` if it is running; `None` if it has not started or was skipped.
    pub fn elapsed(&self, now: f64) -> Option<f64> {
        self.from().map(|from| (self.to().unwrap_or(now) - from).max(0.0))
    }

    /// Whether it is running.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }

    /// Whether it has ended or was skipped.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed { .. } | Self::Skipped(_))
    }
}

impl Waterfall {
    /// Creates the waterfall of a run without events, started at `at`.
    pub fn new(started: &RunStarted, at: DateTime<Utc>) -> Self {
        let waiting = |step: &Step| WaterfallBar { step: step.clone(), span: StepSpan::Waiting, retries: 0 };
        Self {
            action: started.action,
            bars: started.plan.steps().iter().map(waiting).collect(),
            phases: Vec::new(),
            began: at,
            ended: None,
            last_event: 0.0,
        }
    }

    /// Folds the events of a run; `None` if they do not contain its start.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Option<Self> {
        let mut run: Option<Self> = None;
        for event in events {
            match (&mut run, &event.kind) {
                (None, EventKind::RunStarted(started)) => run = Some(Self::new(started, event.at)),
                (Some(run), _) => run.apply(event),
                (None, _) => {}
            }
        }
        run
    }

    /// Applies one more event of this run.
    pub fn apply(&mut self, event: &Event) {
        let at = self.seconds_at(event.at);
        self.last_event = self.last_event.max(at);
        match &event.kind {
            EventKind::StepStarted { step } => self.set(step, at, |_| StepSpan::Running { from: at }),
            EventKind::StepFinished { step, seconds } => {
                self.set(step, at, |span| {
                    let (from, to) = finished_span(span, at, *seconds);
                    StepSpan::Done { from, to }
                });
            }
            EventKind::StepFailed { step, seconds, .. } => {
                self.set(step, at, |span| {
                    let (from, to) = finished_span(span, at, *seconds);
                    StepSpan::Failed { from, to }
                });
            }
            EventKind::StepSkipped { step, reason } => self.set(step, at, |_| StepSpan::Skipped(*reason)),
            EventKind::StepRetried { step, .. } => {
                if let Some(bar) = self.bars.iter_mut().find(|bar| bar.step.id == *step) {
                    bar.retries += 1;
                }
            }
            EventKind::BuildPhase { phase, status, seconds, .. } => self.apply_phase(phase, status, *seconds, at),
            EventKind::RunFinished { outcome, seconds } => self.ended = Some((*outcome, seconds.max(0.0))),
            EventKind::RunStarted(_)
            | EventKind::StepProgress { .. }
            | EventKind::ResourceChanged { .. }
            | EventKind::LogLine { .. }
            | EventKind::ToolFound { .. }
            | EventKind::WarningGiven { .. }
            | EventKind::OutputGiven { .. }
            | EventKind::ChangePlanned { .. }
            | EventKind::TestUploadStage { .. }
            | EventKind::Unknown(_) => {}
        }
    }

    /// Converts a time to seconds since the run's start; at least 0, in case the clock was set back.
    pub fn seconds_at(&self, at: DateTime<Utc>) -> f64 {
        ((at - self.began).num_milliseconds() as f64 / 1000.0).max(0.0)
    }

    /// The bar of a step.
    pub fn bar(&self, id: &StepId) -> Option<&WaterfallBar> {
        self.bars.iter().find(|bar| bar.step.id == *id)
    }

    /// The bar of the step that builds the function's image, with [`Self::phases`] as its details.
    pub fn build(&self) -> Option<&WaterfallBar> {
        let builds = self.action == Action::Deploy;
        self.bars.iter().find(|bar| builds && bar.step.resources().any(|kind| kind == ResourceKind::Image))
    }

    /// The length of the waterfall in seconds: up to the run's end, or the later of `now` and the last event.
    pub fn length(&self, now: f64) -> f64 {
        let known = self.bars.iter().filter_map(|bar| bar.span.to().or(bar.span.from())).fold(0.0, f64::max);
        known.max(self.ended.map_or(now.max(self.last_event), |(_, seconds)| seconds))
    }

    fn set(&mut self, id: &StepId, at: f64, span: impl FnOnce(&StepSpan) -> StepSpan) {
        let Some(bar) = self.bars.iter_mut().find(|bar| bar.step.id == *id) else { return };
        bar.span = span(&bar.span);
        let (over, to) = (bar.span.is_over(), bar.span.to().unwrap_or(at));
        if over && self.build().is_some_and(|build| build.step.id == *id) {
            // Phases end with their build, even without an event.
            for phase in self.phases.iter_mut().filter(|phase| phase.to.is_none()) {
                phase.to = Some(to.max(phase.from));
            }
        }
    }

    /// Applies a phase event. Phase events are late, since CodeBuild is polled, but phases are contiguous and their durations
    /// exact: each starts at the end of the previous one.
    fn apply_phase(&mut self, name: &str, status: &str, seconds: Option<f64>, at: f64) {
        if name == COMPLETED {
            return;
        }
        let known = self.phases.iter().position(|phase| phase.phase == name);
        let index = known.unwrap_or_else(|| {
            let from = self.phases.last().and_then(|before| before.to).unwrap_or(at);
            self.phases.push(PhaseBar { phase: name.to_owned(), from, to: None, failed: false });
            self.phases.len() - 1
        });
        if status == IN_PROGRESS && seconds.is_none() {
            return;
        }
        let bar = &mut self.phases[index];
        // It ended before its event.
        let to = seconds.map_or(at, |seconds| (bar.from + seconds.max(0.0)).min(at));
        bar.from = seconds.map_or(bar.from.min(to), |seconds| to - seconds.max(0.0));
        bar.to = Some(to);
        bar.failed = status != SUCCEEDED;
        // If it started earlier than assumed, so did the phases before it.
        for earlier in (0..index).rev() {
            let next = self.phases[earlier + 1].from;
            let before = &mut self.phases[earlier];
            let late = before.to.map_or(0.0, |to| to - next);
            if late > 0.0 {
                before.from = (before.from - late).min(next);
                before.to = Some(next);
            }
        }
    }
}

/// The start and end of a step that finished at `at` after `seconds`.
fn finished_span(before: &StepSpan, at: f64, seconds: f64) -> (f64, f64) {
    let seconds = seconds.max(0.0);
    let from = before.from().unwrap_or((at - seconds).max(0.0));
    (from, from + seconds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::Failure;
    use crate::plan::Plan;
    use crate::timing::scripted::{self, step_event};

    fn run(ids: &[&str], events: Vec<(f64, EventKind)>) -> Waterfall {
        let steps = ids.iter().map(|id| Step::new(id, *id, ""));
        let steps = steps.map(|step| if step.id.as_str() == "build" { step.about(ResourceKind::Image) } else { step });
        let plan = Plan::new(steps.collect()).expect("a valid plan");
        Waterfall::fold(&scripted::run("1", 0, Action::Deploy, &plan, events)).expect("the events start with the run")
    }

    fn phase(name: &str, status: &str, seconds: Option<f64>) -> EventKind {
        EventKind::BuildPhase { phase: name.into(), status: status.into(), seconds, context: None }
    }

    fn phases(waterfall: &Waterfall) -> Vec<(&str, f64, Option<f64>, bool)> {
        waterfall.phases.iter().map(|bar| (bar.phase.as_str(), bar.from, bar.to, bar.failed)).collect()
    }

    #[test]
    fn spans_use_start_event_and_reported_duration() {
        let run = run(
            &["a", "b", "c", "d", "e"],
            vec![
                (1.0, step_event::started("a")),
                (1.5, step_event::started("b")),
                (2.0, step_event::retried("b")),
                (3.25, step_event::finished("a", 2.0)),
                (4.0, step_event::failed("b", 2.5)),
                (4.0, step_event::started("c")),
                (4.5, step_event::skipped("d", SkipReason::AlreadyDone)),
            ],
        );
        let spans: Vec<&StepSpan> = run.bars.iter().map(|bar| &bar.span).collect();
        let expected = [
            StepSpan::Done { from: 1.0, to: 3.0 },
            StepSpan::Failed { from: 1.5, to: 4.0 },
            StepSpan::Running { from: 4.0 },
            StepSpan::Skipped(SkipReason::AlreadyDone),
            StepSpan::Waiting,
        ];
        assert_eq!(spans, expected.iter().collect::<Vec<_>>());
        assert_eq!(run.bar(&"b".into()).map(|bar| bar.retries), Some(1));
        assert_eq!(run.bars[2].span.elapsed(6.0), Some(2.0));
        assert_eq!(run.bars[0].span.elapsed(6.0), Some(2.0));
        assert_eq!((run.length(6.0), run.length(0.0)), (6.0, 4.5));
    }

    #[test]
    fn finished_run_has_reported_length() {
        let events = vec![
            (0.0, step_event::started("a")),
            (2.0, step_event::finished("a", 2.0)),
            (2.0, EventKind::RunFinished { outcome: Outcome::Succeeded, seconds: 2.5 }),
        ];
        assert_eq!(run(&["a"], events).length(1000.0), 2.5);
    }

    #[test]
    fn times_are_not_negative_after_clock_change() {
        let run = run(&["a"], vec![(-30.0, step_event::started("a")), (-28.0, step_event::finished("a", 2.0))]);
        assert_eq!(run.bars[0].span, StepSpan::Done { from: 0.0, to: 2.0 });
    }

    #[test]
    fn run_without_start_event_has_no_waterfall() {
        let events = scripted::run("1", 0, Action::Deploy, &Plan::default(), vec![(0.0, step_event::started("a"))]);
        assert_eq!(Waterfall::fold(&events[1..]), None);
    }

    #[test]
    fn late_phase_events_give_contiguous_phases() {
        let run = run(
            &["build"],
            vec![
                (1.0, step_event::started("build")),
                (2.0, phase("SUBMITTED", IN_PROGRESS, None)),
                (5.0, phase("SUBMITTED", SUCCEEDED, Some(1.0))),
                (5.0, phase("PROVISIONING", IN_PROGRESS, None)),
                (9.0, phase("PROVISIONING", SUCCEEDED, Some(4.0))),
                (9.0, phase("INSTALL", SUCCEEDED, Some(0.5))),
                (9.0, phase("BUILD", IN_PROGRESS, None)),
            ],
        );
        let expected = [
            ("SUBMITTED", 2.0, Some(3.0), false),
            ("PROVISIONING", 3.0, Some(7.0), false),
            ("INSTALL", 7.0, Some(7.5), false),
            ("BUILD", 7.5, None, false),
        ];
        assert_eq!(phases(&run), expected);
        assert_eq!(run.build().map(|bar| bar.step.id.as_str()), Some("build"));
    }

    #[test]
    fn phases_of_resumed_build_have_negative_times() {
        let run = run(
            &["build"],
            vec![
                (1.0, phase("SUBMITTED", SUCCEEDED, Some(1.0))),
                (1.0, phase("QUEUED", SUCCEEDED, Some(3.0))),
                (1.0, phase("BUILD", "FAILED", Some(2.0))),
                (1.0, phase("COMPLETED", IN_PROGRESS, None)),
            ],
        );
        let expected = [
            ("SUBMITTED", -5.0, Some(-4.0), false),
            ("QUEUED", -4.0, Some(-1.0), false),
            ("BUILD", -1.0, Some(1.0), true),
        ];
        assert_eq!(phases(&run), expected);
    }

    #[test]
    fn phases_end_with_their_build() {
        let run = run(
            &["build", "other"],
            vec![
                (1.0, step_event::started("build")),
                (2.0, phase("BUILD", IN_PROGRESS, None)),
                (3.0, step_event::finished("other", 1.0)),
                (4.0, step_event::skipped("build", SkipReason::Cancelled)),
            ],
        );
        assert_eq!(phases(&run), [("BUILD", 2.0, Some(4.0), false)]);
    }

    fn any_event() -> impl Strategy<Value = (f64, EventKind)> {
        let id = (0usize..4).prop_map(|n| ["a", "b", "build", "unknown"][n]);
        let name = (0usize..3).prop_map(|n| ["SUBMITTED", "BUILD", COMPLETED][n]);
        let status = (0usize..3).prop_map(|n| [IN_PROGRESS, SUCCEEDED, "FAILED"][n]);
        let seconds = || -2.0..20.0;
        let kind = prop_oneof![
            id.clone().prop_map(step_event::started),
            (id.clone(), seconds()).prop_map(|(id, seconds)| step_event::finished(id, seconds)),
            (id.clone(), seconds()).prop_map(|(id, seconds)| EventKind::StepFailed {
                step: id.into(),
                seconds,
                error: Failure::new("no"),
            }),
            id.prop_map(|id| step_event::skipped(id, SkipReason::Cancelled)),
            (name, status, proptest::option::of(seconds()))
                .prop_map(|(name, status, seconds)| phase(name, status, seconds)),
            seconds().prop_map(|seconds| EventKind::RunFinished { outcome: Outcome::Failed, seconds }),
        ];
        (-5.0..60.0, kind)
    }

    proptest! {
        #[test]
        fn bars_end_after_their_start_and_within_length(
            events in proptest::collection::vec(any_event(), 0..40),
            now in 0.0..60.0,
        ) {
            let run = run(&["a", "b", "build"], events);
            let length = run.length(now);
            for bar in &run.bars {
                let (from, to) = (bar.span.from().unwrap_or(0.0), bar.span.to().unwrap_or(length));
                prop_assert!(0.0 <= from && from <= to && to <= length, "{bar:?} within {length}");
            }
            for phase in &run.phases {
                prop_assert!(phase.to.is_none_or(|to| phase.from <= to), "{phase:?}");
            }
        }

        #[test]
        fn waterfall_matches_simulated_run(script in scripted::scripted_run()) {
            let run = Waterfall::fold(&script.events("1", 0)).expect("the events start with the run");
            for (bar, seconds) in run.bars.iter().zip(&script.seconds) {
                prop_assert_eq!(bar.span.elapsed(0.0), Some(*seconds));
                for id in &bar.step.needs {
                    let needed = run.bar(id).and_then(|bar| bar.span.to());
                    prop_assert!(needed <= bar.span.from());
                }
            }
            prop_assert_eq!(run.ended, Some((Outcome::Succeeded, run.length(0.0))));
        }
    }
}
