//! What a run has told.

use std::collections::BTreeMap;

use thumbctl_core::event::{Event, EventKind, Outcome};
use thumbctl_core::resource::{ResourceKind, ResourceState};

/// It ended well.
#[track_caller]
pub fn assert_succeeded(events: &[Event]) {
    let ended = events.last().map(|event| &event.kind);
    assert!(matches!(ended, Some(EventKind::RunFinished { outcome: Outcome::Succeeded, .. })), "{ended:?}");
}

/// Where in it something is told first.
#[track_caller]
pub fn first(events: &[Event], is: impl Fn(&EventKind) -> bool) -> usize {
    events.iter().position(|event| is(&event.kind)).expect("it is told")
}

/// Each of these resources, and no other, is made and then ready, after some time.
#[track_caller]
pub fn assert_made(events: &[Event], kinds: &[ResourceKind]) {
    let mut states: BTreeMap<ResourceKind, Vec<ResourceState>> = BTreeMap::new();
    for event in events {
        if let EventKind::ResourceChanged { resource, state, seconds, .. } = &event.kind {
            states.entry(*resource).or_default().push(*state);
            assert!(*state != ResourceState::Ready || seconds.is_some(), "how long did {resource} take?");
        }
    }
    assert_eq!(states.keys().copied().collect::<Vec<_>>(), kinds);
    for (kind, mut told) in states {
        told.dedup();
        assert_eq!(told, [ResourceState::Creating, ResourceState::Ready], "{kind}");
    }
}

/// What the things that were made say of themselves, by name.
pub fn outputs(events: &[Event]) -> BTreeMap<String, String> {
    let output = |event: &Event| match &event.kind {
        EventKind::OutputGiven { name, value, .. } => Some((name.clone(), value.clone())),
        _ => None,
    };
    events.iter().filter_map(output).collect()
}
