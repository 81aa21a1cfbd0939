//! When each step of a run ran, counted from the run's start.

use chrono::{DateTime, Utc};

use crate::event::{Action, Event, EventKind, Outcome, RunStarted, SkipReason};
use crate::plan::{Step, StepId};
use crate::resource::ResourceKind;

/// What CodeBuild calls a phase that is still under way.
const IN_PROGRESS: &str = "IN_PROGRESS";

/// What CodeBuild calls a phase that ended well.
const SUCCEEDED: &str = "SUCCEEDED";

/// A phase of CodeBuild's that marks a build's end and takes no time.
const COMPLETED: &str = "COMPLETED";

/// A run's steps, each with when it ran. Times are seconds since the run's start.
#[derive(Clone, Debug, PartialEq)]
pub struct Waterfall {
    /// What the run does.
    pub action: Action,
    /// Its steps, in the plan's order.
    pub bars: Vec<WaterfallBar>,
    /// The phases of its build, in the order in which they were first heard of.
    pub phases: Vec<PhaseBar>,
    /// When it began.
    pub began: DateTime<Utc>,
    /// How it ended and after how many seconds, once it has.
    pub ended: Option<(Outcome, f64)>,
    /// When it was last heard of.
    heard: f64,
}

/// One step with when it ran.
#[derive(Clone, Debug, PartialEq)]
pub struct WaterfallBar {
    /// The step.
    pub step: Step,
    /// When it ran.
    pub span: StepSpan,
    /// How often a call of it was made again.
    pub retries: u32,
}

/// When a step ran, and what became of it. Times are seconds since the run's start.
#[derive(Clone, Debug, PartialEq)]
pub enum StepSpan {
    /// It has not begun.
    Waiting,
    /// It has begun.
    Running {
        /// When it began.
        from: f64,
    },
    /// It was done.
    Done {
        /// When it began.
        from: f64,
        /// When it ended.
        to: f64,
    },
    /// It failed.
    Failed {
        /// When it began.
        from: f64,
        /// When it ended.
        to: f64,
    },
    /// It was not run.
    Skipped(SkipReason),
}

/// A phase of the build. A build that this run has only taken up may have begun before it: its times are negative then.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseBar {
    /// CodeBuild's name of it, for example `PRE_BUILD`.
    pub phase: String,
    /// When it began.
    pub from: f64,
    /// When it ended, once it has.
    pub to: Option<f64>,
    /// Whether it ended other than well.
    pub failed: bool,
}

impl StepSpan {
    /// When it began, if it has.
    pub fn from(&self) -> Option<f64> {
        match self {
            Self::Running { from } | Self::Done { from, .. } | Self::Failed { from, .. } => Some(*from),
            Self::Waiting | Self::Skipped(_) => None,
        }
    }

    /// When it ended, if it ran to an end.
    pub fn to(&self) -> Option<f64> {
        match self {
            Self::Done { to, .. } | Self::Failed { to, .. } => Some(*to),
            Self::Waiting | Self::Running { .. } | Self::Skipped(_) => None,
        }
    }

    /// How long it took, if it ran to an end.
    pub fn seconds(&self) -> Option<f64> {
        self.from().zip(self.to()).map(|(from, to)| to - from)
    }

    /// How long it took, or has taken until now; none if it has not begun or was not run.
    pub fn elapsed(&self, now: f64) -> Option<f64> {
        self.from().map(|from| (self.to().unwrap_or(now) - from).max(0.0))
    }

    /// Whether it is under way.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }

    /// Whether nothing more becomes of it.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed { .. } | Self::Skipped(_))
    }
}

impl Waterfall {
    /// A run before its first step, begun at this time.
    pub fn new(started: &RunStarted, at: DateTime<Utc>) -> Self {
        let untouched = |step: &Step| WaterfallBar { step: step.clone(), span: StepSpan::Waiting, retries: 0 };
        Self {
            action: started.action,
            bars: started.plan.steps().iter().map(untouched).collect(),
            phases: Vec::new(),
            began: at,
            ended: None,
            heard: 0.0,
        }
    }

    /// The times of a run that begins with the first of these events; none if it is not told how it begins.
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

    /// Takes in one more event of this run.
    pub fn apply(&mut self, event: &Event) {
        let at = self.seconds_at(event.at);
        self.heard = self.heard.max(at);
        match &event.kind {
            EventKind::StepStarted { step } => self.set(step, at, |_| StepSpan::Running { from: at }),
            EventKind::StepFinished { step, seconds } => {
                self.set(step, at, |span| {
                    let (from, to) = ran(span, at, *seconds);
                    StepSpan::Done { from, to }
                });
            }
            EventKind::StepFailed { step, seconds, .. } => {
                self.set(step, at, |span| {
                    let (from, to) = ran(span, at, *seconds);
                    StepSpan::Failed { from, to }
                });
            }
            EventKind::StepSkipped { step, reason } => self.set(step, at, |_| StepSpan::Skipped(*reason)),
            EventKind::StepRetried { step, .. } => {
                if let Some(bar) = self.bars.iter_mut().find(|bar| bar.step.id == *step) {
                    bar.retries += 1;
                }
            }
            EventKind::BuildPhase { phase, status, seconds, .. } => self.tell_phase(phase, status, *seconds, at),
            EventKind::RunFinished { outcome, seconds } => self.ended = Some((*outcome, seconds.max(0.0))),
            EventKind::RunStarted(_)
            | EventKind::StepProgress { .. }
            | EventKind::ResourceChanged { .. }
            | EventKind::LogLine { .. }
            | EventKind::ToolFound { .. }
            | EventKind::WarningGiven { .. }
            | EventKind::OutputGiven { .. }
            | EventKind::ChangePlanned { .. }
            | EventKind::TestUploadStage { .. } => {}
        }
    }

    /// A moment, as seconds since the run's start; what seems to lie before it (a clock was set) counts as the start.
    pub fn seconds_at(&self, at: DateTime<Utc>) -> f64 {
        ((at - self.began).num_milliseconds() as f64 / 1000.0).max(0.0)
    }

    /// The bar of a step.
    pub fn bar(&self, id: &StepId) -> Option<&WaterfallBar> {
        self.bars.iter().find(|bar| bar.step.id == *id)
    }

    /// The bar of the step that builds the function's image; its detail are [`Self::phases`].
    pub fn build(&self) -> Option<&WaterfallBar> {
        let builds = self.action == Action::Deploy;
        self.bars.iter().find(|bar| builds && bar.step.resources().any(|kind| kind == ResourceKind::Image))
    }

    /// How many seconds the whole picture spans: to the run's end, or until now, or at least to what was heard of it last.
    pub fn length(&self, now: f64) -> f64 {
        let known = self.bars.iter().filter_map(|bar| bar.span.to().or(bar.span.from())).fold(0.0, f64::max);
        known.max(self.ended.map_or(now.max(self.heard), |(_, seconds)| seconds))
    }

    fn set(&mut self, id: &StepId, at: f64, span: impl FnOnce(&StepSpan) -> StepSpan) {
        let Some(bar) = self.bars.iter_mut().find(|bar| bar.step.id == *id) else { return };
        bar.span = span(&bar.span);
        let (over, to) = (bar.span.is_over(), bar.span.to().unwrap_or(at));
        if over && self.build().is_some_and(|build| build.step.id == *id) {
            // No phase outlives its build, though nobody may have told its end.
            for phase in self.phases.iter_mut().filter(|phase| phase.to.is_none()) {
                phase.to = Some(to.max(phase.from));
            }
        }
    }

    /// Takes in what was told of a phase. Phases are told late, when CodeBuild is next asked, but they follow one another
    /// without a gap and their lengths are exact: so one begins where the one before ended.
    fn tell_phase(&mut self, name: &str, status: &str, seconds: Option<f64>, at: f64) {
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
        // It cannot end after its end was told.
        let to = seconds.map_or(at, |seconds| (bar.from + seconds.max(0.0)).min(at));
        bar.from = seconds.map_or(bar.from.min(to), |seconds| to - seconds.max(0.0));
        bar.to = Some(to);
        bar.failed = status != SUCCEEDED;
        // If it began earlier than was thought, so did those before it.
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

/// From when to when a step ran whose end, after so many seconds, was told now.
fn ran(before: &StepSpan, at: f64, seconds: f64) -> (f64, f64) {
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
    use crate::timing::scripted::{self, told};

    fn run(ids: &[&str], told: Vec<(f64, EventKind)>) -> Waterfall {
        let steps = ids.iter().map(|id| Step::new(id, *id, ""));
        let steps = steps.map(|step| if step.id.as_str() == "build" { step.about(ResourceKind::Image) } else { step });
        let plan = Plan::new(steps.collect()).expect("a good plan");
        Waterfall::fold(&scripted::run("1", 0, Action::Deploy, &plan, told)).expect("the run is told from its start")
    }

    fn phase(name: &str, status: &str, seconds: Option<f64>) -> EventKind {
        EventKind::BuildPhase { phase: name.into(), status: status.into(), seconds, context: None }
    }

    fn phases(waterfall: &Waterfall) -> Vec<(&str, f64, Option<f64>, bool)> {
        waterfall.phases.iter().map(|bar| (bar.phase.as_str(), bar.from, bar.to, bar.failed)).collect()
    }

    #[test]
    fn a_step_begins_when_it_was_told_and_lasts_as_long_as_it_says() {
        let run = run(
            &["a", "b", "c", "d", "e"],
            vec![
                (1.0, told::started("a")),
                (1.5, told::started("b")),
                (2.0, told::retried("b")),
                (3.25, told::finished("a", 2.0)),
                (4.0, told::failed("b", 2.5)),
                (4.0, told::started("c")),
                (4.5, told::skipped("d", SkipReason::AlreadyDone)),
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
    fn a_run_that_ended_is_as_long_as_it_says_and_grows_no_more() {
        let events = vec![
            (0.0, told::started("a")),
            (2.0, told::finished("a", 2.0)),
            (2.0, EventKind::RunFinished { outcome: Outcome::Succeeded, seconds: 2.5 }),
        ];
        assert_eq!(run(&["a"], events).length(1000.0), 2.5);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_negative_times() {
        let run = run(&["a"], vec![(-30.0, told::started("a")), (-28.0, told::finished("a", 2.0))]);
        assert_eq!(run.bars[0].span, StepSpan::Done { from: 0.0, to: 2.0 });
    }

    #[test]
    fn a_run_without_its_beginning_has_no_times() {
        let events = scripted::run("1", 0, Action::Deploy, &Plan::default(), vec![(0.0, told::started("a"))]);
        assert_eq!(Waterfall::fold(&events[1..]), None);
    }

    #[test]
    fn phases_follow_one_another_though_they_are_told_late() {
        let run = run(
            &["build"],
            vec![
                (1.0, told::started("build")),
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
    fn phases_of_a_build_that_was_taken_up_lie_where_they_were() {
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
    fn no_phase_outlives_its_build() {
        let run = run(
            &["build", "other"],
            vec![
                (1.0, told::started("build")),
                (2.0, phase("BUILD", IN_PROGRESS, None)),
                (3.0, told::finished("other", 1.0)),
                (4.0, told::skipped("build", SkipReason::Cancelled)),
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
            id.clone().prop_map(told::started),
            (id.clone(), seconds()).prop_map(|(id, seconds)| told::finished(id, seconds)),
            (id.clone(), seconds()).prop_map(|(id, seconds)| EventKind::StepFailed {
                step: id.into(),
                seconds,
                error: Failure::new("no"),
            }),
            id.prop_map(|id| told::skipped(id, SkipReason::Cancelled)),
            (name, status, proptest::option::of(seconds()))
                .prop_map(|(name, status, seconds)| phase(name, status, seconds)),
            seconds().prop_map(|seconds| EventKind::RunFinished { outcome: Outcome::Failed, seconds }),
        ];
        (-5.0..60.0, kind)
    }

    proptest! {
        #[test]
        fn whatever_is_told_every_bar_ends_behind_its_start_and_within_the_length(
            told in proptest::collection::vec(any_event(), 0..40),
            now in 0.0..60.0,
        ) {
            let run = run(&["a", "b", "build"], told);
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
        fn a_played_run_is_drawn_as_it_was_played(script in scripted::script()) {
            let run = Waterfall::fold(&script.events("1", 0)).expect("the run is told from its start");
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
