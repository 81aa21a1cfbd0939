//! [`Inspection`]: a resource's actual configuration. Reading it changes nothing, and adds nothing of the local settings.
//!
//! Credentials are hidden here already, so that no caller can show them by mistake.

use chrono::{DateTime, Utc};
use serde_json::Value;
use thumbctl_core::redaction::{HIDDEN, looks_secret, redact_line};
use thumbctl_core::resource::ResourceKind;

use thumbctl_core::names::Names;

use super::{ResourceContext, of};
use crate::aws::{AwsError, ErrorKind, Tags};
use crate::deploy_target::DeployTarget;

/// A resource's configuration in the cloud.
///
/// A part without read permission is a setting with the value [`DENIED`], also for tags or a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// Its kind.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Its ARN, if the kind has one.
    pub arn: Option<String>,
    /// Its settings, label and value, in display order.
    pub settings: Vec<(String, String)>,
    /// Its tags, sorted.
    pub tags: Vec<(String, String)>,
    /// Its policy documents, each with its purpose: `permissions`, `trust`, `resource policy`.
    pub documents: Vec<(String, Value)>,
}

/// The value of a setting without read permission.
pub const DENIED: &str = "access denied";

/// Reads one resource; `None` if it does not exist.
///
/// # Errors
/// When a call fails. If its existence is not visible either, the error's kind is [`crate::aws::ErrorKind::Denied`].
pub async fn inspect(target: &DeployTarget, names: &Names, kind: ResourceKind) -> Result<Option<Inspection>, AwsError> {
    match of(kind).inspect(ResourceContext { target, names }).await {
        Ok(builder) => Ok(builder.map(|builder| builder.finish(kind, names.of(kind)))),
        // It was deleted during the inspection.
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The data of a resource so far.
pub(crate) struct InspectionBuilder {
    arn: Option<String>,
    settings: Vec<(String, String)>,
    tags: Vec<(String, String)>,
    documents: Vec<(String, Value)>,
}

impl InspectionBuilder {
    pub(super) fn new(arn: Option<String>) -> Self {
        Self { arn, settings: Vec::new(), tags: Vec::new(), documents: Vec::new() }
    }

    /// Adds a setting.
    pub(super) fn row(&mut self, label: &str, value: impl Into<String>) {
        let value = value.into();
        self.settings.push((label.to_owned(), redact_line(&value).into_owned()));
    }

    /// Adds a setting, if there is a value.
    pub(super) fn optional(&mut self, label: &str, value: Option<String>) {
        if let Some(value) = value {
            self.row(label, value);
        }
    }

    /// Adds an environment variable.
    pub(super) fn variable(&mut self, name: &str, value: &str) {
        self.settings.push((format!("env {name}"), shown(name, value)));
    }

    /// Returns the result of a further call; `None`, with a row for it, if the call was denied.
    pub(super) fn part<T>(&mut self, label: &str, answer: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
        match answer {
            Ok(part) => Ok(Some(part)),
            Err(error) if error.kind == ErrorKind::Denied => {
                self.row(label, DENIED);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn tags(&mut self, answer: Result<Tags, AwsError>) -> Result<(), AwsError> {
        for (key, value) in self.part("tags", answer)?.unwrap_or_default() {
            let value = shown(&key, &value);
            self.tags.push((key, value));
        }
        Ok(())
    }

    pub(super) fn document(&mut self, purpose: &str, document: Value) {
        self.documents.push((purpose.to_owned(), document));
    }

    pub(super) fn finish(self, kind: ResourceKind, name: String) -> Inspection {
        let Self { arn, settings, tags, documents } = self;
        Inspection { kind, name, arn, settings, tags, documents }
    }
}

fn shown(name: &str, value: &str) -> String {
    if looks_secret(name, value) { HIDDEN.to_owned() } else { value.to_owned() }
}

pub(super) fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

pub(super) fn minutes(minutes: u32) -> String {
    match (minutes / 60, minutes % 60) {
        (0, rest) => format!("{rest} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, rest) => format!("{hours} h {rest} min"),
    }
}

/// Formats a time in milliseconds since 1970.
pub(super) fn time(milliseconds: i64) -> String {
    DateTime::from_timestamp_millis(milliseconds).map_or_else(|| format!("{milliseconds} ms"), describe_time)
}

/// Formats a time in Lambda's format: RFC 3339, but without the colon in the offset.
pub(super) fn time_of_text(text: String) -> String {
    match DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%z") {
        Ok(time) => describe_time(time.to_utc()),
        Err(_) => text,
    }
}

fn describe_time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: ErrorKind) -> Result<Tags, AwsError> {
        Err(AwsError::new("ECR", "ListTagsForResource", kind, "no"))
    }

    #[test]
    fn denied_part_is_marked_and_others_are_kept() {
        let mut builder = InspectionBuilder::new(None);
        builder.row("region", "eu-central-1");
        builder.tags(refused(ErrorKind::Denied)).unwrap();
        assert!(builder.tags(refused(ErrorKind::Network)).is_err());
        let inspection = builder.finish(ResourceKind::Repository, "r".to_owned());
        let settings = [("region", "eu-central-1"), ("tags", DENIED)].map(|(l, v)| (l.to_owned(), v.to_owned()));
        assert_eq!((inspection.settings, inspection.tags), (settings.to_vec(), Vec::new()));
    }

    #[test]
    fn credentials_are_hidden() {
        let mut builder = InspectionBuilder::new(None);
        builder.variable("API_TOKEN", "abc");
        builder.variable("PLAIN", "postgres://me:abc@host/db");
        builder.variable("DEST_BUCKET", "b");
        builder.row("source", "GITHUB https://me:abc@github.com/o/r");
        builder.tags(Ok(Tags::from([("password".to_owned(), "abc".to_owned())]))).unwrap();
        let inspection = builder.finish(ResourceKind::Function, "f".to_owned());
        assert!(!format!("{inspection:?}").contains("abc"), "{inspection:?}");
        let values: Vec<&str> = inspection.settings.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, [HIDDEN, HIDDEN, "b", "GITHUB https://me:hidden@github.com/o/r"]);
    }

    #[test]
    fn values_are_formatted_for_people() {
        assert_eq!([minutes(15), minutes(60), minutes(90)], ["15 min", "1 h", "1 h 30 min"]);
        assert_eq!(time(1_700_000_000_000), "2023-11-14 22:13:20 UTC");
        assert_eq!(time_of_text("2023-11-14T22:13:20.123+0000".to_owned()), "2023-11-14 22:13:20 UTC");
        assert_eq!(time_of_text("yesterday".to_owned()), "yesterday");
    }
}
