//! The critical path of a run, and its current bottleneck.

use std::collections::{BTreeMap, BTreeSet};

use super::waterfall::{StepSpan, Waterfall, WaterfallBar};
use crate::plan::StepId;

/// A running step that other steps wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bottleneck {
    /// The running step.
    pub step: StepId,
    /// The number of waiting steps that depend on it, directly or indirectly; at least one.
    pub waiting: usize,
}

impl Waterfall {
    /// The critical path, in order: the longest-running step (or the last finished one), preceded by the dependency that
    /// finished last, and so on to the start. Skipped steps link the path but are not part of it.
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
            let latest = first_max(needed, |(end, _)| *end);
            next = latest.and_then(|(_, id)| bars.get(id).copied());
        }
        path.reverse();
        path
    }

    /// The running step with the most waiting dependents, direct or indirect; of several the longest-running. `None` if no
    /// step waits for a running one.
    pub fn bottleneck(&self, now: f64) -> Option<Bottleneck> {
        let mut waiting: BTreeMap<&StepId, usize> = BTreeMap::new();
        let mut blocked_by: BTreeMap<&StepId, BTreeSet<&StepId>> = BTreeMap::new();
        // Steps come after their dependencies, whose entries are therefore known.
        for bar in &self.bars {
            let id = &bar.step.id;
            match bar.span {
                StepSpan::Running { .. } => {
                    blocked_by.insert(id, BTreeSet::from([id]));
                }
                StepSpan::Waiting => {
                    let blockers: BTreeSet<&StepId> =
                        bar.step.needs.iter().filter_map(|id| blocked_by.get(id)).flatten().copied().collect();
                    for running in &blockers {
                        *waiting.entry(running).or_default() += 1;
                    }
                    blocked_by.insert(id, blockers);
                }
                StepSpan::Done { .. } | StepSpan::Failed { .. } | StepSpan::Skipped(_) => {}
            }
        }
        let max = waiting.values().copied().max()?;
        let candidates = self.bars.iter().filter(|bar| waiting.get(&bar.step.id) == Some(&max));
        let longest = first_max(candidates, |bar| bar.span.elapsed(now).unwrap_or(0.0))?;
        Some(Bottleneck { step: longest.step.id.clone(), waiting: max })
    }

    /// The unfinished dependencies of a waiting step.
    pub fn waits_for(&self, id: &StepId) -> Vec<StepId> {
        let Some(bar) = self.bar(id).filter(|bar| bar.span == StepSpan::Waiting) else { return Vec::new() };
        let open = |id: &&StepId| self.bar(id).is_some_and(|needed| !needed.span.is_over());
        bar.step.needs.iter().filter(open).cloned().collect()
    }

    /// The end of each started or skipped step; `now` for running ones.
    fn ends(&self, now: f64) -> BTreeMap<&StepId, f64> {
        let mut ends: BTreeMap<&StepId, f64> = BTreeMap::new();
        for bar in &self.bars {
            let end = match bar.span {
                StepSpan::Waiting => continue,
                StepSpan::Running { from } => now.max(from),
                StepSpan::Done { to, .. } | StepSpan::Failed { to, .. } => to,
                // It took no time: it ended with its last dependency.
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
        first_max(running, |bar| bar.span.elapsed(now).unwrap_or(0.0))
            .or_else(|| first_max(over, |bar| bar.span.to().unwrap_or(0.0)))
    }
}

/// The item with the greatest measure, the first of several, so that the marked item is stable.
fn first_max<T>(items: impl IntoIterator<Item = T>, measure: impl Fn(&T) -> f64) -> Option<T> {
    items.into_iter().reduce(|best, item| if measure(&item) > measure(&best) { item } else { best })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Action, EventKind, SkipReason};
    use crate::plan::Plan;
    use crate::timing::scripted::{self, step_event};

    fn fold(plan: &Plan, events: Vec<(f64, EventKind)>) -> Waterfall {
        Waterfall::fold(&scripted::run("1", 0, Action::Deploy, plan, events)).expect("the events start with the run")
    }

    fn names(path: &[StepId]) -> Vec<&str> {
        path.iter().map(StepId::as_str).collect()
    }

    fn sample_plan() -> Plan {
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
    fn path_follows_last_finished_dependencies() {
        let done = fold(
            &sample_plan(),
            vec![
                (0.0, step_event::started("role")),
                (0.0, step_event::started("bucket")),
                (1.0, step_event::finished("role", 1.0)),
                (1.0, step_event::started("project")),
                (2.0, step_event::finished("project", 1.0)),
                (2.0, step_event::started("build")),
                (3.0, step_event::finished("build", 1.0)),
                (9.0, step_event::finished("bucket", 9.0)),
                (9.0, step_event::started("function")),
                (9.5, step_event::finished("function", 0.5)),
                (9.5, step_event::started("notification")),
                (9.75, step_event::finished("notification", 0.25)),
            ],
        );
        assert_eq!(names(&done.critical_path(9.75)), ["bucket", "function", "notification"]);
        assert_eq!(done.bottleneck(9.75), None);
    }

    #[test]
    fn path_of_current_run_ends_with_longest_running_step() {
        let running = vec![
            (0.0, step_event::started("role")),
            (1.0, step_event::finished("role", 1.0)),
            (1.0, step_event::started("project")),
            (1.5, step_event::finished("project", 0.5)),
            (2.0, step_event::started("build")),
            (4.0, step_event::started("bucket")),
        ];
        assert_eq!(names(&fold(&sample_plan(), running).critical_path(5.0)), ["role", "project", "build"]);
        assert_eq!(fold(&sample_plan(), Vec::new()).critical_path(5.0), []);
    }

    #[test]
    fn already_done_step_links_path_without_being_part_of_it() {
        let run = fold(
            &sample_plan(),
            vec![
                (0.0, step_event::started("role")),
                (1.0, step_event::finished("role", 1.0)),
                (1.0, step_event::skipped("project", SkipReason::AlreadyDone)),
                (1.0, step_event::started("build")),
                (3.0, step_event::failed("build", 2.0)),
                (3.0, step_event::skipped("bucket", SkipReason::Failed)),
                (3.0, step_event::skipped("function", SkipReason::Failed)),
            ],
        );
        assert_eq!(names(&run.critical_path(3.0)), ["role", "build"]);
    }

    #[test]
    fn bottleneck_has_most_waiting_dependents() {
        let mut events = vec![
            (0.0, step_event::started("bucket")),
            (0.5, step_event::skipped("role", SkipReason::AlreadyDone)),
            (2.0, step_event::started("project")),
        ];
        let step = |id: &str, waiting| Some(Bottleneck { step: id.into(), waiting });
        let run = fold(&sample_plan(), events.clone());
        assert_eq!(run.bottleneck(5.0), step("project", 3));
        assert_eq!(run.waits_for(&"build".into()), ["project".into()]);
        assert_eq!(run.waits_for(&"function".into()), ["build".into(), "bucket".into()]);
        assert_eq!(run.waits_for(&"project".into()), []);
        events.push((4.0, step_event::finished("project", 2.0)));
        events.push((4.0, step_event::started("build")));
        // Both have two waiting dependents; the bucket has run longer.
        assert_eq!(fold(&sample_plan(), events).bottleneck(5.0), step("bucket", 2));
    }

    #[test]
    fn first_of_equals_in_plan_order_is_marked() {
        let plan = scripted::plan(&[("a", &[]), ("b", &[]), ("c", &["a", "b"])]);
        let mut events = vec![(0.0, step_event::started("a")), (0.0, step_event::started("b"))];
        let both = fold(&plan, events.clone());
        assert_eq!(names(&both.critical_path(1.0)), ["a"]);
        assert_eq!(both.bottleneck(1.0), Some(Bottleneck { step: "a".into(), waiting: 1 }));
        events.extend(["a", "b"].map(|id| (2.0, step_event::finished(id, 2.0))));
        events.push((2.0, step_event::started("c")));
        assert_eq!(names(&fold(&plan, events).critical_path(3.0)), ["a", "c"]);
    }

    proptest! {
        #[test]
        fn path_is_as_long_as_run_at_unlimited_parallelism(mut script in scripted::scripted_run()) {
            script.parallelism = script.plan.steps().len();
            let run = Waterfall::fold(&script.events("1", 0)).expect("the events start with the run");
            let path = run.critical_path(0.0);
            let took = |id: &StepId| run.bar(id).and_then(|bar| bar.span.elapsed(0.0)).expect("the step ran");
            prop_assert_eq!(path.iter().map(took).sum::<f64>(), run.length(0.0));
        }

        #[test]
        fn each_step_of_path_depends_on_previous_one(script in scripted::scripted_run(), cut in 0usize..30) {
            let events = script.events("1", 0);
            let events = &events[..=cut.min(events.len() - 1)];
            let run = Waterfall::fold(events).expect("the events start with the run");
            let now = run.seconds_at(events[events.len() - 1].at);
            let path = run.critical_path(now);
            let first = path.first().and_then(|id| run.bar(id));
            prop_assert!(first.is_none_or(|bar| bar.step.needs.is_empty()), "{path:?} does not reach the start");
            for pair in path.windows(2) {
                let step = &run.bar(&pair[1]).expect("the step is in the plan").step;
                prop_assert!(step.needs.contains(&pair[0]), "{path:?}");
            }
            prop_assert_eq!(path.is_empty(), run.bars.iter().all(|bar| bar.span == StepSpan::Waiting));
        }

        #[test]
        fn no_running_step_blocks_more_than_bottleneck(script in scripted::scripted_run(), cut in 0usize..30) {
            fn needs(run: &Waterfall, id: &StepId, other: &StepId) -> bool {
                let step = &run.bar(id).expect("the step is in the plan").step;
                step.needs.iter().any(|needed| needed == other || needs(run, needed, other))
            }
            let events = script.events("1", 0);
            let events = &events[..=cut.min(events.len() - 1)];
            let run = Waterfall::fold(events).expect("the events start with the run");
            let waiting: Vec<&WaterfallBar> = run.bars.iter().filter(|bar| bar.span == StepSpan::Waiting).collect();
            let blocked = |by: &StepId| waiting.iter().filter(|bar| needs(&run, &bar.step.id, by)).count();
            let running = run.bars.iter().filter(|bar| bar.span.is_running());
            let max = running.map(|bar| blocked(&bar.step.id)).max().filter(|count| *count > 0);
            let found = run.bottleneck(run.seconds_at(events[events.len() - 1].at));
            prop_assert_eq!(found.as_ref().map(|found| found.waiting), max);
            if let Some(found) = found {
                prop_assert!(run.bar(&found.step).is_some_and(|bar| bar.span.is_running()));
                prop_assert_eq!(blocked(&found.step), found.waiting);
            }
        }
    }
}
