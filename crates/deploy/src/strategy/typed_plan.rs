//! [`TypedPlan`]: a plan whose steps are known by type to what runs them.

use std::collections::BTreeMap;

use thumbctl_core::engine::StepError;
use thumbctl_core::event::Failure;
use thumbctl_core::plan::{Plan, Step, StepId};

/// A plan, and what each of its steps does. Ids are for the journal alone.
#[derive(Debug)]
pub(crate) struct TypedPlan<W> {
    /// The plan.
    pub(crate) plan: Plan,
    /// What each step does.
    pub(crate) work: StepWork<W>,
}

/// What each step of a plan does.
#[derive(Debug)]
pub(crate) struct StepWork<W>(BTreeMap<StepId, W>);

impl<W> Default for TypedPlan<W> {
    fn default() -> Self {
        Self { plan: Plan::default(), work: StepWork(BTreeMap::new()) }
    }
}

impl<W> TypedPlan<W> {
    /// Creates a plan from steps without cycles; their order is kept where dependencies allow.
    pub(crate) fn new(steps: Vec<(W, Step)>) -> Self {
        let plan = steps.iter().map(|(_, step)| step.clone()).collect();
        let plan = Plan::new(plan).expect("the strategies' steps have unique ids and no cycles");
        Self { plan, work: StepWork(steps.into_iter().map(|(work, step)| (step.id, work)).collect()) }
    }
}

impl<W> StepWork<W> {
    /// Returns what a step does.
    ///
    /// # Errors
    /// When it is another plan's step.
    pub(crate) fn of(&self, step: &Step) -> Result<&W, StepError> {
        self.0.get(&step.id).ok_or_else(|| StepError::Failed(Failure::new(format!("unknown step '{}'", step.id))))
    }
}
