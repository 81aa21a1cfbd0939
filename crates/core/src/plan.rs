//! [`Plan`]: the graph of what is to be done, and of what depends on what. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::resource::ResourceKind;

/// Names a step within its plan, for example `build_role`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(String);

impl StepId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for StepId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One unit of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name in the plan.
    pub id: StepId,
    /// What it does, in a few words: `Create the ECR repository`.
    pub title: String,
    /// Why it is needed, or why it comes where it comes; a sentence.
    pub why: String,
    /// The steps that must have finished before it starts.
    pub needs: Vec<StepId>,
    /// The resource that it makes or removes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceKind>,
    /// What else it makes or removes: a stack's resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<ResourceKind>,
    /// The API operations that it calls, for example `ecr:CreateRepository`.
    pub calls: Vec<String>,
    /// Whether it goes on with what the step before it has begun, so that nothing may hold it: who held it would not hold
    /// what is done.
    #[serde(rename = "goes_on", default, skip_serializing_if = "std::ops::Not::not")]
    pub continues_previous: bool,
}

impl Step {
    /// A step; what it needs and calls is added by the methods below.
    pub fn new(id: &str, title: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            why: why.into(),
            needs: Vec::new(),
            resource: None,
            also: Vec::new(),
            calls: Vec::new(),
            continues_previous: false,
        }
    }

    /// Says which steps must have finished before.
    #[must_use]
    pub fn needs(mut self, ids: &[&str]) -> Self {
        self.needs = ids.iter().map(|id| StepId::from(*id)).collect();
        self
    }

    /// Says which resource it makes or removes.
    #[must_use]
    pub fn about(mut self, resource: ResourceKind) -> Self {
        self.resource = Some(resource);
        self
    }

    /// Says which other resources it makes or removes.
    #[must_use]
    pub fn with(mut self, resources: &[ResourceKind]) -> Self {
        self.also = resources.to_vec();
        self
    }

    /// All that it makes or removes.
    pub fn resources(&self) -> impl Iterator<Item = ResourceKind> + '_ {
        self.resource.into_iter().chain(self.also.iter().copied())
    }

    /// Says that it goes on with what the step has begun, which it needs.
    #[must_use]
    pub fn continues(mut self, id: &str) -> Self {
        self.needs = vec![id.into()];
        self.continues_previous = true;
        self
    }

    /// Says which API operations it calls.
    #[must_use]
    pub fn calls(mut self, operations: &[&str]) -> Self {
        self.calls = operations.iter().map(|&operation| operation.to_owned()).collect();
        self
    }
}

/// Steps and what they need, in an order in which one after another they could be done: every step stands behind all that
/// it needs, every name is there once.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Step>", into = "Vec<Step>")]
pub struct Plan {
    steps: Vec<Step>,
}

/// Why steps do not make a plan.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    /// Two steps have one name.
    #[error("the plan has two steps called '{0}'")]
    Duplicate(StepId),
    /// A step needs one that is not there.
    #[error("step '{step}' needs '{needs}', which the plan does not have")]
    Unknown {
        /// The step.
        step: StepId,
        /// What it needs.
        needs: StepId,
    },
    /// Steps need each other in a circle.
    #[error("the plan goes in a circle at '{0}'")]
    Cycle(StepId),
}

impl Plan {
    /// Makes a plan of steps, given in any order; the order given is kept where dependencies allow.
    ///
    /// # Errors
    /// When a name is there twice, a needed step is missing, or steps need each other in a circle.
    pub fn new(steps: Vec<Step>) -> Result<Self, PlanError> {
        let mut known = BTreeSet::new();
        for step in &steps {
            if !known.insert(step.id.clone()) {
                return Err(PlanError::Duplicate(step.id.clone()));
            }
        }
        for step in &steps {
            if let Some(missing) = step.needs.iter().find(|id| !known.contains(*id)) {
                return Err(PlanError::Unknown { step: step.id.clone(), needs: missing.clone() });
            }
        }
        let mut ordered: Vec<Step> = Vec::with_capacity(steps.len());
        let mut placed = BTreeSet::new();
        let mut rest = steps;
        while !rest.is_empty() {
            let Some(next) = rest.iter().position(|step| step.needs.iter().all(|id| placed.contains(id))) else {
                return Err(PlanError::Cycle(rest[0].id.clone()));
            };
            let step = rest.remove(next);
            placed.insert(step.id.clone());
            ordered.push(step);
        }
        Ok(Self { steps: ordered })
    }

    /// The steps, each behind all that it needs.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The step of a name.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == *id)
    }

    /// How many waves of steps there are when everything runs side by side that can: for each step, the length of the
    /// longest chain of steps before it.
    pub fn depths(&self) -> BTreeMap<StepId, usize> {
        let mut depths: BTreeMap<StepId, usize> = BTreeMap::new();
        for step in &self.steps {
            let depth = step.needs.iter().map(|id| depths[id] + 1).max().unwrap_or(0);
            depths.insert(step.id.clone(), depth);
        }
        depths
    }
}

impl TryFrom<Vec<Step>> for Plan {
    type Error = PlanError;
    fn try_from(steps: Vec<Step>) -> Result<Self, PlanError> {
        Self::new(steps)
    }
}

impl From<Plan> for Vec<Step> {
    fn from(plan: Plan) -> Self {
        plan.steps
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step(id: &str, needs: &[&str]) -> Step {
        Step::new(id, id, "").needs(needs)
    }

    #[test]
    fn a_step_stands_behind_what_it_needs() {
        let plan = Plan::new(vec![step("c", &["a", "b"]), step("a", &[]), step("b", &["a"])]).expect("a good plan");
        let order: Vec<&str> = plan.steps().iter().map(|step| step.id.as_str()).collect();
        assert_eq!(order, ["a", "b", "c"]);
        assert_eq!(plan.depths()[&"c".into()], 2);
    }

    #[test]
    fn what_is_no_graph_is_no_plan() {
        assert_eq!(Plan::new(vec![step("a", &[]), step("a", &[])]), Err(PlanError::Duplicate("a".into())));
        assert_eq!(Plan::new(vec![step("a", &["x"])]), Err(PlanError::Unknown { step: "a".into(), needs: "x".into() }));
        assert_eq!(Plan::new(vec![step("a", &["b"]), step("b", &["a"])]), Err(PlanError::Cycle("a".into())));
    }

    proptest! {
        #[test]
        fn any_acyclic_graph_is_ordered(edges in proptest::collection::vec((0usize..12, 0usize..12), 0..40)) {
            // Edges from smaller to larger numbers only: acyclic by construction.
            let steps = (0..12)
                .rev()
                .map(|n| {
                    let mut needs: Vec<String> =
                        edges.iter().filter(|(a, b)| *b == n && a < b).map(|(a, _)| a.to_string()).collect();
                    needs.dedup();
                    let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
                    step(&n.to_string(), &needs)
                })
                .collect();
            let plan = Plan::new(steps).expect("an acyclic graph is a plan");
            let mut seen = BTreeSet::new();
            for step in plan.steps() {
                prop_assert!(step.needs.iter().all(|id| seen.contains(id)));
                seen.insert(step.id.clone());
            }
            prop_assert_eq!(seen.len(), 12);
        }
    }
}
