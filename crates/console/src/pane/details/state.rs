//! [`DetailsState`]: the details of the resources.

use std::collections::BTreeMap;

use thumbctl_core::event::Failure;
use thumbctl_core::resource::ResourceKind;
use thumbctl_deploy::session::Inspection;

/// The details of the resources.
#[derive(Clone, Debug, Default)]
pub struct DetailsState {
    /// The inspections of resources, until they change.
    pub inspected: BTreeMap<ResourceKind, InspectionState>,
    /// Resources in the journal that are missing in the cloud.
    pub lost: Vec<ResourceKind>,
}

/// The state of a resource inspection.
#[derive(Clone, Debug)]
pub enum InspectionState {
    /// The request is pending.
    Pending,
    /// The resource exists.
    Found(Box<Inspection>),
    /// The resource does not exist.
    Missing,
    /// The request failed.
    Failed(Failure),
}
