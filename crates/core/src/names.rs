//! The names of a deployment's resources, drawn once at its start.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "names are drawn once")]

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::resource::ResourceKind;

/// The maximum length of a prefix: the longest bucket name (`<prefix>-<8 hex>-build-source`) then has at most S3's 63 characters.
pub const MAX_PREFIX: usize = 40;

/// A deployment's prefix and random suffix, from which all resource names are derived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    prefix: DeploymentName,
    suffix: Suffix,
}

/// A deployment's name, which is also the prefix of its resource names: lower-case letters, digits and single hyphens,
/// starting with a letter, at most [`MAX_PREFIX`] characters. S3's bucket naming rules are the strictest of all services:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeploymentName(String);

/// Eight hexadecimal digits that make a deployment's names unique, since bucket names are global.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Suffix(String);

/// Why a name or suffix is invalid.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// The deployment's name violates a rule.
    #[error(
        "'{0}' is not a valid deployment name: use 1 to {MAX_PREFIX} lower-case letters, digits and single hyphens, \
         starting with a letter and not ending with a hyphen"
    )]
    Name(String),
    /// The suffix is not eight hexadecimal digits.
    #[error("'{0}' is not a valid suffix: use eight lower-case hexadecimal digits")]
    Suffix(String),
}

impl DeploymentName {
    /// Validates a name.
    ///
    /// # Errors
    /// If it violates one of the rules above.
    pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
        let name = name.into();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let valid = (1..=MAX_PREFIX).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && !name.ends_with('-')
            && !name.contains("--")
            && name.chars().all(allowed);
        if valid { Ok(Self(name)) } else { Err(NameError::Name(name)) }
    }

    /// The name as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeploymentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::str::FromStr for DeploymentName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl TryFrom<String> for DeploymentName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl From<DeploymentName> for String {
    fn from(name: DeploymentName) -> Self {
        name.0
    }
}

impl Suffix {
    /// Creates a suffix from a number.
    pub fn from_number(number: u32) -> Self {
        Self(format!("{number:08x}"))
    }

    /// The suffix as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Suffix {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if text.len() == 8 && text.chars().all(hex) { Ok(Self(text)) } else { Err(NameError::Suffix(text)) }
    }
}

impl From<Suffix> for String {
    fn from(suffix: Suffix) -> Self {
        suffix.0
    }
}

impl Names {
    /// Creates names from a prefix and a suffix.
    pub fn new(prefix: DeploymentName, suffix: Suffix) -> Self {
        Self { prefix, suffix }
    }

    /// Creates names with a random suffix.
    pub fn draw(prefix: DeploymentName) -> Self {
        Self::new(prefix, Suffix::from_number(rand::random()))
    }

    /// The deployment's name.
    pub fn deployment(&self) -> &DeploymentName {
        &self.prefix
    }

    /// The suffix.
    pub fn suffix(&self) -> &Suffix {
        &self.suffix
    }

    /// `<prefix>-<suffix>`, which every name contains.
    pub fn stem(&self) -> String {
        format!("{}-{}", self.prefix, self.suffix.as_str())
    }

    /// The name of one resource.
    pub fn of(&self, kind: ResourceKind) -> String {
        kind.name_pattern().replace("{}", &self.stem())
    }

    /// The tag of the pushed image.
    pub fn image_tag(&self) -> &'static str {
        "latest"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_prefix_gives_valid_names() {
        let name = DeploymentName::new("a".repeat(MAX_PREFIX)).expect("the longest prefix is valid");
        let names = Names::draw(name);
        for kind in [ResourceKind::SourceBucket, ResourceKind::DestinationBucket, ResourceKind::BuildSourceBucket] {
            assert!(names.of(kind).len() <= 63, "{} is too long", names.of(kind));
        }
        assert!(names.of(ResourceKind::FunctionRole).len() <= 64, "IAM allows 64 characters");
        assert!(names.of(ResourceKind::MacroRole).len() <= 64, "IAM allows 64 characters");
        assert!(names.of(ResourceKind::Function).len() <= 64, "Lambda allows 64 characters");
    }

    #[test]
    fn invalid_bucket_names_are_rejected() {
        for bad in ["", "Upper", "1st", "-x", "x-", "a--b", "with space", "ünder", "a_b", &"a".repeat(MAX_PREFIX + 1)]
        {
            assert_eq!(DeploymentName::new(bad), Err(NameError::Name(bad.to_owned())));
        }
    }

    #[test]
    fn suffix_has_eight_digits() {
        assert_eq!(Suffix::from_number(0xab).as_str(), "000000ab");
        assert!(Suffix::try_from("xyz".to_owned()).is_err());
    }
}
