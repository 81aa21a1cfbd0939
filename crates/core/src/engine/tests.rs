use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::event::{Action, Event};
use crate::journal::JournalStore;
use crate::names::DeploymentName;
use crate::plan::PlanError;

/// Runs steps that do what their names say, and remembers the order and how many ran at once.
#[derive(Default)]
struct Script {
    log: Mutex<Vec<String>>,
    running: Mutex<(usize, usize)>,
    /// What the user cancels once a step waits.
    cancel_while_waiting: Option<CancellationToken>,
}

#[async_trait]
impl StepRunner for Script {
    async fn run(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError> {
        {
            let mut running = self.running.lock().expect("no test panics while it holds this");
            running.0 += 1;
            running.1 = running.1.max(running.0);
        }
        // Let the others start, if they may.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let result = match step.id.as_str() {
            id if id.starts_with("fail") => Err(StepError::Failed(Failure::new("it broke"))),
            id if id.starts_with("panic") => panic!("a step with a bug"),
            id if id.starts_with("there") => Ok(StepDone::AlreadyDone),
            id if id.starts_with("wait") => {
                if let Some(cancel) = &self.cancel_while_waiting {
                    cancel.cancel();
                }
                scope.cancel().cancelled().await;
                Err(StepError::Cancelled)
            }
            _ => Ok(StepDone::Finished),
        };
        self.running.lock().expect("no test panics while it holds this").0 -= 1;
        self.log.lock().expect("no test panics while it holds this").push(step.id.to_string());
        result
    }

    async fn discard(&self, step: &Step, scope: &StepScope) -> Result<(), StepError> {
        assert!(!scope.cancel().is_cancelled(), "what has to be taken back is taken back");
        self.log.lock().expect("no test panics while it holds this").push(format!("withdrew {}", step.id));
        if step.id.as_str() == "stuck" { Err(StepError::Failed(Failure::new("it stays"))) } else { Ok(()) }
    }
}

/// Stops everything before a step.
struct StopBefore(&'static str);

#[async_trait]
impl Gate for StopBefore {
    async fn pass(&self, step: &Step) -> GateDecision {
        if step.id.as_str() == self.0 { GateDecision::Stop } else { GateDecision::Start }
    }
}

struct Ran {
    report: RunReport,
    events: Vec<Event>,
    order: Vec<String>,
    most_at_once: usize,
}

async fn run(steps: &[(&str, &[&str])], parallelism: usize, on_failure: OnFailure, cancel: CancellationToken) -> Ran {
    run_through(steps, parallelism, on_failure, cancel, Arc::new(OpenGate)).await
}

async fn run_through(
    steps: &[(&str, &[&str])],
    parallelism: usize,
    on_failure: OnFailure,
    cancel: CancellationToken,
    gate: Arc<dyn Gate>,
) -> Ran {
    run_script(Script::default(), steps, parallelism, on_failure, cancel, gate).await
}

async fn run_script(
    script: Script,
    steps: &[(&str, &[&str])],
    parallelism: usize,
    on_failure: OnFailure,
    cancel: CancellationToken,
    gate: Arc<dyn Gate>,
) -> Ran {
    let plan = plan(steps).expect("a good plan");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let journal = JournalStore::new(dir.path()).deployment(&DeploymentName::new("demo").expect("a legal name"));
    let recorder = Recorder::new(journal.begin(Action::Deploy).expect("a run begins"));
    let script = Arc::new(script);
    let engine = Engine {
        plan,
        runner: script.clone(),
        parallelism: NonZeroUsize::new(parallelism).expect("at least one"),
        gate,
        cancel,
        on_failure,
        recorder,
    };
    let report = engine.run().await.expect("the journal can be written");
    let mut events = Vec::new();
    journal.each(|event| events.push(event)).expect("the journal can be read");
    let order = script.log.lock().expect("all steps have ended").clone();
    let most_at_once = script.running.lock().expect("all steps have ended").1;
    Ran { report, events, order, most_at_once }
}

fn plan(steps: &[(&str, &[&str])]) -> Result<Plan, PlanError> {
    let step = |(id, needs): &(&str, &[&str])| {
        let step = Step::new(id, *id, "").needs(needs);
        if id.starts_with("on") { step.continues(needs[0]) } else { step }
    };
    Plan::new(steps.iter().map(step).collect())
}

fn skipped(events: &[Event]) -> Vec<(StepId, SkipReason)> {
    let skip = |event: &Event| match &event.kind {
        EventKind::StepSkipped { step, reason } => Some((step.clone(), *reason)),
        _ => None,
    };
    events.iter().filter_map(skip).collect()
}

#[tokio::test]
async fn what_needs_nothing_runs_side_by_side() {
    let ran = run(&[("a", &[]), ("b", &[]), ("c", &["a", "b"])], 8, OnFailure::Stop, CancellationToken::new()).await;
    assert_eq!(ran.report.outcome, Outcome::Succeeded);
    assert_eq!(ran.most_at_once, 2);
    assert_eq!(ran.order.last().map(String::as_str), Some("c"));
}

#[tokio::test]
async fn parallelism_one_is_one_after_another_in_the_plans_order() {
    let ran = run(&[("a", &[]), ("b", &[]), ("c", &["a"])], 1, OnFailure::Stop, CancellationToken::new()).await;
    assert_eq!(ran.most_at_once, 1);
    assert_eq!(ran.order, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_failure_stops_a_deployment_and_the_rest_is_journalled_as_skipped() {
    let ran = run(&[("fail", &[]), ("after", &["fail"])], 1, OnFailure::Stop, CancellationToken::new()).await;
    assert_eq!(ran.report.outcome, Outcome::Failed);
    assert_eq!(ran.order, ["fail"]);
    assert_eq!(skipped(&ran.events), [("after".into(), SkipReason::Failed)]);
}

#[tokio::test]
async fn a_failure_does_not_stop_a_teardown() {
    let ran = run(&[("fail", &[]), ("after", &["fail"])], 1, OnFailure::Continue, CancellationToken::new()).await;
    assert_eq!(ran.report.outcome, Outcome::Failed);
    assert_eq!(ran.order, ["fail", "after"]);
    assert_eq!(ran.report.failures.len(), 1);
}

#[tokio::test]
async fn a_step_that_panics_is_a_failed_step() {
    let ran = run(&[("panic", &[])], 1, OnFailure::Stop, CancellationToken::new()).await;
    assert_eq!(ran.report.outcome, Outcome::Failed);
    assert!(ran.report.failures[0].1.message.contains("bug"));
}

#[tokio::test]
async fn what_was_there_already_counts_as_done() {
    let ran = run(&[("there", &[]), ("after", &["there"])], 1, OnFailure::Stop, CancellationToken::new()).await;
    assert_eq!(ran.report.outcome, Outcome::Succeeded);
    assert_eq!(skipped(&ran.events), [("there".into(), SkipReason::AlreadyDone)]);
    assert_eq!(ran.order, ["there", "after"]);
}

#[tokio::test]
async fn cancelling_lets_running_steps_end_and_starts_no_more() {
    let cancel = CancellationToken::new();
    let script = Script { cancel_while_waiting: Some(cancel.clone()), ..Script::default() };
    let steps: &[(&str, &[&str])] = &[("wait", &[]), ("after", &["wait"])];
    let ran = run_script(script, steps, 4, OnFailure::Stop, cancel, Arc::new(OpenGate)).await;
    assert_eq!(ran.report.outcome, Outcome::Cancelled);
    assert_eq!(skipped(&ran.events), [("wait".into(), SkipReason::Cancelled), ("after".into(), SkipReason::Cancelled)]);
    assert!(matches!(
        ran.events.last().map(|e| &e.kind),
        Some(EventKind::RunFinished { outcome: Outcome::Cancelled, .. })
    ));
}

/// Lets every step pass but one, before which it waits until another is journalled as ended.
struct HoldsUntilTold {
    held: &'static str,
    until: tokio::sync::Mutex<tokio::sync::mpsc::Receiver<Event>>,
}

#[async_trait]
impl Gate for HoldsUntilTold {
    async fn pass(&self, step: &Step) -> GateDecision {
        if step.id.as_str() == self.held {
            while let Some(event) = self.until.lock().await.recv().await {
                if matches!(event.kind, EventKind::StepFinished { .. }) {
                    return GateDecision::Start;
                }
            }
        }
        GateDecision::Start
    }
}

#[tokio::test]
async fn what_runs_ends_and_is_told_while_another_step_is_held() {
    let plan = plan(&[("a", &[]), ("held", &[])]).expect("a good plan");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let journal = JournalStore::new(dir.path()).deployment(&DeploymentName::new("demo").expect("a legal name"));
    let recorder = Recorder::new(journal.begin(Action::Deploy).expect("a run begins"));
    let gate = Arc::new(HoldsUntilTold { held: "held", until: tokio::sync::Mutex::new(recorder.listen().await) });
    let engine = Engine {
        plan,
        runner: Arc::new(Script::default()),
        parallelism: NonZeroUsize::new(2).expect("two"),
        gate,
        cancel: CancellationToken::new(),
        on_failure: OnFailure::Stop,
        recorder,
    };
    let report = tokio::time::timeout(Duration::from_secs(30), engine.run()).await.expect("nothing waits for ever");
    assert_eq!(report.expect("the journal can be written").outcome, Outcome::Succeeded);
}

/// Never answers about one step.
struct HoldsForEver(&'static str);

#[async_trait]
impl Gate for HoldsForEver {
    async fn pass(&self, step: &Step) -> GateDecision {
        if step.id.as_str() == self.0 {
            std::future::pending().await
        }
        GateDecision::Start
    }
}

#[tokio::test]
async fn a_failure_ends_the_run_though_another_step_is_held() {
    let steps: &[(&str, &[&str])] = &[("fail", &[]), ("held", &[])];
    let running = run_through(steps, 2, OnFailure::Stop, CancellationToken::new(), Arc::new(HoldsForEver("held")));
    let ran = tokio::time::timeout(Duration::from_secs(30), running).await.expect("nothing waits for ever");
    assert_eq!(ran.report.outcome, Outcome::Failed);
    assert_eq!(skipped(&ran.events), [("held".into(), SkipReason::Failed)]);
}

/// Lets every step pass; before one, the user cancels a moment too late.
struct CancelledAt(&'static str, CancellationToken);

#[async_trait]
impl Gate for CancelledAt {
    async fn pass(&self, step: &Step) -> GateDecision {
        if step.id.as_str() == self.0 {
            self.1.cancel();
        }
        GateDecision::Start
    }
}

#[tokio::test]
async fn a_run_that_is_cancelled_when_nothing_waits_any_more_did_everything() {
    let cancel = CancellationToken::new();
    let gate = Arc::new(CancelledAt("last", cancel.clone()));
    let ran = run_through(&[("first", &[]), ("last", &["first"])], 1, OnFailure::Stop, cancel, gate).await;
    assert_eq!(ran.order, ["first", "last"]);
    assert_eq!(ran.report.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn a_last_step_that_heard_the_cancelling_makes_the_run_a_cancelled_one() {
    let cancel = CancellationToken::new();
    let gate = Arc::new(CancelledAt("wait", cancel.clone()));
    let ran = run_through(&[("first", &[]), ("wait", &["first"])], 1, OnFailure::Stop, cancel, gate).await;
    assert_eq!(ran.report.outcome, Outcome::Cancelled);
    assert_eq!(skipped(&ran.events), [("wait".into(), SkipReason::Cancelled)]);
}

#[tokio::test]
async fn what_was_made_for_a_step_that_is_not_run_is_taken_back() {
    // Refused at its gate: "c" was not its turn yet.
    let steps: &[(&str, &[&str])] = &[("a", &[]), ("b", &["a"]), ("c", &["b"])];
    let gate = Arc::new(StopBefore("b"));
    let ran = run_through(steps, 1, OnFailure::Stop, CancellationToken::new(), gate).await;
    assert_eq!(ran.order, ["a", "withdrew b"]);
    assert_eq!(ran.report.outcome, Outcome::Cancelled);

    // Something else failed meanwhile.
    let ran = run(&[("fail", &[]), ("a", &[]), ("b", &["a"])], 2, OnFailure::Stop, CancellationToken::new()).await;
    assert!(ran.order.contains(&"withdrew b".to_owned()), "{:?}", ran.order);

    // Nothing was begun when the user cancelled.
    let cancel = CancellationToken::new();
    cancel.cancel();
    let ran = run(&[("a", &[]), ("b", &["a"])], 1, OnFailure::Stop, cancel).await;
    assert_eq!(ran.order, ["withdrew a"]);
}

#[tokio::test]
async fn what_goes_on_with_a_step_is_held_by_nobody_and_taken_back_when_it_cannot() {
    let steps: &[(&str, &[&str])] = &[("a", &[]), ("on", &["a"]), ("b", &["on"])];
    let ran = run_through(steps, 1, OnFailure::Stop, CancellationToken::new(), Arc::new(StopBefore("on"))).await;
    assert_eq!(ran.order, ["a", "on", "b"], "the gate is not asked");

    // Cancelled between the two: what the first has begun is not left to itself.
    let cancel = CancellationToken::new();
    let steps: &[(&str, &[&str])] = &[("wait", &[]), ("a", &[]), ("on", &["a"])];
    let cancelled = cancel.clone();
    tokio::spawn(async move { cancelled.cancel() });
    let ran = run(steps, 1, OnFailure::Stop, cancel).await;
    assert!(!ran.order.contains(&"on".to_owned()), "{:?}", ran.order);
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_a_failure() {
    let steps: &[(&str, &[&str])] = &[("a", &[]), ("stuck", &["a"])];
    let ran = run_through(steps, 1, OnFailure::Stop, CancellationToken::new(), Arc::new(StopBefore("stuck"))).await;
    assert_eq!(ran.report.outcome, Outcome::Failed);
    assert_eq!(ran.report.failures.len(), 1);
    let failed = |event: &Event| matches!(&event.kind, EventKind::StepFailed { step, .. } if step.as_str() == "stuck");
    assert!(ran.events.iter().any(failed) && skipped(&ran.events).is_empty());
}
