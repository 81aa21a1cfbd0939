//! Measures the engine's overhead per step, with a plan of empty steps that are journalled.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use thumbctl_core::engine::{Engine, OnFailure, OpenGate, StepDone, StepError, StepRunner, StepScope};
use thumbctl_core::event::Action;
use thumbctl_core::journal::JournalStore;
use thumbctl_core::names::DeploymentName;
use thumbctl_core::plan::{Plan, Step};
use thumbctl_core::recorder::Recorder;
use tokio_util::sync::CancellationToken;

const STEPS: usize = 500;
const RUNS: usize = 15;

struct EmptyStep;

#[async_trait]
impl StepRunner for EmptyStep {
    async fn run(&self, _step: &Step, _scope: &StepScope) -> Result<StepDone, StepError> {
        Ok(StepDone::Finished)
    }
}

fn plan(chained: bool) -> Plan {
    let steps = (0..STEPS).map(|n| {
        let step = Step::new(format!("step_{n}"), "Do nothing", "");
        if chained && n > 0 { step.needs(&[format!("step_{}", n - 1).as_str()]) } else { step }
    });
    Plan::new(steps.collect()).expect("a chain is a plan")
}

async fn microseconds_per_step(chained: bool) -> f64 {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let name = DeploymentName::new("bench").expect("a legal name");
    let journal = JournalStore::new(dir.path()).deployment(&name).begin(Action::Deploy).expect("a run starts");
    let engine = Engine {
        plan: plan(chained),
        runner: Arc::new(EmptyStep),
        parallelism: NonZeroUsize::new(8).expect("eight is not zero"),
        gate: Arc::new(OpenGate),
        cancel: CancellationToken::new(),
        on_failure: OnFailure::Stop,
        recorder: Recorder::new(journal),
    };
    let start = Instant::now();
    engine.run().await.expect("the journal can be written");
    start.elapsed().as_secs_f64() * 1e6 / STEPS as f64
}

fn main() {
    // `cargo test --benches` only checks that the benchmark starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    for (chained, what) in [(true, "sequential"), (false, "independent, eight in parallel")] {
        let mut all: Vec<f64> = (0..RUNS).map(|_| runtime.block_on(microseconds_per_step(chained))).collect();
        all.sort_by(f64::total_cmp);
        println!("engine, {STEPS} steps {what}: median {:.0} microseconds per step ({RUNS} runs)", all[RUNS / 2]);
    }
}
