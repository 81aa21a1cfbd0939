//! Queries on a run's events.

use std::collections::BTreeMap;

use thumbctl_core::event::{Event, EventKind, Outcome};
use thumbctl_core::resource::{ResourceKind, ResourceState};

/// Whether the run succeeded.
#[track_caller]
pub fn assert_succeeded(events: &[Event]) {
    let ended = events.last().map(|event| &event.kind);
    assert!(matches!(ended, Some(EventKind::RunFinished { outcome: Outcome::Succeeded, .. })), "{ended:?}");
}

/// The index of the first matching event.
#[track_caller]
pub fn first(events: &[Event], is: impl Fn(&EventKind) -> bool) -> usize {
    events.iter().position(|event| is(&event.kind)).expect("a matching event")
}

/// Asserts that exactly these resources are created and become ready, after some time.
#[track_caller]
pub fn assert_made(events: &[Event], kinds: &[ResourceKind]) {
    let mut states: BTreeMap<ResourceKind, Vec<ResourceState>> = BTreeMap::new();
    for event in events {
        if let EventKind::ResourceChanged { resource, state, seconds, .. } = &event.kind {
            states.entry(*resource).or_default().push(*state);
            assert!(*state != ResourceState::Ready || seconds.is_some(), "{resource} has no duration");
        }
    }
    assert_eq!(states.keys().copied().collect::<Vec<_>>(), kinds);
    for (kind, mut reported) in states {
        reported.dedup();
        assert_eq!(reported, [ResourceState::Creating, ResourceState::Ready], "{kind}");
    }
}

/// The outputs, by name.
pub fn outputs(events: &[Event]) -> BTreeMap<String, String> {
    let output = |event: &Event| match &event.kind {
        EventKind::OutputGiven { name, value, .. } => Some((name.clone(), value.clone())),
        _ => None,
    };
    events.iter().filter_map(output).collect()
}
