//! [`Plan`]: the graph of steps and their dependencies. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::event::Word;
use crate::resource::ResourceKind;

/// The id of a step in its plan, for example `build_role`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(String);

impl StepId {
    /// The id as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for StepId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl From<&&str> for StepId {
    fn from(id: &&str) -> Self {
        Self::from(*id)
    }
}

impl From<String> for StepId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// Its title, for example `Create the ECR repository`.
    pub title: String,
    /// The reason for it, or for its position; one sentence.
    pub why: String,
    /// The steps that must finish before it starts.
    pub needs: Vec<StepId>,
    /// The resource that it creates or deletes. Kinds of newer versions are dropped here and below, since
    /// `resource_changed` records what exists.
    #[serde(default, deserialize_with = "known_kind", skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceKind>,
    /// Further resources that it creates or deletes, for example those of a stack.
    #[serde(default, deserialize_with = "known_kinds", skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<ResourceKind>,
    /// The API operations that it calls, for example `ecr:CreateRepository`.
    pub calls: Vec<String>,
    /// Whether it continues the operation that the previous step started. No gate holds such a step, since the operation
    /// is already running.
    #[serde(rename = "goes_on", default, skip_serializing_if = "std::ops::Not::not")]
    pub continues_previous: bool,
}

fn known_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ResourceKind>, D::Error> {
    Ok(Option::<Word<_>>::deserialize(deserializer)?.and_then(Word::known))
}

fn known_kinds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ResourceKind>, D::Error> {
    Ok(Vec::<Word<_>>::deserialize(deserializer)?.into_iter().filter_map(Word::known).collect())
}

impl Step {
    /// Creates a step without dependencies, resources and calls.
    pub fn new(id: impl Into<StepId>, title: impl Into<String>, why: impl Into<String>) -> Self {
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

    /// Sets the steps that must finish before it.
    #[must_use]
    pub fn needs(mut self, ids: impl IntoIterator<Item: Into<StepId>>) -> Self {
        self.needs = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the resource that it creates or deletes.
    #[must_use]
    pub fn about(mut self, resource: ResourceKind) -> Self {
        self.resource = Some(resource);
        self
    }

    /// Sets the further resources that it creates or deletes.
    #[must_use]
    pub fn with(mut self, resources: &[ResourceKind]) -> Self {
        self.also = resources.to_vec();
        self
    }

    /// All resources that it creates or deletes.
    pub fn resources(&self) -> impl Iterator<Item = ResourceKind> + '_ {
        self.resource.into_iter().chain(self.also.iter().copied())
    }

    /// Makes it the continuation of the step `id`, on which it then depends.
    #[must_use]
    pub fn continues(mut self, id: impl Into<StepId>) -> Self {
        self.needs = vec![id.into()];
        self.continues_previous = true;
        self
    }

    /// Sets the API operations that it calls.
    #[must_use]
    pub fn calls(mut self, operations: &[&str]) -> Self {
        self.calls = operations.iter().map(|&operation| operation.to_owned()).collect();
        self
    }
}

/// Steps in a topological order: every step comes after its dependencies, every id is unique.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Step>", into = "Vec<Step>")]
pub struct Plan {
    steps: Vec<Step>,
}

/// Why steps do not form a plan.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    /// Two steps have the same id.
    #[error("the plan has two steps with the id '{0}'")]
    Duplicate(StepId),
    /// A step depends on a missing step.
    #[error("step '{step}' depends on '{needs}', which is not in the plan")]
    Unknown {
        /// The step.
        step: StepId,
        /// The missing dependency.
        needs: StepId,
    },
    /// Steps depend on each other.
    #[error("the plan has a dependency cycle at '{0}'")]
    Cycle(StepId),
}

impl Plan {
    /// Creates a plan from steps in any order; their order is kept where dependencies allow.
    ///
    /// # Errors
    /// If an id is not unique, a dependency is missing, or the dependencies have a cycle.
    pub fn new(steps: Vec<Step>) -> Result<Self, PlanError> {
        let mut ids = BTreeSet::new();
        for step in &steps {
            if !ids.insert(step.id.clone()) {
                return Err(PlanError::Duplicate(step.id.clone()));
            }
        }
        for step in &steps {
            if let Some(missing) = step.needs.iter().find(|id| !ids.contains(*id)) {
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

    /// The steps, each after its dependencies.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The step with this id.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == *id)
    }

    /// The length of the longest chain of dependencies of each step, which is its wave at unlimited parallelism.
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
    fn steps_come_after_their_dependencies() {
        let plan = Plan::new(vec![step("c", &["a", "b"]), step("a", &[]), step("b", &["a"])]).expect("a valid plan");
        let order: Vec<&str> = plan.steps().iter().map(|step| step.id.as_str()).collect();
        assert_eq!(order, ["a", "b", "c"]);
        assert_eq!(plan.depths()[&"c".into()], 2);
    }

    #[test]
    fn invalid_graphs_are_rejected() {
        assert_eq!(Plan::new(vec![step("a", &[]), step("a", &[])]), Err(PlanError::Duplicate("a".into())));
        assert_eq!(Plan::new(vec![step("a", &["x"])]), Err(PlanError::Unknown { step: "a".into(), needs: "x".into() }));
        assert_eq!(Plan::new(vec![step("a", &["b"]), step("b", &["a"])]), Err(PlanError::Cycle("a".into())));
    }

    proptest! {
        #[test]
        fn acyclic_graphs_are_ordered(edges in proptest::collection::vec((0usize..12, 0usize..12), 0..40)) {
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
