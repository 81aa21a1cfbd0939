//! [`DetailsPane`]: everything about the selected resource.

use std::collections::BTreeMap;

use thumbctl_core::event::Failure;
use thumbctl_core::resource::ResourceKind;
use thumbctl_deploy::session::Inspection;

/// Everything about the selected resource.
#[derive(Clone, Debug, Default)]
pub struct DetailsPane {
    /// Lines scrolled down.
    pub scroll: u16,
    /// What the cloud said of resources, for as long as that is fresh.
    pub inspected: BTreeMap<ResourceKind, InspectionState>,
    /// What the cloud does not have, when it was asked for everything.
    pub lost: Vec<ResourceKind>,
}

/// What the cloud said of a resource.
#[derive(Clone, Debug)]
pub enum InspectionState {
    /// It was asked and has not answered yet.
    Pending,
    /// It is there.
    Found(Box<Inspection>),
    /// It is not there.
    Missing,
    /// It would not say.
    Failed(Failure),
}
