//! [`DependencyGraph`]: the dependencies between resources, from the steps of the plan.

use std::collections::{BTreeMap, BTreeSet};

use thumbctl_core::event::Action;
use thumbctl_core::plan::{Plan, StepId};
use thumbctl_core::resource::ResourceKind;

use crate::model::Model;

/// The dependencies between resources.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DependencyGraph {
    needs: BTreeMap<ResourceKind, BTreeSet<ResourceKind>>,
}

/// The relation of a resource to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The other depends on it.
    NeededByIt {
        /// Whether the dependency is direct.
        directly: bool,
    },
    /// It depends on the other.
    NeedsIt {
        /// Whether the dependency is direct.
        directly: bool,
    },
}

impl Relation {
    /// The label; indirect relations are in parentheses.
    pub fn label(self) -> &'static str {
        match self {
            Self::NeededByIt { directly: true } => "needed by it",
            Self::NeededByIt { directly: false } => "(needed by it)",
            Self::NeedsIt { directly: true } => "needs it",
            Self::NeedsIt { directly: false } => "(needs it)",
        }
    }
}

impl DependencyGraph {
    /// The dependencies of the displayed deployment. The steps of a teardown depend on each other in reverse.
    pub fn of(model: &Model) -> Self {
        if let Some(preview) = &model.preview {
            return Self::of_plan(&preview.plan);
        }
        let Some(plan) = model.plan() else { return Self::default() };
        let graph = Self::of_plan(plan);
        let is_teardown = model.run.as_ref().is_some_and(|run| run.started.action == Action::Destroy);
        if is_teardown { graph.reversed() } else { graph }
    }

    fn of_plan(plan: &Plan) -> Self {
        let mut graph = Self::default();
        for step in plan.steps() {
            let Some(kind) = step.resource else { continue };
            let mut found = BTreeSet::new();
            for id in &step.needs {
                resources_of(plan, id, &mut found);
            }
            found.remove(&kind);
            graph.needs.entry(kind).or_default().extend(found);
            // Resources of a stack depend on it.
            for made in &step.also {
                graph.needs.entry(*made).or_default().insert(kind);
            }
        }
        graph
    }

    fn reversed(&self) -> Self {
        let mut reversed = Self::default();
        for (kind, needs) in &self.needs {
            reversed.needs.entry(*kind).or_default();
            for need in needs {
                reversed.needs.entry(*need).or_default().insert(*kind);
            }
        }
        reversed
    }

    /// The direct dependencies of a resource.
    pub fn needs(&self, kind: ResourceKind) -> impl Iterator<Item = ResourceKind> + '_ {
        self.needs.get(&kind).into_iter().flatten().copied()
    }

    /// The direct dependents of a resource.
    pub fn needed_by(&self, kind: ResourceKind) -> impl Iterator<Item = ResourceKind> + '_ {
        self.needs.iter().filter(move |(_, needs)| needs.contains(&kind)).map(|(other, _)| *other)
    }

    /// The relation of a resource to another, if any.
    pub fn relation(&self, kind: ResourceKind, to: ResourceKind) -> Option<Relation> {
        if kind == to {
            return None;
        }
        let (needed, needs) = (self.reaches(to, kind), self.reaches(kind, to));
        match (needed, needs) {
            (Some(directly), _) => Some(Relation::NeededByIt { directly }),
            (None, Some(directly)) => Some(Relation::NeedsIt { directly }),
            (None, None) => None,
        }
    }

    /// Whether one depends on the other, and whether directly.
    fn reaches(&self, from: ResourceKind, to: ResourceKind) -> Option<bool> {
        if self.needs(from).any(|kind| kind == to) {
            return Some(true);
        }
        let mut seen = BTreeSet::from([from]);
        let mut open: Vec<ResourceKind> = self.needs(from).collect();
        while let Some(kind) = open.pop() {
            if kind == to {
                return Some(false);
            }
            if seen.insert(kind) {
                open.extend(self.needs(kind));
            }
        }
        None
    }
}

/// Collects the resources of a step, or of its dependencies if it has none.
fn resources_of(plan: &Plan, id: &StepId, found: &mut BTreeSet<ResourceKind>) {
    let Some(step) = plan.step(id) else { return };
    match step.resource {
        Some(kind) => {
            found.insert(kind);
        }
        None => step.needs.iter().for_each(|need| resources_of(plan, need, found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenes;

    #[test]
    fn relations_follow_from_steps() {
        let graph = DependencyGraph::of(&scenes::empty((80, 24)));
        use ResourceKind::{BuildPolicy, BuildProject, BuildRole, BuildSourceBucket, Function, FunctionRole, Image};
        assert_eq!(graph.relation(BuildRole, BuildProject), Some(Relation::NeededByIt { directly: true }));
        assert_eq!(graph.relation(BuildPolicy, BuildProject), Some(Relation::NeededByIt { directly: false }));
        assert_eq!(graph.relation(Function, BuildProject), Some(Relation::NeedsIt { directly: false }));
        assert_eq!(graph.relation(Image, BuildProject), Some(Relation::NeedsIt { directly: true }));
        assert_eq!(graph.relation(FunctionRole, BuildProject), None);
        // The upload between them has no resource.
        assert_eq!(graph.relation(BuildSourceBucket, BuildProject), Some(Relation::NeededByIt { directly: true }));
    }

    #[test]
    fn teardown_plan_is_reversed_without_preview() {
        let mut model = scenes::destroying((80, 24));
        model.preview = None;
        let graph = DependencyGraph::of(&model);
        let relation = graph.relation(ResourceKind::Function, ResourceKind::Notification);
        assert!(matches!(relation, Some(Relation::NeededByIt { .. })), "{relation:?}");
    }
}
