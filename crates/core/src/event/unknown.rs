//! [`UnknownEvent`]: what can be read of an event that a newer version has written.

use std::fmt;

use serde::Deserialize;

use super::{Action, Event, EventKind, StrategyKind};
use crate::names::Names;
use crate::resource::{ResourceKind, ResourceState};

/// An event of a newer version: its type is unknown, or a word in it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum UnknownEvent {
    /// A run with an unknown action or strategy.
    RunStarted(UnknownRun),
    /// A change of a resource of an unknown kind, or to an unknown state.
    ResourceChanged(UnknownResource),
    /// Any other; it records no resource, see [`super::VERSION`].
    #[serde(other)]
    Other,
}

/// What every version can read of a run's parameters.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct UnknownRun {
    /// The action.
    pub action: Word<Action>,
    /// The strategy.
    pub strategy: Word<StrategyKind>,
    /// The cloud's display name.
    pub cloud: String,
    /// The account id.
    pub account: String,
    /// The region.
    pub region: String,
    /// The names of all resources.
    pub names: Names,
}

/// What every version can read of a resource's change.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct UnknownResource {
    /// Its kind.
    pub resource: Word<ResourceKind>,
    /// Its name in the cloud.
    pub name: String,
    /// Its ARN, once known.
    #[serde(default)]
    pub arn: Option<String>,
    /// Its new state.
    pub state: Word<ResourceState>,
}

/// A word that a newer version may have written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Word<T> {
    /// A word of this version.
    Known(T),
    /// Any other.
    Unknown(String),
}

impl<T> Word<T> {
    /// The meaning of a word of this version.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(word) => Some(word),
            Self::Unknown(_) => None,
        }
    }
}

impl fmt::Display for UnknownResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.resource {
            Word::Known(kind) => kind.as_str(),
            Word::Unknown(kind) => kind,
        };
        write!(f, "{kind} {}", self.arn.as_ref().unwrap_or(&self.name))
    }
}

impl From<Event<UnknownEvent>> for Event {
    fn from(Event { v, run, seq, at, kind }: Event<UnknownEvent>) -> Self {
        Self { v, run, seq, at, kind: EventKind::Unknown(Box::new(kind)) }
    }
}
