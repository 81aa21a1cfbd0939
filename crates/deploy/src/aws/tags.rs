//! Tags, in one form for all services.

use std::collections::BTreeMap;

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// A resource in a listing, with its tags: for finding leftovers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// Its name.
    pub name: String,
    /// Its ARN; a bucket's and a log group's are built from their names.
    pub arn: String,
    /// Its tags.
    pub tags: Tags,
}

/// Converts the optional keys and values of some SDK types to tags.
pub(crate) fn from_pairs<K, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Tags
where
    K: Into<String>,
    V: Into<String>,
{
    pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}
