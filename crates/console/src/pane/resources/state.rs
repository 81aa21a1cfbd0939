//! [`ResourcesState`]: the selection in the list of resources.

use thumbctl_core::resource::ResourceKind;

/// The selection in the list of resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourcesState {
    /// The selected resource.
    pub selected: ResourceKind,
    /// Whether the dependencies of the selected resource are marked.
    pub dependencies: bool,
}

impl Default for ResourcesState {
    fn default() -> Self {
        Self { selected: ResourceKind::ARCHITECTURE[0], dependencies: false }
    }
}
