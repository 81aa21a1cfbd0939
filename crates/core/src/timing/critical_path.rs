//! What a run's time depends on: the chain that decides when it ends, and the step that the others wait for.

use std::collections::{BTreeMap, BTreeSet};

use super::waterfall::{StepSpan, Waterfall, WaterfallBar};
use crate::plan::StepId;

/// A running step, and how many others wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bottleneck {
    /// The running step.
    pub step: StepId,
    /// How many waiting steps need it, directly or through others; at least one.
    pub waiting: usize,
}

impl Waterfall {
    /// The chain of steps that decides when the run ends, in their order: behind the step that runs longest (when none
    /// runs, the one that ended last) stands the step that it had to wait for longest, and so on to the start. Steps that
    /// were skipped link a chain and are not part of it.
    pub fn critical_path(&self, now: f64) -> Vec<StepId> {
        let ends = self.ends(now);
        let bars: BTreeMap<&StepId, &WaterfallBar> = self.bars.iter().map(|bar| (&bar.step.id, bar)).collect();
        let mut next = self.last(now);
        let mut path = Vec::new();
        while let Some(bar) = next {
            if bar.span.from().is_some() {
                path.push(bar.step.id.clone());
            }
            let needed = bar.step.needs.iter().filter_map(|id| ends.get(id).map(|end| (*end, id)));
            let latest = first_of_the_greatest(needed, |(end, _)| *end);
            next = latest.and_then(|(_, id)| bars.get(id).copied());
        }
        path.reverse();
        path
    }

    /// The running step that most waiting steps wait for, directly or through others; of several the one that has run
    /// longest. None if nothing waits for a running step.
    pub fn bottleneck(&self, now: f64) -> Option<Bottleneck> {
        let mut waiting: BTreeMap<&StepId, usize> = BTreeMap::new();
        let mut behind: BTreeMap<&StepId, BTreeSet<&StepId>> = BTreeMap::new();
        // Every step stands behind all that it needs, so what those wait for is known when it is its turn.
        for bar in &self.bars {
            let id = &bar.step.id;
            match bar.span {
                StepSpan::Running { .. } => {
                    behind.insert(id, BTreeSet::from([id]));
                }
                StepSpan::Waiting => {
                    let for_whom: BTreeSet<&StepId> =
                        bar.step.needs.iter().filter_map(|id| behind.get(id)).flatten().copied().collect();
                    for running in &for_whom {
                        *waiting.entry(running).or_default() += 1;
                    }
                    behind.insert(id, for_whom);
                }
                StepSpan::Done { .. } | StepSpan::Failed { .. } | StepSpan::Skipped(_) => {}
            }
        }
        let most = waiting.values().copied().max()?;
        let candidates = self.bars.iter().filter(|bar| waiting.get(&bar.step.id) == Some(&most));
        let longest = first_of_the_greatest(candidates, |bar| bar.span.elapsed(now).unwrap_or(0.0))?;
        Some(Bottleneck { step: longest.step.id.clone(), waiting: most })
    }

    /// The steps that a step needs and that are not over, if it waits.
    pub fn waits_for(&self, id: &StepId) -> Vec<StepId> {
        let Some(bar) = self.bar(id).filter(|bar| bar.span == StepSpan::Waiting) else { return Vec::new() };
        let open = |id: &&StepId| self.bar(id).is_some_and(|needed| !needed.span.is_over());
        bar.step.needs.iter().filter(open).cloned().collect()
    }

    /// When each step that has begun or was skipped ended, or would if it ended now.
    fn ends(&self, now: f64) -> BTreeMap<&StepId, f64> {
        let mut ends: BTreeMap<&StepId, f64> = BTreeMap::new();
        for bar in &self.bars {
            let end = match bar.span {
                StepSpan::Waiting => continue,
                StepSpan::Running { from } => now.max(from),
                StepSpan::Done { to, .. } | StepSpan::Failed { to, .. } => to,
                // It took no time: it was over when all that it needs was.
                StepSpan::Skipped(_) => {
                    bar.step.needs.iter().filter_map(|id| ends.get(id)).copied().fold(f64::NEG_INFINITY, f64::max)
                }
            };
            ends.insert(&bar.step.id, end);
        }
        ends
    }

    fn last(&self, now: f64) -> Option<&WaterfallBar> {
        let running = self.bars.iter().filter(|bar| bar.span.is_running());
        let over = self.bars.iter().filter(|bar| bar.span.to().is_some());
        first_of_the_greatest(running, |bar| bar.span.elapsed(now).unwrap_or(0.0))
            .or_else(|| first_of_the_greatest(over, |bar| bar.span.to().unwrap_or(0.0)))
    }
}

/// The greatest, and of several the first, so that what is marked does not jump.
fn first_of_the_greatest<T>(items: impl IntoIterator<Item = T>, measure: impl Fn(&T) -> f64) -> Option<T> {
    items.into_iter().reduce(|best, item| if measure(&item) > measure(&best) { item } else { best })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Action, EventKind, SkipReason};
    use crate::plan::Plan;
    use crate::timing::scripted::{self, told};

    fn fold(plan: &Plan, told: Vec<(f64, EventKind)>) -> Waterfall {
        Waterfall::fold(&scripted::run("1", 0, Action::Deploy, plan, told)).expect("the run is told from its start")
    }

    fn names(path: &[StepId]) -> Vec<&str> {
        path.iter().map(StepId::as_str).collect()
    }

    fn house() -> Plan {
        scripted::plan(&[
            ("role", &[]),
            ("project", &["role"]),
            ("build", &["project"]),
            ("bucket", &[]),
            ("function", &["build", "bucket"]),
            ("notification", &["function", "bucket"]),
        ])
    }

    #[test]
    fn the_path_goes_back_through_what_ended_last() {
        let done = fold(
            &house(),
            vec![
                (0.0, told::started("role")),
                (0.0, told::started("bucket")),
                (1.0, told::finished("role", 1.0)),
                (1.0, told::started("project")),
                (2.0, told::finished("project", 1.0)),
                (2.0, told::started("build")),
                (3.0, told::finished("build", 1.0)),
                (9.0, told::finished("bucket", 9.0)),
                (9.0, told::started("function")),
                (9.5, told::finished("function", 0.5)),
                (9.5, told::started("notification")),
                (9.75, told::finished("notification", 0.25)),
            ],
        );
        assert_eq!(names(&done.critical_path(9.75)), ["bucket", "function", "notification"]);
        assert_eq!(done.bottleneck(9.75), None);
    }

    #[test]
    fn while_a_run_goes_on_the_path_ends_with_what_has_run_longest() {
        let running = vec![
            (0.0, told::started("role")),
            (1.0, told::finished("role", 1.0)),
            (1.0, told::started("project")),
            (1.5, told::finished("project", 0.5)),
            (2.0, told::started("build")),
            (4.0, told::started("bucket")),
        ];
        assert_eq!(names(&fold(&house(), running).critical_path(5.0)), ["role", "project", "build"]);
        assert_eq!(fold(&house(), Vec::new()).critical_path(5.0), []);
    }

    #[test]
    fn a_step_that_had_nothing_to_do_links_the_path_and_is_not_part_of_it() {
        let run = fold(
            &house(),
            vec![
                (0.0, told::started("role")),
                (1.0, told::finished("role", 1.0)),
                (1.0, told::skipped("project", SkipReason::AlreadyDone)),
                (1.0, told::started("build")),
                (3.0, told::failed("build", 2.0)),
                (3.0, told::skipped("bucket", SkipReason::Failed)),
                (3.0, told::skipped("function", SkipReason::Failed)),
            ],
        );
        assert_eq!(names(&run.critical_path(3.0)), ["role", "build"]);
    }

    #[test]
    fn the_bottleneck_is_what_most_steps_wait_for_and_not_what_runs_longest() {
        let mut told = vec![
            (0.0, told::started("bucket")),
            (0.5, told::skipped("role", SkipReason::AlreadyDone)),
            (2.0, told::started("project")),
        ];
        let step = |id: &str, waiting| Some(Bottleneck { step: id.into(), waiting });
        let run = fold(&house(), told.clone());
        assert_eq!(run.bottleneck(5.0), step("project", 3));
        assert_eq!(run.waits_for(&"build".into()), ["project".into()]);
        assert_eq!(run.waits_for(&"function".into()), ["build".into(), "bucket".into()]);
        assert_eq!(run.waits_for(&"project".into()), []);
        told.push((4.0, told::finished("project", 2.0)));
        told.push((4.0, told::started("build")));
        // Two wait for both; the bucket has run longer.
        assert_eq!(fold(&house(), told).bottleneck(5.0), step("bucket", 2));
    }

    #[test]
    fn of_equals_the_first_in_the_plan_is_marked() {
        let plan = scripted::plan(&[("a", &[]), ("b", &[]), ("c", &["a", "b"])]);
        let mut told = vec![(0.0, told::started("a")), (0.0, told::started("b"))];
        let both = fold(&plan, told.clone());
        assert_eq!(names(&both.critical_path(1.0)), ["a"]);
        assert_eq!(both.bottleneck(1.0), Some(Bottleneck { step: "a".into(), waiting: 1 }));
        told.extend(["a", "b"].map(|id| (2.0, told::finished(id, 2.0))));
        told.push((2.0, told::started("c")));
        assert_eq!(names(&fold(&plan, told).critical_path(3.0)), ["a", "c"]);
    }

    proptest! {
        #[test]
        fn with_room_for_all_the_path_is_as_long_as_the_run(mut script in scripted::script()) {
            script.parallelism = script.plan.steps().len();
            let run = Waterfall::fold(&script.events("1", 0)).expect("the run is told from its start");
            let path = run.critical_path(0.0);
            let took = |id: &StepId| run.bar(id).and_then(|bar| bar.span.elapsed(0.0)).expect("it ran");
            prop_assert_eq!(path.iter().map(took).sum::<f64>(), run.length(0.0));
        }

        #[test]
        fn at_any_moment_each_step_of_the_path_needs_the_one_before(script in scripted::script(), cut in 0usize..30) {
            let events = script.events("1", 0);
            let events = &events[..=cut.min(events.len() - 1)];
            let run = Waterfall::fold(events).expect("the run is told from its start");
            let now = run.seconds_at(events[events.len() - 1].at);
            let path = run.critical_path(now);
            let first = path.first().and_then(|id| run.bar(id));
            prop_assert!(first.is_none_or(|bar| bar.step.needs.is_empty()), "{path:?} does not reach the start");
            for pair in path.windows(2) {
                let step = &run.bar(&pair[1]).expect("it is in the plan").step;
                prop_assert!(step.needs.contains(&pair[0]), "{path:?}");
            }
            prop_assert_eq!(path.is_empty(), run.bars.iter().all(|bar| bar.span == StepSpan::Waiting));
        }

        #[test]
        fn no_running_step_holds_more_than_the_bottleneck(script in scripted::script(), cut in 0usize..30) {
            fn needs(run: &Waterfall, id: &StepId, other: &StepId) -> bool {
                let step = &run.bar(id).expect("it is in the plan").step;
                step.needs.iter().any(|needed| needed == other || needs(run, needed, other))
            }
            let events = script.events("1", 0);
            let events = &events[..=cut.min(events.len() - 1)];
            let run = Waterfall::fold(events).expect("the run is told from its start");
            let waiting: Vec<&WaterfallBar> = run.bars.iter().filter(|bar| bar.span == StepSpan::Waiting).collect();
            let held = |by: &StepId| waiting.iter().filter(|bar| needs(&run, &bar.step.id, by)).count();
            let running = run.bars.iter().filter(|bar| bar.span.is_running());
            let most = running.map(|bar| held(&bar.step.id)).max().filter(|most| *most > 0);
            let found = run.bottleneck(run.seconds_at(events[events.len() - 1].at));
            prop_assert_eq!(found.as_ref().map(|found| found.waiting), most);
            if let Some(found) = found {
                prop_assert!(run.bar(&found.step).is_some_and(|bar| bar.span.is_running()));
                prop_assert_eq!(held(&found.step), found.waiting);
            }
        }
    }
}
