//! Tags, the same for every service, whatever each of them calls theirs.

use std::collections::BTreeMap;

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// Something that a listing found, with its tags: how leftovers are recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// Its name.
    pub name: String,
    /// Its ARN; a bucket's and a log group's are put together from their names.
    pub arn: String,
    /// Its tags.
    pub tags: Tags,
}

/// Turns optional keys and values, as some SDK types have them, into tags.
pub(crate) fn from_pairs<K, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Tags
where
    K: Into<String>,
    V: Into<String>,
{
    pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}
