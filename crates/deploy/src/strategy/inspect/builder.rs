//! An inspection as it is written down: one place for what is hidden and for how values are worded.

use chrono::{DateTime, Utc};
use serde_json::Value;
use thumbctl_core::resource::ResourceKind;
use thumbctl_core::secret::{HIDDEN, looks_secret, redact_line};

use super::{DENIED, Inspection};
use crate::aws::{AwsError, ErrorKind, Tags};

/// What is known of a resource so far.
pub(super) struct InspectionBuilder {
    arn: Option<String>,
    settings: Vec<(String, String)>,
    tags: Vec<(String, String)>,
    documents: Vec<(String, Value)>,
}

impl InspectionBuilder {
    pub(super) fn new(arn: Option<String>) -> Self {
        Self { arn, settings: Vec::new(), tags: Vec::new(), documents: Vec::new() }
    }

    /// A setting.
    pub(super) fn row(&mut self, label: &str, value: impl Into<String>) {
        let value = value.into();
        self.settings.push((label.to_owned(), redact_line(&value).into_owned()));
    }

    /// A setting, if the cloud tells it.
    pub(super) fn optional(&mut self, label: &str, value: Option<String>) {
        if let Some(value) = value {
            self.row(label, value);
        }
    }

    /// An environment variable.
    pub(super) fn variable(&mut self, name: &str, value: &str) {
        self.settings.push((format!("env {name}"), shown(name, value)));
    }

    /// What a further call answered; `None`, and a row that says so, if it was refused.
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

/// A time in milliseconds since 1970.
pub(super) fn time(milliseconds: i64) -> String {
    DateTime::from_timestamp_millis(milliseconds).map_or_else(|| format!("{milliseconds} ms"), words_for_time)
}

/// A time as Lambda writes it: almost as RFC 3339 would, but for the colon in the offset.
pub(super) fn time_of_text(text: String) -> String {
    match DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%z") {
        Ok(time) => words_for_time(time.to_utc()),
        Err(_) => text,
    }
}

fn words_for_time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: ErrorKind) -> Result<Tags, AwsError> {
        Err(AwsError::new("ECR", "ListTagsForResource", kind, "no"))
    }

    #[test]
    fn a_refused_part_is_said_and_spoils_nothing_else() {
        let mut sheet = InspectionBuilder::new(None);
        sheet.row("region", "eu-central-1");
        sheet.tags(refused(ErrorKind::Denied)).unwrap();
        assert!(sheet.tags(refused(ErrorKind::Network)).is_err());
        let inspection = sheet.finish(ResourceKind::Repository, "r".to_owned());
        let settings = [("region", "eu-central-1"), ("tags", DENIED)].map(|(l, v)| (l.to_owned(), v.to_owned()));
        assert_eq!((inspection.settings, inspection.tags), (settings.to_vec(), Vec::new()));
    }

    #[test]
    fn nothing_that_looks_like_a_credential_is_written_down() {
        let mut sheet = InspectionBuilder::new(None);
        sheet.variable("API_TOKEN", "abc");
        sheet.variable("PLAIN", "postgres://me:abc@host/db");
        sheet.variable("DEST_BUCKET", "b");
        sheet.row("source", "GITHUB https://me:abc@github.com/o/r");
        sheet.tags(Ok(Tags::from([("password".to_owned(), "abc".to_owned())]))).unwrap();
        let inspection = sheet.finish(ResourceKind::Function, "f".to_owned());
        assert!(!format!("{inspection:?}").contains("abc"), "{inspection:?}");
        let values: Vec<&str> = inspection.settings.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, [HIDDEN, HIDDEN, "b", "GITHUB https://me:hidden@github.com/o/r"]);
    }

    #[test]
    fn values_are_worded_for_people() {
        assert_eq!([minutes(15), minutes(60), minutes(90)], ["15 min", "1 h", "1 h 30 min"]);
        assert_eq!(time(1_700_000_000_000), "2023-11-14 22:13:20 UTC");
        assert_eq!(time_of_text("2023-11-14T22:13:20.123+0000".to_owned()), "2023-11-14 22:13:20 UTC");
        assert_eq!(time_of_text("yesterday".to_owned()), "yesterday");
    }
}
