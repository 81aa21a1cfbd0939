use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::event::{Action, Event};
use crate::journal::JournalStore;
use crate::names::DeploymentName;
use crate::plan::PlanError;

/// A runner whose steps behave as their ids say; it records their order and the number of parallel steps.
#[derive(Default)]
struct ScriptedRunner {
    log: Mutex<Vec<String>>,
    /// The current and the highest number of running steps.
    running: Mutex<(usize, usize)>,
    /// Cancelled as soon as a step waits.
    cancel_while_waiting: Option<CancellationToken>,
}

#[async_trait]
impl StepRunner for ScriptedRunner {
    async fn run(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError> {
        {
            let mut running = self.running.lock().expect("no thread panics while holding the lock");
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
        self.running.lock().expect("no thread panics while holding the lock").0 -= 1;
        self.log.lock().expect("no thread panics while holding the lock").push(step.id.to_string());
        result
    }

    async fn discard(&self, step: &Step, scope: &StepScope) -> Result<(), StepError> {
        assert!(!scope.cancel().is_cancelled(), "discarding must not be cancelled");
        self.log.lock().expect("no thread panics while holding the lock").push(format!("discarded {}", step.id));
        if step.id.as_str() == "stuck" { Err(StepError::Failed(Failure::new("cannot be discarded"))) } else { Ok(()) }
    }
}

/// Stops the run before a step.
struct StopBefore(&'static str);

#[async_trait]
impl Gate for StopBefore {
    async fn pass(&self, step: &Step) -> GateDecision {
        if step.id.as_str() == self.0 { GateDecision::Stop } else { GateDecision::Start }
    }
}

struct FinishedRun {
    report: RunReport,
    events: Vec<Event>,
    order: Vec<String>,
    max_parallel: usize,
}

async fn run(
    steps: &[(&str, &[&str])],
    parallelism: usize,
    on_failure: OnFailure,
    cancel: CancellationToken,
) -> FinishedRun {
    run_with_gate(steps, parallelism, on_failure, cancel, Arc::new(OpenGate)).await
}

async fn run_with_gate(
    steps: &[(&str, &[&str])],
    parallelism: usize,
    on_failure: OnFailure,
    cancel: CancellationToken,
    gate: Arc<dyn Gate>,
) -> FinishedRun {
    run_with_runner(ScriptedRunner::default(), steps, parallelism, on_failure, cancel, gate).await
}

async fn run_with_runner(
    runner: ScriptedRunner,
    steps: &[(&str, &[&str])],
    parallelism: usize,
    on_failure: OnFailure,
    cancel: CancellationToken,
    gate: Arc<dyn Gate>,
) -> FinishedRun {
    let plan = plan(steps).expect("a valid plan");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let journal = JournalStore::new(dir.path()).deployment(&DeploymentName::new("demo").expect("a valid name"));
    let recorder = Recorder::new(journal.begin(Action::Deploy).expect("a run starts"));
    let runner = Arc::new(runner);
    let engine = Engine {
        plan,
        runner: runner.clone(),
        parallelism: NonZeroUsize::new(parallelism).expect("at least one"),
        gate,
        cancel,
        on_failure,
        recorder,
    };
    let report = engine.run().await.expect("the journal can be written");
    let mut events = Vec::new();
    journal.each(|event| events.push(event)).expect("the journal can be read");
    let order = runner.log.lock().expect("all steps have ended").clone();
    let max_parallel = runner.running.lock().expect("all steps have ended").1;
    FinishedRun { report, events, order, max_parallel }
}

fn plan(steps: &[(&str, &[&str])]) -> Result<Plan, PlanError> {
    let step = |(id, needs): &(&str, &[&str])| {
        let step = Step::new(id, *id, "").needs(*needs);
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
async fn independent_steps_run_in_parallel() {
    let ran = run(&[("a", &[]), ("b", &[]), ("c", &["a", "b"])], 8, OnFailure::Stop, CancellationToken::new()).await;
    assert_eq!(ran.report.outcome, Outcome::Succeeded);
    assert_eq!(ran.max_parallel, 2);
    assert_eq!(ran.order.last().map(String::as_str), Some("c"));
}

#[tokio::test]
async fn parallelism_one_runs_steps_in_plan_order() {
    let ran = run(&[("a", &[]), ("b", &[]), ("c", &["a"])], 1, OnFailure::Stop, CancellationToken::new()).await;
    assert_eq!(ran.max_parallel, 1);
    assert_eq!(ran.order, ["a", "b", "c"]);
}

#[tokio::test]
async fn deploy_stops_after_failed_step_and_skips_rest() {
    let ran = run(&[("fail", &[]), ("after", &["fail"])], 1, OnFailure::Stop, CancellationToken::new()).await;
    assert_eq!(ran.report.outcome, Outcome::Failed);
    assert_eq!(ran.order, ["fail"]);
    assert_eq!(skipped(&ran.events), [("after".into(), SkipReason::Failed)]);
}

#[tokio::test]
async fn teardown_continues_after_failed_step() {
    let ran = run(&[("fail", &[]), ("after", &["fail"])], 1, OnFailure::Continue, CancellationToken::new()).await;
    assert_eq!(ran.report.outcome, Outcome::Failed);
    assert_eq!(ran.order, ["fail", "after"]);
    assert_eq!(ran.report.failures.len(), 1);
}

#[tokio::test]
async fn panicking_step_fails() {
    let ran = run(&[("panic", &[])], 1, OnFailure::Stop, CancellationToken::new()).await;
    assert_eq!(ran.report.outcome, Outcome::Failed);
    assert!(ran.report.failures[0].1.message.contains("bug"));
}

#[tokio::test]
async fn already_done_step_satisfies_dependencies() {
    let ran = run(&[("there", &[]), ("after", &["there"])], 1, OnFailure::Stop, CancellationToken::new()).await;
    assert_eq!(ran.report.outcome, Outcome::Succeeded);
    assert_eq!(skipped(&ran.events), [("there".into(), SkipReason::AlreadyDone)]);
    assert_eq!(ran.order, ["there", "after"]);
}

#[tokio::test]
async fn cancellation_finishes_running_steps_and_starts_no_others() {
    let cancel = CancellationToken::new();
    let runner = ScriptedRunner { cancel_while_waiting: Some(cancel.clone()), ..ScriptedRunner::default() };
    let steps: &[(&str, &[&str])] = &[("wait", &[]), ("after", &["wait"])];
    let ran = run_with_runner(runner, steps, 4, OnFailure::Stop, cancel, Arc::new(OpenGate)).await;
    assert_eq!(ran.report.outcome, Outcome::Cancelled);
    assert_eq!(skipped(&ran.events), [("wait".into(), SkipReason::Cancelled), ("after".into(), SkipReason::Cancelled)]);
    assert!(matches!(
        ran.events.last().map(|e| &e.kind),
        Some(EventKind::RunFinished { outcome: Outcome::Cancelled, .. })
    ));
}

/// Starts every step but one, which it holds until another has finished.
struct HoldUntilFinished {
    held: &'static str,
    until: tokio::sync::Mutex<tokio::sync::mpsc::Receiver<Event>>,
}

#[async_trait]
impl Gate for HoldUntilFinished {
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
async fn running_step_is_recorded_while_another_is_held() {
    let plan = plan(&[("a", &[]), ("held", &[])]).expect("a valid plan");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let journal = JournalStore::new(dir.path()).deployment(&DeploymentName::new("demo").expect("a valid name"));
    let recorder = Recorder::new(journal.begin(Action::Deploy).expect("a run starts"));
    let gate = Arc::new(HoldUntilFinished { held: "held", until: tokio::sync::Mutex::new(recorder.listen().await) });
    let engine = Engine {
        plan,
        runner: Arc::new(ScriptedRunner::default()),
        parallelism: NonZeroUsize::new(2).expect("two"),
        gate,
        cancel: CancellationToken::new(),
        on_failure: OnFailure::Stop,
        recorder,
    };
    let report = tokio::time::timeout(Duration::from_secs(30), engine.run()).await.expect("the run ends");
    assert_eq!(report.expect("the journal can be written").outcome, Outcome::Succeeded);
}

/// Never decides on one step.
struct HoldForever(&'static str);

#[async_trait]
impl Gate for HoldForever {
    async fn pass(&self, step: &Step) -> GateDecision {
        if step.id.as_str() == self.0 {
            std::future::pending::<()>().await;
        }
        GateDecision::Start
    }
}

#[tokio::test]
async fn failure_ends_run_while_another_step_is_held() {
    let steps: &[(&str, &[&str])] = &[("fail", &[]), ("held", &[])];
    let running = run_with_gate(steps, 2, OnFailure::Stop, CancellationToken::new(), Arc::new(HoldForever("held")));
    let ran = tokio::time::timeout(Duration::from_secs(30), running).await.expect("the run ends");
    assert_eq!(ran.report.outcome, Outcome::Failed);
    assert_eq!(skipped(&ran.events), [("held".into(), SkipReason::Failed)]);
}

/// Starts every step; cancels the run just before one starts.
struct CancelAt(&'static str, CancellationToken);

#[async_trait]
impl Gate for CancelAt {
    async fn pass(&self, step: &Step) -> GateDecision {
        if step.id.as_str() == self.0 {
            self.1.cancel();
        }
        GateDecision::Start
    }
}

#[tokio::test]
async fn cancellation_during_last_step_succeeds_if_step_finishes() {
    let cancel = CancellationToken::new();
    let gate = Arc::new(CancelAt("last", cancel.clone()));
    let ran = run_with_gate(&[("first", &[]), ("last", &["first"])], 1, OnFailure::Stop, cancel, gate).await;
    assert_eq!(ran.order, ["first", "last"]);
    assert_eq!(ran.report.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn cancellation_during_last_step_cancels_run_if_step_stops() {
    let cancel = CancellationToken::new();
    let gate = Arc::new(CancelAt("wait", cancel.clone()));
    let ran = run_with_gate(&[("first", &[]), ("wait", &["first"])], 1, OnFailure::Stop, cancel, gate).await;
    assert_eq!(ran.report.outcome, Outcome::Cancelled);
    assert_eq!(skipped(&ran.events), [("wait".into(), SkipReason::Cancelled)]);
}

#[tokio::test]
async fn preparation_of_due_step_is_discarded() {
    // Stopped at its gate; "c" was not due yet.
    let steps: &[(&str, &[&str])] = &[("a", &[]), ("b", &["a"]), ("c", &["b"])];
    let gate = Arc::new(StopBefore("b"));
    let ran = run_with_gate(steps, 1, OnFailure::Stop, CancellationToken::new(), gate).await;
    assert_eq!(ran.order, ["a", "discarded b"]);
    assert_eq!(ran.report.outcome, Outcome::Cancelled);

    // Another step failed meanwhile.
    let ran = run(&[("fail", &[]), ("a", &[]), ("b", &["a"])], 2, OnFailure::Stop, CancellationToken::new()).await;
    assert!(ran.order.contains(&"discarded b".to_owned()), "{:?}", ran.order);

    // Cancelled before the first step.
    let cancel = CancellationToken::new();
    cancel.cancel();
    let ran = run(&[("a", &[]), ("b", &["a"])], 1, OnFailure::Stop, cancel).await;
    assert_eq!(ran.order, ["discarded a"]);
}

#[tokio::test]
async fn continuing_step_skips_gate_and_is_not_run_after_cancellation() {
    let steps: &[(&str, &[&str])] = &[("a", &[]), ("on", &["a"]), ("b", &["on"])];
    let ran = run_with_gate(steps, 1, OnFailure::Stop, CancellationToken::new(), Arc::new(StopBefore("on"))).await;
    assert_eq!(ran.order, ["a", "on", "b"], "the gate is not consulted");

    // Cancelled between the two steps.
    let cancel = CancellationToken::new();
    let steps: &[(&str, &[&str])] = &[("wait", &[]), ("a", &[]), ("on", &["a"])];
    let cancelled = cancel.clone();
    tokio::spawn(async move { cancelled.cancel() });
    let ran = run(steps, 1, OnFailure::Stop, cancel).await;
    assert!(!ran.order.contains(&"on".to_owned()), "{:?}", ran.order);
}

#[tokio::test]
async fn failed_discard_fails_run() {
    let steps: &[(&str, &[&str])] = &[("a", &[]), ("stuck", &["a"])];
    let ran = run_with_gate(steps, 1, OnFailure::Stop, CancellationToken::new(), Arc::new(StopBefore("stuck"))).await;
    assert_eq!(ran.report.outcome, Outcome::Failed);
    assert_eq!(ran.report.failures.len(), 1);
    let failed = |event: &Event| matches!(&event.kind, EventKind::StepFailed { step, .. } if step.as_str() == "stuck");
    assert!(ran.events.iter().any(failed) && skipped(&ran.events).is_empty());
}
